//! The engine on simulated clusters: what a rollout writes, what survives a kill, who is left alone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use escale::cluster::{Cluster, Limits};
use escale::engine::{
    self, Bundles, Carried, Clock, Clusters, Destination, Ended, Ending, Order, Records, Return,
    RollbackOrder, Stop, Who, World, holds, store,
};
use escale::error::{Exit, exit_code};
use escale::fleet::{Files, Fleet, load};
use escale::manifest::Digest;
use escale::record::{Hold, Outcome, PackedBundle, Scope, TenantRecord, Verb, Word};
use escale::render::Renderer;
use escale::rollout::{self, Strategy};
use escale::sim::{Fault, Options, SimCluster};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

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

const EXTRA: &str = r"
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
data: {a: b}
";

const STRATEGY: &str = "
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
struct Scene {
    clock: Clock,
    sims: BTreeMap<String, SimCluster>,
    clusters: Clusters,
    files: Files,
}

struct Release {
    id: String,
    fleet: Fleet,
    bundles: Bundles,
}

impl Release {
    fn order(&self, holder: &str) -> Order<'_> {
        let (name, spec) = self.fleet.strategy(None).unwrap();
        Order {
            fleet: &self.fleet,
            bundles: &self.bundles,
            release: self.id.clone(),
            strategy: Strategy {
                name,
                spec,
                max_sample_gap: SignedDuration::from_secs(60),
            },
            selected: None,
            who: who(holder),
            allowed_deletes: None,
        }
    }
}

impl Scene {
    fn new() -> Self {
        let clock = Clock::starting_at("2026-11-23T08:00:00Z".parse().unwrap());
        let sims: BTreeMap<String, SimCluster> = ["east", "hub", "west"]
            .into_iter()
            .zip(1..)
            .map(|(name, seed)| {
                let options = Options {
                    name: name.to_owned(),
                    seed,
                    clock: Arc::new(move || clock.now()),
                    nodes: 2,
                };
                (name.to_owned(), SimCluster::new(options))
            })
            .collect();
        SimCluster::share_clock(sims.values());
        let connected = sims.iter().map(|(name, sim)| {
            (
                name.clone(),
                Cluster::from_client(name, sim.client(), Limits::default()),
            )
        });
        let clusters = Clusters::new(Some("hub".to_owned()), connected.collect());
        Self {
            clock,
            clusters,
            sims,
            files: files(),
        }
    }

    fn release(&self, id: &str, version: &str) -> Release {
        let mut files = self.files.clone();
        files.insert(
            "environments/test/versions.yaml".to_owned(),
            format!("apiVersion: escale.dev/v1alpha1\nkind: Versions\nmetadata: {{name: test}}\nspec: {{web: \"registry.example.com/web:{version}\"}}\n"),
        );
        let fleet = load(&files, "test").unwrap();
        let renderer = Renderer::new(&files, BTreeMap::new()).unwrap();
        let each = renderer.render_all(&fleet).into_iter();
        let bundles = each
            .map(|(tenant, bundle)| {
                (
                    tenant,
                    bundle
                        .map(|bundle| PackedBundle::of(&bundle))
                        .map_err(|_| "a mistake".to_owned()),
                )
            })
            .collect();
        Release {
            id: id.to_owned(),
            fleet,
            bundles,
        }
    }

    async fn roll_out(&self, release: &Release) -> Carried {
        self.try_roll_out(release, "job 1").await.unwrap()
    }

    async fn try_roll_out(&self, release: &Release, holder: &str) -> anyhow::Result<Carried> {
        let mut deaf = |_: &_, _: &_, _: &_| {};
        engine::roll_out(&release.order(holder), self.world(&mut deaf)).await
    }

    async fn roll_back(&self, tenant: &str) -> anyhow::Result<Ended> {
        let stored = Records::read(&self.clusters, "test")
            .await
            .iter()
            .find(|stored| stored.value.tenant == tenant)
            .unwrap()
            .clone();
        let to = engine::destination(&stored.value, &Destination::PreviousGood)?;
        let order = RollbackOrder {
            returns: vec![Return { stored, to }],
            who: who("ana"),
            hold_until: Some(self.clock.now() + SignedDuration::from_hours(1)),
            keep: escale::record::Keep::default(),
            tenant: escale::fleet::config::TenantStrategy::default(),
        };
        let mut deaf = |_: &_, _: &_, _: &_| {};
        engine::roll_back(order, self.world(&mut deaf)).await
    }

