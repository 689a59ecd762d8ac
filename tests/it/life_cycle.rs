//! Tenants come, move and leave; clusters and hubs are lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use escale::engine::{self, Carried, Heard, Order, Records, store};
use escale::record::{Action, Hold, TenantRecord, hold};
use escale::rollout::{Excluded, Exclusion, Outcome, Plan};
use escale::sim::SimCluster;
use serde_json::{Value, json};

use crate::scene::{Release, Scene, left_out, outcome, simulated};

const T5: &str = "environments/test/tenants/t5.yaml";

/// A tenant's file with more fields of its spec.
fn edit(scene: &mut Scene, tenant: &str, from: &str, to: &str) {
    let path = format!("environments/test/tenants/{tenant}.yaml");
    let text = scene.files.get_mut(&path).unwrap();
    assert!(text.contains(from), "{text}");
    *text = text.replace(from, to);
}

fn leaves(scene: &mut Scene, tenant: &str, fields: &str) {
    let leaving = format!("spec: {{lifecycle: leaving, {fields}");
    edit(scene, tenant, "spec: {", &leaving);
}

async fn carry_out(scene: &Scene, release: &Release, allowed: Option<&str>) -> Carried {
    try_to(scene, release, allowed, "job 1").await.unwrap()
}

async fn try_to(
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

fn plan_of(carried: &Carried) -> &Plan {
    match carried {
        Carried::NothingToDo { plan } => plan,
        Carried::Ended(ended) => &ended.frozen.plan,
        _ => panic!("it did not plan"),
    }
}

/// Why a tenant is in no wave.
fn reason(carried: &Carried, tenant: &str) -> String {
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
fn token(words: &str) -> String {
    let (_, rest) = words.split_once("--allow-deletes ").expect(words);
    rest.trim_end_matches('`').to_owned()
}

async fn record(scene: &Scene, tenant: &str) -> Option<TenantRecord> {
    let records = Records::read(&scene.clusters, "test").await;
    let found = records.iter().find(|stored| stored.value.tenant == tenant);
    found.map(|stored| stored.value.clone())
}

/// What a tenant has: kinds and names, without what the cluster itself puts there.
fn objects(scene: &Scene, cluster: &str, namespace: &str) -> Vec<String> {
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
    if spaces.iter().any(|one| one["metadata"]["name"] == namespace) {
        found.push("namespace".to_owned());
    }
    found
}

/// The scene after its first release, with one tenant about to leave.
async fn grown(scene: &mut Scene) {
    let first = scene.release("aaaa", "1");
    scene.roll_out(&first).await;
    scene.pass(5).await;
}

#[test]
fn a_leaving_tenant_stays_as_it_is_until_its_last_day_is_over() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        leaves(&mut scene, "t5", "deleteAfter: \"2026-11-23\", ");
        let carried = carry_out(&scene, &scene.release("bbbb", "2"), None).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(left_out(&carried), Vec::<String>::new());
        assert_eq!(
            reason(&carried, "t5"),
            "leaving: it stays as it is until 2026-11-23, its last day"
        );
        assert_eq!(scene.images()["t5"], "1");
        assert_eq!(scene.images()["t4"], "2");
    });
}

#[test]
fn a_tenant_that_leaves_without_a_day_is_never_deleted() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        leaves(&mut scene, "t5", "");
        scene.pass(60 * 24 * 400).await;
        let carried = carry_out(&scene, &scene.release("bbbb", "2"), None).await;
        assert_eq!(
            reason(&carried, "t5"),
            "leaving: it stays as it is; no `deleteAfter` says until when"
        );
        assert_eq!(scene.images()["t5"], "1");
    });
}

#[test]
fn after_its_last_day_a_tenant_goes_with_the_token_and_not_without() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        leaves(&mut scene, "t5", "deleteAfter: \"2026-11-22\", ");
        let next = scene.release("bbbb", "2");
        let carried = carry_out(&scene, &next, None).await;
        // The release goes out all the same: a day that comes by itself must not stop a fix.
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        let words = reason(&carried, "t5");
        let token = token(&words);
        assert_eq!(
            words,
            format!(
                "leaving, not removed: its last day was 2026-11-22; 3 of its 3 objects go: \
                 `escale rollout --allow-deletes {token}`"
            )
        );
        let all = ["configmaps/platforms", "deployments.apps/web", "namespace"];
        assert_eq!(objects(&scene, "west", "t5"), all);
        assert_eq!(scene.images()["t5"], "1");

        let carried = carry_out(&scene, &next, Some("3-0000")).await;
        assert!(reason(&carried, "t5").contains("not removed"));
        assert_eq!(objects(&scene, "west", "t5"), all);

        scene.forget_requests();
        let carried = carry_out(&scene, &next, Some(&token)).await;
        assert!(matches!(carried, Carried::NothingToDo { .. }));
        assert_eq!(reason(&carried, "t5"), "left and removed: 3 objects deleted");
        assert_eq!(objects(&scene, "west", "t5"), Vec::<String>::new());
        assert!(record(&scene, "t5").await.is_none());
        // The claim comes before the first delete, the reverse order of applying, the record last.
        let deletes: Vec<String> = scene
            .writes()
            .into_iter()
            .filter(|write| !write.contains("lease") && !write.contains("rollout"))
            .collect();
        assert_eq!(
            deletes,
            [
                "Update configmaps Some(\"t5\")",
                "Delete deployments.apps Some(\"web\")",
                "Delete configmaps Some(\"platforms\")",
                "Delete namespaces Some(\"t5\")",
                "Delete configmaps Some(\"t5\")",
            ]
        );

        let carried = carry_out(&scene, &next, None).await;
        assert_eq!(
            reason(&carried, "t5"),
            "leaving: nothing of it is on record"
        );
        assert_eq!(left_out(&carried), Vec::<String>::new());
    });
}
