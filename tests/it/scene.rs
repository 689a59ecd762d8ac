//! A hub, two simulated clusters and six tenants, for tests of the engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use escale::apply::OnSecrets;
use escale::cluster::{Cluster, Limits};
use escale::engine::{
    self, Audience, Behind, Bundles, Carried, Clock, Clusters, Destination, Ended, Ending, Heard,
    Order, Records, Return, RollbackOrder, Stop, Who, World,
};
use escale::fleet::{Files, Fleet, load};
use escale::record::{Hold, PackedBundle, TenantRecord};
use escale::render::{Renderer, shape};
use escale::repo::Kinship;
use escale::rollout::{self, Strategy};
use escale::secret::Secrets;
use escale::sim::{Behaviour, Fault, Options, Rule, SimCluster};
use jiff::SignedDuration;

const TEMPLATE: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: {{ tenant.namespace }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: platforms}
data: {names: "{{ platforms | map(attribute='name') | join(' ') }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "{{ versions.web }}", resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 10m, memory: 16Mi}}}
"#;

pub const EXTRA: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {a: b}
";

pub const STRATEGY: &str = "
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
  limits: {maxConcurrency: {all: 2}, maxFailures: {all: 0}}
  waves:
    - {name: canary, role: canary, select: {ring: canary}, soak: 30s, onBreach: rollback}
    - {name: rest, soak: 30s, onBreach: pause}
  brake: {deletes: 3, ofTenant: 50%, ofTenants: 100%}
";

/// A hub and two clusters with six tenants, and the files they are made of.
pub struct Scene {
    pub clock: Clock,
    pub sims: BTreeMap<String, SimCluster>,
    pub clusters: Clusters,
    pub files: Files,
}

pub struct Release {
    pub id: String,
    pub fleet: Fleet,
    pub bundles: Bundles,
}

impl Release {
    /// Loads and renders an environment.
    pub fn of(id: &str, files: &Files, environment: &str) -> Self {
        let fleet = load(files, environment).unwrap();
        let renderer = Renderer::new(files, BTreeMap::new()).unwrap();
        let each = renderer.render_all(&fleet).into_iter();
        let bundles = each
            .map(|(tenant, bundle)| {
                let of = fleet.tenant(&tenant).unwrap();
                let pack = |bundle| PackedBundle::of(&bundle).shaped(Some(shape(of, &bundle)));
                (tenant, bundle.map(pack).map_err(|_| "a mistake".to_owned()))
            })
            .collect();
        Self {
            id: id.to_owned(),
            fleet,
            bundles,
        }
    }

    pub fn order(&self, holder: &str) -> Order<'_> {
        let (name, spec) = self.fleet.strategy(None).unwrap();
        Order {
            fleet: &self.fleet,
            bundles: &self.bundles,
            release: self.id.clone(),
            strategy: Strategy {
                name,
                spec,
                chosen: None,
                max_sample_gap: SignedDuration::from_secs(60),
            },
            changed: None,
            selected: None,
            who: who(holder),
            lineage: &in_order,
            may_be_older: false,
            allowed_deletes: None,
            rebuild: None,
            verify_sample: 100,
        }
    }
}

impl Scene {
    pub fn new() -> Self {
        Self::with(0, STRATEGY)
    }

    /// Every chance in it follows from the seed.
    pub fn with(seed: u64, strategy: &str) -> Self {
        Self::of(seed, ["east", "hub", "west"], "hub", files(strategy))
    }

    /// Any clusters, and the files of any environment.
    pub fn of<const N: usize>(seed: u64, names: [&str; N], hub: &str, files: Files) -> Self {
        let clock = Clock::starting_at("2026-11-23T08:00:00Z".parse().unwrap());
        let sims: BTreeMap<String, SimCluster> = names
            .into_iter()
            .zip(1..)
            .map(|(name, number)| {
                let options = Options {
                    name: name.to_owned(),
                    seed: seed * 4 + number,
                    clock: Arc::new(move || clock.now()),
                    nodes: 2,
                };
                (name.to_owned(), SimCluster::new(options))
            })
            .collect();
        let limits = Limits {
            seed,
            ..Limits::default()
        };
        let connected = sims.iter().map(|(name, sim)| {
            let cluster = Cluster::from_client(name, sim.client(), limits);
            (name.clone(), cluster)
        });
        let clusters = Clusters::new(Some(hub.to_owned()), connected.collect());
        Self {
            clock,
            sims,
            clusters,
            files,
        }
    }

