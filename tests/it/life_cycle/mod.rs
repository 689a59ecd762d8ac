//! Tenants come, move and leave; clusters and hubs are lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod coming;
mod leaving;
mod rebuild;
mod removal;

use std::sync::Arc;

use escale::cluster::{Apply, Cluster, Limits};
use escale::engine::{self, Carried, Clusters, Heard, Order, Records};
use escale::record::{Scope, TenantRecord, Verb, Word};
use escale::rollout::{Excluded, Plan};
use escale::sim::{Options, SimCluster};
use serde_json::Value;

use crate::scene::{Release, Scene};

/// A tenant's file with more fields of its spec.
pub(super) fn edit(scene: &mut Scene, tenant: &str, from: &str, to: &str) {
    let path = format!("environments/test/tenants/{tenant}.yaml");
    let text = scene.files.get_mut(&path).unwrap();
    assert!(text.contains(from), "{text}");
    *text = text.replace(from, to);
}

pub(super) fn leaves(scene: &mut Scene, tenant: &str, fields: &str) {
    let leaving = format!("spec: {{lifecycle: leaving, {fields}");
    edit(scene, tenant, "spec: {", &leaving);
}

pub(super) async fn carry_out(scene: &Scene, release: &Release, allowed: Option<&str>) -> Carried {
    try_to(scene, release, allowed, "job 1").await.unwrap()
}

pub(super) async fn try_to(
    scene: &Scene,
    release: &Release,
    allowed: Option<&str>,
    holder: &str,
) -> anyhow::Result<Carried> {
    let mut deaf = |_: Heard<'_>| {};
    let order = Order {
        allowed_deletes: allowed.map(str::to_owned),
        ..release.order(holder)
    };
    engine::roll_out(&order, scene.world(&mut deaf)).await
}

pub(super) fn plan_of(carried: &Carried) -> &Plan {
    match carried {
        Carried::NothingToDo { plan } => plan,
        Carried::Ended(ended) => &ended.frozen.plan,
        _ => panic!("it did not plan"),
    }
}

/// Why a tenant is in no wave.
pub(super) fn reason(carried: &Carried, tenant: &str) -> String {
    let all: Vec<&Excluded> = plan_of(carried)
        .excluded
        .iter()
        .filter(|excluded| excluded.tenant == tenant)
        .collect();
    match all.as_slice() {
        [only] => only.reason.words(),
        other => panic!("{other:?}"),
    }
}

/// The token that a refusal names.
pub(super) fn token(words: &str) -> String {
    let (_, rest) = words.split_once("--allow-deletes ").expect(words);
    rest.trim_end_matches('`').to_owned()
}

pub(super) async fn record(scene: &Scene, tenant: &str) -> Option<TenantRecord> {
    let records = Records::read(&scene.clusters, "test").await;
    let found = records.iter().find(|stored| stored.value.tenant == tenant);
    found.map(|stored| stored.value.clone())
}

/// What a tenant has: kinds and names, without what the cluster itself puts there.
pub(super) fn objects(scene: &Scene, cluster: &str, namespace: &str) -> Vec<String> {
    let sim = &scene.sims[cluster];
    let kinds = ["configmaps", "deployments.apps", "persistentvolumeclaims"];
    let mut found = Vec::new();
    for kind in kinds {
        for object in sim.objects(kind) {
            let name = object["metadata"]["name"].as_str().unwrap();
            if object["metadata"]["namespace"] == namespace && name != "kube-root-ca.crt" {
                found.push(format!("{kind}/{name}"));
            }
        }
    }
    let spaces = sim.objects("namespaces");
    if spaces
        .iter()
        .any(|one| one["metadata"]["name"] == namespace)
    {
        found.push("namespace".to_owned());
    }
    found
}

/// Somebody makes an object with kubectl.
pub(super) async fn by_hand(scene: &Scene, cluster: &str, object: Value) {
    let writer = scene.clusters.get(cluster).unwrap().writer();
    let apply = Apply {
        manager: "kubectl",
        ..Apply::default()
    };
    writer.apply(&object, &apply).await.unwrap();
}

/// Everybody has one more object of these.
pub(super) fn with_template(scene: &mut Scene, text: &str) {
    let template = scene.files.get_mut("templates/site/all.yaml.j2").unwrap();
    template.push_str(text);
}

/// Rolls out without the token and then with it; what came of `t5`.
pub(super) async fn departed(scene: &Scene, release: &Release) -> String {
    let refused = carry_out(scene, release, None).await;
    let token = token(&reason(&refused, "t5"));
    reason(&carry_out(scene, release, Some(&token)).await, "t5")
}

/// The scene after its first release.
pub(super) async fn grown(scene: &mut Scene) {
    let first = scene.release("aaaa", "1");
    scene.roll_out(&first).await;
    scene.pass(5).await;
}

pub(super) const LEFT: &str = "deleteAfter: \"2026-11-22\", ";

/// An empty cluster in place of one.
pub(super) fn lose(scene: &mut Scene, name: &str) {
    lose_with(scene, name, 99);
}

/// Each seed is another cluster.
pub(super) fn lose_with(scene: &mut Scene, name: &str, seed: u64) {
    let sim = SimCluster::new(options(scene, name, seed));
    scene.sims.insert(name.to_owned(), sim);
    connect(scene);
}

pub(super) fn options(scene: &Scene, name: &str, seed: u64) -> Options {
    let clock = scene.clock;
    Options {
        name: name.to_owned(),
        seed,
        clock: Arc::new(move || clock.now()),
        nodes: 2,
    }
}

/// To the clusters as they are now.
pub(super) fn connect(scene: &mut Scene) {
    let limits = Limits::default();
    let connected = scene.sims.iter().map(|(name, sim)| {
        let cluster = Cluster::from_client(name, sim.client(), limits);
        (name.clone(), cluster)
    });
    scene.clusters = Clusters::new(Some("hub".to_owned()), connected.collect());
}

/// Somebody gives up the rollout that is open.
pub(super) async fn abort(scene: &Scene) {
    let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
    let open = rollouts.iter().find(|one| one.state.is_open()).unwrap();
    let word = Word {
        verb: Verb::Abort,
        environment: "test".to_owned(),
        scope: Scope::Rollout(open.id.clone()),
        author: "ana".to_owned(),
        reason: "a test".to_owned(),
        at: scene.clock.now(),
        expires: None,
    };
    let hub = scene.clusters.hub().unwrap().writer();
    engine::store::say(&hub, &word).await.unwrap();
}