    fn world<'a>(
        &self,
        audience: &'a mut (dyn FnMut(&rollout::Event, &rollout::Progress, &rollout::Frozen) + Send),
    ) -> World<'a> {
        let stop = tokio::sync::watch::channel(Stop::GoOn).1;
        World {
            clusters: self.clusters.clone(),
            clock: self.clock,
            stop,
            wait_limit: None,
            audience,
        }
    }

    async fn record(&self, tenant: &str) -> TenantRecord {
        let records = Records::read(&self.clusters, "test").await;
        records
            .iter()
            .find(|stored| stored.value.tenant == tenant)
            .unwrap()
            .value
            .clone()
    }

    /// The images that run, by tenant.
    fn images(&self) -> BTreeMap<String, String> {
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
    fn writes(&self) -> Vec<String> {
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

    fn forget_requests(&self) {
        self.sims.values().for_each(SimCluster::forget_requests);
    }

    async fn pass(&self, minutes: u64) {
        tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
    }
}

fn files() -> Files {
    let mut files = Files::new();
    let mut put = |path: &str, text: &str| {
        files.insert(path.to_owned(), text.to_owned());
    };
    put("templates/site/all.yaml.j2", TEMPLATE);
    put("environments/test/strategy.yaml", STRATEGY);
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

fn who(name: &str) -> Who {
    Who {
        name: name.to_owned(),
        holder: name.to_owned(),
        why: "a test".to_owned(),
    }
}

fn simulated<F: Future<Output = ()>>(test: impl FnOnce(Scene) -> F) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { test(Scene::new()).await });
}

fn outcome(carried: &Carried) -> Option<rollout::Outcome> {
    match carried {
        Carried::Ended(ended) => match &ended.ending {
            Ending::Finished { outcome, .. } => Some(*outcome),
            _ => None,
        },
        _ => None,
    }
}

fn left_out(carried: &Carried) -> Vec<String> {
    let plan = match carried {
        Carried::Ended(ended) => &ended.frozen.plan,
        Carried::NothingToDo { plan } => plan,
        Carried::Taken { .. } => return Vec::new(),
    };
    plan.exceptions()
        .map(|excluded| format!("{}: {}", excluded.tenant, excluded.reason.words()))
        .collect()
}

#[test]
fn a_second_rollout_of_the_same_commit_writes_nothing() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        assert_eq!(
            outcome(&scene.roll_out(&release).await),
            Some(rollout::Outcome::Succeeded)
        );
        assert_eq!(scene.images().values().filter(|tag| *tag == "1").count(), 6);
        scene.forget_requests();
        let again = scene.roll_out(&release).await;
        assert!(matches!(again, Carried::NothingToDo { .. }));
        assert_eq!(scene.writes(), Vec::<String>::new());
    });
}

#[test]
fn an_unchanged_tenant_gets_no_write_when_another_changes() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.forget_requests();
        let path = "environments/test/tenants/t3.yaml".to_owned();
        let text = scene.files[&path].replace("p3: ", "p9: {client: c9, domain: c9.example}, p3: ");
        scene.files.insert(path, text);
        let carried = scene.roll_out(&scene.release("bbbb", "1")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        let west = scene.sims["west"].requests();
        let written: Vec<&str> = west
            .mutating()
            .filter(|request| request.manager.as_deref() == Some("escale"))
            .filter_map(|request| {
                (request.namespace.as_deref() == Some("t3")).then_some(request.resource.as_str())
            })
            .collect();
        assert_eq!(
            written,
            ["configmaps"],
            "one more platform changes a list, and restarts nothing"
        );
        assert!(
            scene.sims["east"]
                .requests()
                .mutating()
                .all(|request| request.namespace.as_deref() != Some("t0"))
        );
    });
}

#[test]
fn a_bad_release_goes_back_in_the_canary_and_is_not_tried_again_until_cleared() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let bad = scene.release("bbbb", "2-crash");
        scene.forget_requests();
        assert_eq!(
            outcome(&scene.roll_out(&bad).await),
            Some(rollout::Outcome::RolledBack)
        );
        assert!(scene.images().values().all(|tag| tag == "1"));
        assert!(
            scene.sims["west"].requests().mutating().next().is_none(),
            "only the canary's cluster was written to"
        );
        assert_eq!(scene.record("t0").await.state, Outcome::RolledBack);

        let again = scene.roll_out(&bad).await;
        assert!(matches!(again, Carried::NothingToDo { .. }));
        assert_eq!(left_out(&again).len(), 6);
        assert!(
            left_out(&again)[0].starts_with("t0: quarantined"),
            "{:?}",
            left_out(&again)
        );

        let word = Word {
            verb: Verb::Clear,
            environment: "test".to_owned(),
            scope: Scope::Release("bbbb".to_owned()),
            author: "ana".to_owned(),
            reason: "the registry was broken".to_owned(),
            at: scene.clock.now(),
            expires: None,
        };
        store::say(&scene.clusters.hub().unwrap().writer(), &word)
            .await
            .unwrap();
        assert_eq!(
            outcome(&scene.roll_out(&bad).await),
            Some(rollout::Outcome::RolledBack),
            "it is tried, and fails again"
        );
    });
}