    pub fn release(&self, id: &str, version: &str) -> Release {
        let mut files = self.files.clone();
        files.insert(
            "environments/test/versions.yaml".to_owned(),
            format!("apiVersion: escale.dev/v1alpha1\nkind: Versions\nmetadata: {{name: test}}\nspec: {{web: \"registry.example.com/web:{version}\"}}\n"),
        );
        Release::of(id, &files, "test")
    }

    pub async fn roll_out(&self, release: &Release) -> Carried {
        self.try_roll_out(release, "job 1").await.unwrap()
    }

    pub async fn try_roll_out(&self, release: &Release, holder: &str) -> anyhow::Result<Carried> {
        let mut deaf = |_: Heard<'_>| {};
        engine::roll_out(&release.order(holder), self.world(&mut deaf)).await
    }

    pub async fn roll_back(&self, tenant: &str) -> anyhow::Result<Ended> {
        self.roll_back_by(tenant, "ana", &mut |_: Heard<'_>| {})
            .await
    }

    /// Behind a hook that cannot be undone, too.
    pub async fn roll_back_all_the_same(&self, tenant: &str) -> anyhow::Result<Ended> {
        let order = RollbackOrder {
            even_if_irreversible: true,
            ..self.rollback_order(tenant, "ana").await?
        };
        let mut deaf = |_: Heard<'_>| {};
        engine::roll_back(order, self.world(&mut deaf)).await
    }

    pub async fn roll_back_by(
        &self,
        tenant: &str,
        holder: &str,
        audience: &mut (dyn FnMut(Heard<'_>) + Send),
    ) -> anyhow::Result<Ended> {
        let order = self.rollback_order(tenant, holder).await?;
        engine::roll_back(order, self.world(audience)).await
    }

    pub async fn rollback_order(
        &self,
        tenant: &str,
        holder: &str,
    ) -> anyhow::Result<RollbackOrder> {
        let records = Records::read(&self.clusters, "test").await;
        let stored = records
            .iter()
            .find(|stored| stored.value.tenant == tenant)
            .ok_or_else(|| anyhow::anyhow!("`{tenant}` has no record"))?
            .clone();
        let alike = engine::alike(std::slice::from_ref(&stored), &self.clusters).await;
        let to = engine::destination(&stored.value, &Destination::PreviousGood, &alike)?;
        Ok(RollbackOrder {
            even_if_irreversible: false,
            secrets: OnSecrets::Leave,
            returns: vec![Return { stored, to }],
            who: who(holder),
            hold_until: Some(self.clock.now() + SignedDuration::from_hours(1)),
            keep: escale::record::Keep::default(),
            tenant: escale::fleet::config::TenantStrategy::default(),
        })
    }

    /// A hold from now on, until somebody releases it.
    pub fn hold(&self, owner: &str, reason: &str) -> Hold {
        Hold {
            reason: reason.to_owned(),
            owner: owner.to_owned(),
            since: self.clock.now(),
            expires: None,
            digest: None,
        }
    }

    /// The pods of an image crash in one tenant, and are well elsewhere.
    pub fn break_image(&self, image: &str, (cluster, tenant): (&str, &str)) {
        self.sims[cluster].tell(Fault::Behaviour(Rule {
            image: Some(image.to_owned()),
            namespace: Some(tenant.to_owned()),
            behaviour: Behaviour::from_word("crash").unwrap(),
        }));
    }

    /// From now on nothing gets through to a cluster, until it is [`found`](Self::find).
    pub fn lose(&self, cluster: &str) {
        self.sims[cluster].tell(Fault::Unreachable {
            from: self.clock.now(),
            until: None,
        });
    }

    pub fn find(&self, cluster: &str) {
        self.sims[cluster].tell(Fault::Nothing);
    }

    /// Who is behind, as `rollout --continue` sees it.
    pub async fn behind(&self, release: &Release) -> Behind {
        let environment = &release.fleet.environment.name;
        let rollouts = engine::rollouts(&self.clusters, environment).await.unwrap();
        let behind = engine::behind(&self.clusters, environment, &rollouts, self.clock.now());
        behind.await.unwrap().unwrap().within(&release.fleet)
    }

    pub fn world<'a>(&self, audience: &'a mut Audience<'a>) -> World<'a> {
        let stop = tokio::sync::watch::channel(Stop::GoOn).1;
        World {
            clusters: self.clusters.clone(),
            clock: self.clock,
            stop,
            wait_limit: None,
            secrets: Secrets::stand_ins(),
            audience,
        }
    }

    pub async fn record(&self, tenant: &str) -> TenantRecord {
        let records = Records::read(&self.clusters, "test").await;
        records
            .iter()
            .find(|stored| stored.value.tenant == tenant)
            .unwrap()
            .value
            .clone()
    }

    /// The images that run, by tenant.
    pub fn images(&self) -> BTreeMap<String, String> {
        let deployments = self
            .sims
            .values()
            .flat_map(|sim| sim.objects("deployments.apps"));
        deployments
            .map(|object| {
                let image = object["spec"]["template"]["spec"]["containers"][0]["image"]
                    .as_str()
                    .unwrap();
                let tag = image.rsplit(':').next().unwrap();
                (
                    object["metadata"]["namespace"].as_str().unwrap().to_owned(),
                    tag.to_owned(),
                )
            })
            .collect()
    }

    /// Requests that change something, apart from those on the Lease.
    pub fn writes(&self) -> Vec<String> {
        let all = self
            .sims
            .values()
            .flat_map(|sim| sim.requests().mutating().cloned().collect::<Vec<_>>());
        let writes = all
            .filter(|request| !request.dry_run && request.resource != "leases.coordination.k8s.io");
        writes
            .map(|request| format!("{:?} {} {:?}", request.verb, request.resource, request.name))
            .collect()
    }

    pub fn forget_requests(&self) {
        self.sims.values().for_each(SimCluster::forget_requests);
    }

    pub async fn pass(&self, minutes: u64) {
        tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    }
}

/// The files of the hub, the two clusters and the six tenants.
pub fn files(strategy: &str) -> Files {
    let mut files = Files::new();
    let mut put = |path: &str, text: &str| {
        files.insert(path.to_owned(), text.to_owned());
    };
    put("templates/site/all.yaml.j2", TEMPLATE);
    put("environments/test/strategy.yaml", strategy);
    put(
        "environments/test/environment.yaml",
        "apiVersion: escale.dev/v1alpha1\nkind: Environment\nmetadata: {name: test}\nspec: {records: {hub: hub}, defaults: {bundle: site}}\n",
    );
    for name in ["east", "hub", "west"] {
        let text = format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Cluster\nmetadata: {{name: {name}}}\nspec: {{}}\n"
        );
        put(&format!("environments/test/clusters/{name}.yaml"), &text);
    }
    for (number, cluster) in ["east", "west"].into_iter().cycle().take(6).enumerate() {
        let ring = if number == 0 { "canary" } else { "rest" };
        let text = format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: t{number}, labels: {{ring: {ring}}}}}\n\
             spec: {{cluster: {cluster}, platforms: {{p{number}: {{client: c{number}, domain: c{number}.example}}}}}}\n"
        );
        put(&format!("environments/test/tenants/t{number}.yaml"), &text);
    }
    files
}