#[test]
fn what_was_killed_at_any_time_is_finished_by_the_next_run() {
    for seconds in [1, 3, 6, 9, 20, 44, 50, 61, 80, 95] {
        simulated(|scene| async move {
            scene.roll_out(&scene.release("aaaa", "1")).await;
            scene.pass(5).await;
            let next = scene.release("bbbb", "2");
            let killed = tokio::time::timeout(
                Duration::from_secs(seconds),
                scene.try_roll_out(&next, "job 1"),
            )
            .await;
            if killed.is_ok() {
                return;
            }
            let carried = scene.try_roll_out(&next, "job 2").await.unwrap();
            assert_eq!(
                outcome(&carried),
                Some(rollout::Outcome::Succeeded),
                "killed after {seconds} s"
            );
            assert!(
                scene.images().values().all(|tag| tag == "2"),
                "killed after {seconds} s"
            );
            for tenant in ["t0", "t1", "t2", "t3", "t4", "t5"] {
                let record = scene.record(tenant).await;
                assert_eq!(
                    (record.claim, record.state),
                    (None, Outcome::Succeeded),
                    "killed after {seconds} s"
                );
            }
            scene.forget_requests();
            assert!(matches!(
                scene.roll_out(&next).await,
                Carried::NothingToDo { .. }
            ));
            assert_eq!(scene.writes(), Vec::<String>::new());
        });
    }
}

#[test]
fn who_is_told_to_stop_before_the_first_write_stops_at_once() {
    simulated(|scene| async move {
        scene.sims["hub"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let began = tokio::time::Instant::now();
        let (sender, stop) = tokio::sync::watch::channel(Stop::GoOn);
        let mut deaf = |_: &_, _: &_, _: &_| {};
        let world = World {
            stop,
            ..scene.world(&mut deaf)
        };
        let release = scene.release("aaaa", "1");
        let order = release.order("job 1");
        let (carried, ()) = tokio::join!(engine::roll_out(&order, world), async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            sender.send_replace(Stop::Gently);
        });
        let error = carried.err().unwrap();
        assert_eq!(exit_code(&error), Exit::NotFinished, "{error:#}");
        assert_eq!(began.elapsed().as_secs(), 2);
    });
}

#[test]
fn two_rollouts_at_once_are_one_rollout() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        let (first, second) = tokio::join!(scene.try_roll_out(&release, "job 1"), async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            scene.try_roll_out(&release, "job 2").await
        });
        assert_eq!(outcome(&first.unwrap()), Some(rollout::Outcome::Succeeded));
        let Carried::Taken { by } = second.unwrap() else {
            panic!("two conductors")
        };
        assert_eq!(by, "job 1");
    });
}

#[test]
fn a_typed_rollback_needs_no_hub_and_the_next_rollout_respects_its_hold() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        scene.roll_out(&scene.release("bbbb", "2")).await;
        scene.pass(5).await;
        scene.sims["hub"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let ended = scene.roll_back("t3").await.unwrap();
        assert!(
            matches!(
                ended.ending,
                Ending::Finished {
                    outcome: rollout::Outcome::Succeeded,
                    ..
                }
            ),
            "{:?}",
            ended.ending
        );
        assert_eq!(scene.images()["t3"], "1");
        let record = scene.record("t3").await;
        assert_eq!(record.state, Outcome::RolledBack);
        assert_eq!(record.hold.unwrap().owner, "ana");

        scene.sims["hub"].tell(Fault::Nothing);
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(
            outcome(&carried),
            Some(rollout::Outcome::SucceededWithExceptions)
        );
        assert_eq!(left_out(&carried).len(), 1);
        assert!(left_out(&carried)[0].starts_with("t3: held: a test (ana)"));
        assert_eq!(scene.images()["t3"], "1");
        assert_eq!(scene.images()["t4"], "3");
    });
}

#[test]
fn a_rollback_to_what_runs_is_an_error_and_never_done() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let error = scene.roll_back("t3").await.err().unwrap();
        assert!(
            error
                .to_string()
                .contains("no good bundle other than the one it runs"),
            "{error}"
        );
    });
}

#[test]
fn what_is_removed_from_the_templates_is_pruned_after_the_tenant_is_healthy() {
    simulated(|mut scene| async move {
        scene
            .files
            .insert("templates/site/extra.yaml.j2".to_owned(), EXTRA.to_owned());
        for tenant in ["t1", "t2", "t3"] {
            // Three deletes are what the brake lets through.
            scene
                .files
                .remove(&format!("environments/test/tenants/{tenant}.yaml"));
        }
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let extras = |scene: &Scene| {
            scene
                .sims
                .values()
                .flat_map(|sim| sim.objects("configmaps"))
                .filter(|object| object["metadata"]["name"] == "extra")
                .count()
        };
        assert_eq!(extras(&scene), 3);
        scene.files.remove("templates/site/extra.yaml.j2");
        assert_eq!(
            outcome(&scene.roll_out(&scene.release("bbbb", "1")).await),
            Some(rollout::Outcome::Succeeded)
        );
        assert_eq!(extras(&scene), 0);
    });
}

#[test]
fn a_plan_that_deletes_too_much_stops_before_its_first_write() {
    simulated(|mut scene| async move {
        scene
            .files
            .insert("templates/site/extra.yaml.j2".to_owned(), EXTRA.to_owned());
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.files.remove("templates/site/extra.yaml.j2");
        scene.forget_requests();
        let error = scene
            .try_roll_out(&scene.release("bbbb", "1"), "job 1")
            .await
            .err()
            .unwrap();
        assert!(
            error
                .to_string()
                .contains("the plan deletes 6 objects, more than the 3"),
            "{error}"
        );
        assert_eq!(scene.writes(), Vec::<String>::new());
    });
}

#[test]
fn a_tenant_file_that_disappears_deletes_nothing() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.files.remove("environments/test/tenants/t5.yaml");
        scene.forget_requests();
        let carried = scene.roll_out(&scene.release("bbbb", "1")).await;
        assert_eq!(
            left_out(&carried),
            ["t5: orphaned: no file names it any more; nothing is pruned"]
        );
        assert_eq!(scene.writes(), Vec::<String>::new());
    });
}

#[test]
fn a_corrupt_record_keeps_its_tenant_out_and_is_never_taken_for_an_absent_one() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let edited =
            scene.sims["west"].edit("configmaps", (Some("escale-system"), "t3"), |record| {
                record["data"]["inventory"] = json!("{ not json");
            });
        edited.unwrap();
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert!(
            left_out(&carried)[0].starts_with("t3: record unreadable"),
            "{:?}",
            left_out(&carried)
        );
        assert_eq!(scene.images()["t3"], "1");
        assert_eq!(scene.images()["t4"], "2");
    });
}

#[test]
fn a_cluster_that_does_not_answer_is_left_out_and_the_others_go_on() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.sims["west"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(
            outcome(&carried),
            Some(rollout::Outcome::SucceededWithExceptions)
        );
        assert_eq!(left_out(&carried).len(), 3);
        assert!(
            left_out(&carried)[0].starts_with("t1: cluster unreachable"),
            "{:?}",
            left_out(&carried)
        );
    });
}

#[test]
fn a_held_tenant_is_left_alone_until_it_is_let_go() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let west = scene.clusters.get("west").unwrap();
        let hold = Hold {
            reason: "audit".to_owned(),
            owner: "ana".to_owned(),
            since: scene.clock.now(),
            expires: None,
            digest: None::<Digest>,
        };
        holds::hold(west, "t1", &hold).await.unwrap();
        let next = scene.release("bbbb", "2");
        assert_eq!(
            left_out(&scene.roll_out(&next).await),
            ["t1: held: audit (ana)"]
        );
        holds::release(west, "t1", ("ana", "over"), scene.clock.now())
            .await
            .unwrap();
        scene.roll_out(&next).await;
        assert_eq!(scene.images()["t1"], "2");
    });
}

#[test]
fn a_word_pauses_a_rollout_within_seconds_and_another_lets_it_go_on() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let next = scene.release("bbbb", "2");
        let say = |verb: Verb, at: Timestamp, id: String| Word {
            verb,
            environment: "test".to_owned(),
            scope: Scope::Rollout(id),
            author: "ana".to_owned(),
            reason: "a look".to_owned(),
            at,
            expires: None,
        };
        let people = async {
            tokio::time::sleep(Duration::from_secs(12)).await;
            let hub = scene.clusters.hub().unwrap().writer();
            let id = engine::latest_rollout(&scene.clusters, "test")
                .await
                .unwrap()
                .unwrap()
                .id;
            store::say(&hub, &say(Verb::Pause, scene.clock.now(), id.clone()))
                .await
                .unwrap();
            scene.pass(10).await;
            let paused = scene.images();
            store::say(&hub, &say(Verb::Resume, scene.clock.now(), id))
                .await
                .unwrap();
            paused
        };
        let (carried, paused) = tokio::join!(scene.roll_out(&next), people);
        assert_eq!(
            paused.values().filter(|tag| *tag == "2").count(),
            1,
            "only the canary had started"
        );
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
    });
}