/// Releases come in the order of their ids.
fn in_order(one: &str, other: &str) -> Kinship {
    match one.cmp(other) {
        Ordering::Less => Kinship::Older,
        Ordering::Equal => Kinship::Same,
        Ordering::Greater => Kinship::Newer,
    }
}

pub fn who(name: &str) -> Who {
    Who {
        name: name.to_owned(),
        holder: name.to_owned(),
        why: "a test".to_owned(),
    }
}

pub fn simulated<F: Future<Output = ()>>(test: impl FnOnce(Scene) -> F) {
    in_virtual_time(async { test(Scene::new()).await });
}

/// On one thread. There is nothing to read from or write to, so the system need not be asked whenever all wait.
pub fn in_virtual_time<F: Future>(work: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

pub fn outcome(carried: &Carried) -> Option<rollout::Outcome> {
    match carried {
        Carried::Ended(ended) => match &ended.ending {
            Ending::Finished { outcome, .. } => Some(*outcome),
            _ => None,
        },
        _ => None,
    }
}

pub fn left_out(carried: &Carried) -> Vec<String> {
    let plan = match carried {
        Carried::Ended(ended) => &ended.frozen.plan,
        Carried::NothingToDo { plan } => plan,
        _ => return Vec::new(),
    };
    plan.exceptions()
        .map(|excluded| format!("{}: {}", excluded.tenant, excluded.reason.words()))
        .collect()
}
