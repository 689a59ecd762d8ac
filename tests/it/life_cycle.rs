//! Tenants come, move and leave; clusters and hubs are lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use escale::cluster::{Apply, Cluster, Limits};
use escale::engine::{self, Carried, Clusters, Heard, Order, Records};
use escale::record::{Action, Scope, TenantRecord, Verb, Word};
use escale::rollout::{Excluded, Outcome, Plan, Role};
use escale::sim::{Fault, Options, RequestFaults, SimCluster};
use serde_json::{Value, json};

use crate::scene::{Release, Scene, left_out, outcome, simulated};

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
    if spaces
        .iter()
        .any(|one| one["metadata"]["name"] == namespace)
    {
        found.push("namespace".to_owned());
    }
    found
}

/// Somebody makes an object with kubectl.
async fn by_hand(scene: &Scene, cluster: &str, object: Value) {
    let writer = scene.clusters.get(cluster).unwrap().writer();
    let apply = Apply {
        manager: "kubectl",
        ..Apply::default()
    };
    writer.apply(&object, &apply).await.unwrap();
}

/// Everybody has one more object of these.
fn with_template(scene: &mut Scene, text: &str) {
    let template = scene.files.get_mut("templates/site/all.yaml.j2").unwrap();
    template.push_str(text);
}

/// Rolls out without the token and then with it; what came of `t5`.
async fn departed(scene: &Scene, release: &Release) -> String {
    let refused = carry_out(scene, release, None).await;
    let token = token(&reason(&refused, "t5"));
    reason(&carry_out(scene, release, Some(&token)).await, "t5")
}

/// The scene after its first release.
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
        scene.pass(60 * 24 * 40).await;
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
        assert_eq!(
            reason(&carried, "t5"),
            "left and removed: 3 objects deleted"
        );
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

const LEFT: &str = "deleteAfter: \"2026-11-22\", ";

#[test]
fn data_and_whatever_is_marked_to_be_kept_stay_and_so_does_the_namespace() {
    simulated(|mut scene| async move {
        with_template(
            &mut scene,
            "
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kept, annotations: {escale.dev/prune: disabled}}
",
        );
        grown(&mut scene).await;
        leaves(&mut scene, "t5", LEFT);
        assert_eq!(
            departed(&scene, &scene.release("bbbb", "2")).await,
            "left and removed: 2 objects deleted; kept: \
             PersistentVolumeClaim/data: its kind is deleted only on request, \
             ConfigMap/kept: its annotation `escale.dev/prune` keeps it, \
             Namespace/t5: ConfigMap/kept is still in it"
        );
        let left = [
            "configmaps/kept",
            "persistentvolumeclaims/data",
            "namespace",
        ];
        assert_eq!(objects(&scene, "west", "t5"), left);
        assert!(record(&scene, "t5").await.is_none());
    });
}

#[test]
fn a_namespace_that_somebody_else_made_stays() {
    simulated(|mut scene| async move {
        let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t5", "labels": {"team": "a"}}});
        by_hand(&scene, "west", space).await;
        grown(&mut scene).await;
        leaves(&mut scene, "t5", LEFT);
        assert_eq!(
            departed(&scene, &scene.release("bbbb", "2")).await,
            "left and removed: 2 objects deleted; kept: Namespace/t5: no record says that escale made it"
        );
        assert_eq!(objects(&scene, "west", "t5"), ["namespace"]);
    });
}

#[test]
fn a_namespace_in_which_somebody_else_put_something_stays() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-db-0", "namespace": "t5"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        });
        by_hand(&scene, "west", claim).await;
        leaves(&mut scene, "t5", LEFT);
        assert_eq!(
            departed(&scene, &scene.release("bbbb", "2")).await,
            "left and removed: 2 objects deleted; kept: Namespace/t5: PersistentVolumeClaim/data-db-0 is still in it"
        );
        let left = ["persistentvolumeclaims/data-db-0", "namespace"];
        assert_eq!(objects(&scene, "west", "t5"), left);
    });
}

#[test]
fn what_somebody_made_anew_or_marked_for_another_is_not_deleted() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let about = ("configmaps", (Some("t5"), "platforms"));
        scene.sims["west"]
            .edit(about.0, about.1, |object| {
                object["metadata"]["annotations"]["escale.dev/owner"] =
                    "test/t9//ConfigMap/t5/platforms".into();
            })
            .unwrap();
        leaves(&mut scene, "t5", LEFT);
        let words = departed(&scene, &scene.release("bbbb", "2")).await;
        assert_eq!(
            words,
            "left and removed: 1 object deleted; kept: ConfigMap/platforms: it carries no mark of this tenant, \
             Namespace/t5: ConfigMap/platforms is still in it"
        );
    });
}

#[test]
fn a_removal_that_was_killed_at_any_time_goes_on_without_the_token() {
    let begun = &Cell::new(0);
    for seconds in [5, 9, 13, 17, 21, 25] {
        simulated(|mut scene| async move {
            grown(&mut scene).await;
            leaves(&mut scene, "t5", LEFT);
            let next = scene.release("bbbb", "2");
            let token = token(&reason(&carry_out(&scene, &next, None).await, "t5"));
            let second = Duration::from_secs(1)..Duration::from_millis(1001);
            scene.sims["west"].tell(Fault::Requests(RequestFaults {
                latency: second,
                ..RequestFaults::default()
            }));
            let killed = tokio::time::timeout(
                Duration::from_secs(seconds),
                carry_out(&scene, &next, Some(&token)),
            );
            let was_killed = killed.await.is_err();
            let is_begun = record(&scene, "t5")
                .await
                .is_some_and(|record| record.claim.is_some());
            scene.sims["west"].tell(Fault::Nothing);
            let goes_on = try_to(&scene, &next, None, "job 2").await.unwrap();
            let words = reason(&goes_on, "t5");
            if is_begun {
                begun.set(begun.get() + 1);
                assert!(
                    words.starts_with("left and removed"),
                    "after {seconds} s: {words}"
                );
            }
            if is_begun || !was_killed {
                assert_eq!(
                    objects(&scene, "west", "t5"),
                    Vec::<String>::new(),
                    "after {seconds} s"
                );
                assert!(record(&scene, "t5").await.is_none());
            } else {
                // Killed before the claim, or after the record went.
                let is_there = record(&scene, "t5").await.is_some();
                assert_eq!(
                    objects(&scene, "west", "t5").len(),
                    if is_there { 3 } else { 0 }
                );
            }
        });
    }
    assert!(begun.get() > 2, "{begun:?}");
}

#[test]
fn what_was_begun_and_is_called_off_is_rolled_out_again() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        stuck(&scene, &["example.com/slow"]).await;
        leaves(&mut scene, "t5", LEFT);
        let next = scene.release("bbbb", "2");
        let words = departed(&scene, &next).await;
        assert_eq!(
            words,
            "leaving, not removed: ConfigMap/platforms not gone yet, finalizers are waited for"
        );
        let record = record(&scene, "t5").await.unwrap();
        assert_eq!(
            (record.history[0].action, record.is_being_removed()),
            (Action::Remove, true)
        );
        edit(
            &mut scene,
            "t5",
            "lifecycle: leaving, deleteAfter: \"2026-11-22\", ",
            "",
        );
        stuck(&scene, &[]).await;
        let carried = carry_out(&scene, &scene.release("cccc", "3"), None).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(scene.images()["t5"], "3");
        assert!(!scene.record("t5").await.is_being_removed());
    });
}

#[test]
fn what_waits_for_finalizers_stays_on_record_and_goes_with_a_later_rollout() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        stuck(&scene, &["example.com/slow"]).await;
        leaves(&mut scene, "t5", LEFT);
        let next = scene.release("bbbb", "2");
        assert!(
            departed(&scene, &next)
                .await
                .contains("finalizers are waited for")
        );
        stuck(&scene, &[]).await;
        let carried = carry_out(&scene, &next, None).await;
        assert_eq!(reason(&carried, "t5"), "left and removed: 1 object deleted");
        assert_eq!(objects(&scene, "west", "t5"), Vec::<String>::new());
    });
}

/// Somebody's controller has a say in when an object goes.
async fn stuck(scene: &Scene, finalizers: &[&str]) {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "platforms", "namespace": "t5", "finalizers": finalizers},
    });
    by_hand(scene, "west", object).await;
}

#[test]
fn who_is_held_or_frozen_or_unreachable_is_not_deleted() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        scene.roll_out(&scene.release("bbbb", "2")).await;
        scene.pass(5).await;
        leaves(&mut scene, "t5", LEFT);
        let next = scene.release("bbbb", "2");
        let token = token(&reason(&carry_out(&scene, &next, None).await, "t5"));

        say(&scene, Verb::Freeze, Scope::Tenant("t5".to_owned())).await;
        let frozen = reason(&carry_out(&scene, &next, Some(&token)).await, "t5");
        assert!(frozen.contains("waits for the freeze of"), "{frozen}");
        scene.pass(1).await;
        say(&scene, Verb::Thaw, Scope::Tenant("t5".to_owned())).await;

        scene.sims["west"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let away = reason(&carry_out(&scene, &next, Some(&token)).await, "t5");
        assert!(away.starts_with("cluster unreachable"), "{away}");
        scene.sims["west"].tell(Fault::Nothing);

        scene.roll_back("t5").await.unwrap();
        let held = reason(&carry_out(&scene, &next, Some(&token)).await, "t5");
        assert!(
            held.starts_with("leaving, not removed: held: a test"),
            "{held}"
        );
        assert_eq!(objects(&scene, "west", "t5").len(), 3);
    });
}

async fn say(scene: &Scene, verb: Verb, scope: Scope) {
    let word = Word {
        verb,
        environment: "test".to_owned(),
        scope,
        author: "ana".to_owned(),
        reason: "an audit".to_owned(),
        at: scene.clock.now(),
        expires: None,
    };
    engine::store::say(&scene.clusters.hub().unwrap().writer(), &word)
        .await
        .unwrap();
}

/// What a diff with the clusters shows of `t5`.
async fn shown(scene: &Scene, release: &Release) -> Vec<String> {
    let records = Records::read(&scene.clusters, "test").await;
    let t5 = release.fleet.tenant("t5").unwrap();
    let found = engine::live_changes(
        &scene.clusters,
        "test",
        &[t5],
        (&release.bundles, &records),
        scene.clock.now(),
    )
    .await;
    assert!(found.incomplete.is_empty());
    let changes = found.changes.iter();
    changes
        .map(|change| format!("{:?} {}", change.change, change.object))
        .collect()
}

#[test]
fn a_diff_shows_what_goes_and_only_after_the_last_day() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        leaves(&mut scene, "t5", "deleteAfter: \"2026-11-23\", ");
        let release = scene.release("bbbb", "2");
        assert_eq!(shown(&scene, &release).await, Vec::<String>::new());
        scene.pass(60 * 16).await;
        assert_eq!(
            shown(&scene, &release).await,
            [
                "Delete Deployment/web",
                "Delete ConfigMap/platforms",
                "Delete Namespace/t5"
            ]
        );
    });
}

#[test]
fn an_older_pipeline_with_a_token_deletes_nothing() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let active = scene.files.clone();
        leaves(&mut scene, "t5", LEFT);
        let older = scene.release("bbbb", "2");
        let token = token(&reason(&carry_out(&scene, &older, None).await, "t5"));
        scene.files = active;
        scene.pass(5).await;
        scene.roll_out(&scene.release("cccc", "3")).await;
        let carried = carry_out(&scene, &older, Some(&token)).await;
        assert!(matches!(carried, Carried::Ahead(_)));
        assert_eq!(scene.images()["t5"], "3");
    });
}

#[test]
fn a_tenant_that_leaves_before_it_came_is_never_made() {
    simulated(|mut scene| async move {
        leaves(&mut scene, "t5", LEFT);
        let carried = carry_out(&scene, &scene.release("aaaa", "1"), None).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(
            reason(&carried, "t5"),
            "leaving: nothing of it is on record"
        );
        assert!(!scene.images().contains_key("t5"));
    });
}

#[test]
fn a_tenant_that_runs_elsewhere_is_not_started_anew_where_its_file_says() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let files = scene.files.clone();
        edit(&mut scene, "t5", "cluster: west", "cluster: east");
        let release = scene.release("bbbb", "2");
        let place = "environments/test/tenants/t5.yaml:4:17";
        let carried = carry_out(&scene, &release, None).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(
            reason(&carried, "t5"),
            format!(
                "moved: {place}: `cluster` may not be edited: `t5` is on record in namespace `t5` of `west`; \
                 put it back, give the new one another name, and let this one leave"
            )
        );
        assert_eq!(objects(&scene, "east", "t5"), Vec::<String>::new());
        assert_eq!(scene.images()["t5"], "1");

        // Its old cluster is away: the hub remembers.
        scene.sims["west"].tell(Fault::Unreachable {
            from: scene.clock.now(),
            until: None,
        });
        let words = reason(&carry_out(&scene, &release, None).await, "t5");
        assert!(words.contains("that cluster does not answer"), "{words}");
        assert_eq!(objects(&scene, "east", "t5"), Vec::<String>::new());
        scene.sims["west"].tell(Fault::Nothing);

        scene.files = files;
        edit(&mut scene, "t5", "spec: {", "spec: {namespace: other, ");
        let carried = carry_out(&scene, &scene.release("cccc", "3"), None).await;
        let words = reason(&carried, "t5");
        assert!(
            words.contains("t5.yaml:4:19: `namespace` may not be edited"),
            "{words}"
        );
        assert_eq!(objects(&scene, "west", "other"), Vec::<String>::new());
    });
}

#[test]
fn a_record_of_another_environment_is_refused_and_left_as_it_is() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let about = (Some("escale-system"), "t5");
        scene.sims["west"]
            .edit("configmaps", about, |record| {
                record["metadata"]["labels"]["escale.dev/environment"] = "staging".into();
            })
            .unwrap();
        let before = scene.sims["west"].object("configmaps", about.0, about.1);
        let carried = carry_out(&scene, &scene.release("bbbb", "2"), None).await;
        assert_eq!(
            left_out(&carried),
            ["t5: not its own: the namespace belongs to tenant `t5` of environment `staging`"]
        );
        assert_eq!(scene.images()["t5"], "1");
        assert_eq!(scene.images()["t4"], "2");
        let after = scene.sims["west"].object("configmaps", about.0, about.1);
        assert_eq!(after, before);
    });
}

fn joins(scene: &mut Scene, tenant: &str, ring: &str) {
    let path = format!("environments/test/tenants/{tenant}.yaml");
    let text = scene.files["environments/test/tenants/t3.yaml"].clone();
    let text = text
        .replace("t3", tenant)
        .replace("p3", &format!("p{tenant}"));
    let text = text
        .replace("c3", &format!("c{tenant}"))
        .replace("rest", ring);
    scene.files.insert(path, text);
}

fn waves(carried: &Carried) -> Vec<(String, Vec<String>)> {
    let waves = plan_of(carried).waves.iter().map(|wave| {
        let tenants = wave.tenants.iter();
        let names = tenants.map(|planned| planned.place.tenant.clone());
        (wave.name.clone(), names.collect())
    });
    waves.collect()
}

const SIZED: &str = "
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
  waves:
    - {name: canary, role: canary, select: {ring: canary}, soak: 30s, onBreach: rollback}
    - {name: early, size: 4, soak: 30s, onBreach: rollback}
    - {name: rest, soak: 30s, onBreach: pause}
";

#[test]
fn a_new_tenant_joins_the_last_wave_unless_its_label_selects_it_for_another() {
    simulated(|_| async move {
        let mut scene = Scene::with(0, SIZED);
        grown(&mut scene).await;
        joins(&mut scene, "a-new", "rest");
        joins(&mut scene, "b-new", "canary");
        let carried = carry_out(&scene, &scene.release("bbbb", "2"), None).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            waves(&carried),
            [
                ("canary".to_owned(), names(&["b-new", "t0"])),
                ("early".to_owned(), names(&["t1", "t2", "t3", "t4"])),
                ("rest".to_owned(), names(&["a-new", "t5"])),
            ]
        );
    });
}

#[test]
fn a_lost_hub_is_rebuilt_by_the_next_rollout_and_every_way_back_is_still_there() {
    simulated(|mut scene| async move {
        for (id, version) in [("aaaa", "1"), ("bbbb", "2")] {
            scene.roll_out(&scene.release(id, version)).await;
            scene.pass(5).await;
        }
        lose(&mut scene, "hub");
        // Nobody knows any more whether the soak of `bbbb` passed, but by the time in the record.
        scene.roll_back("t5").await.unwrap();
        assert_eq!(scene.images()["t5"], "1");
        let carried = carry_out(&scene, &scene.release("cccc", "3"), None).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!((&*scene.images()["t4"], &*scene.images()["t5"]), ("3", "1"));
        let noted = scene.sims["hub"].objects("configmaps");
        let noted = noted
            .iter()
            .filter(|one| one["metadata"]["labels"]["escale.dev/record"] == "cluster");
        assert_eq!(noted.count(), 3);
        scene.pass(5).await;
        scene.roll_back("t4").await.unwrap();
        assert_eq!(scene.images()["t4"], "2");
    });
}

#[test]
fn a_hub_lost_in_the_middle_of_a_rollout_proves_nothing() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        let next = scene.release("bbbb", "2");
        // The canary is written and soaks.
        let killed = tokio::time::timeout(Duration::from_secs(20), carry_out(&scene, &next, None));
        assert!(killed.await.is_err());
        lose(&mut scene, "hub");
        let before = scene.record("t0").await;
        let carried = try_to(&scene, &next, None, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let goods: Vec<_> = before
            .goods
            .iter()
            .filter_map(|good| good.release.clone())
            .collect();
        assert_eq!(goods, ["aaaa"]);
        // What the old hub knew of the canary is no proof: the first of the others plays it.
        let first = &plan_of(&carried).waves[0];
        assert_eq!((first.role, first.tenants.len()), (Role::Canary, 5));
        assert!(scene.images().values().all(|tag| tag == "2"));
    });
}

/// An empty cluster in place of one.
fn lose(scene: &mut Scene, name: &str) {
    let clock = scene.clock;
    let sim = SimCluster::new(Options {
        name: name.to_owned(),
        seed: 99,
        clock: Arc::new(move || clock.now()),
        nodes: 2,
    });
    scene.sims.insert(name.to_owned(), sim);
    let limits = Limits::default();
    let connected = scene.sims.iter().map(|(name, sim)| {
        let cluster = Cluster::from_client(name, sim.client(), limits);
        (name.clone(), cluster)
    });
    scene.clusters = Clusters::new(Some("hub".to_owned()), connected.collect());
}

#[test]
fn a_tenant_cluster_built_anew_is_refused_until_the_hub_forgets_the_old_one() {
    simulated(|mut scene| async move {
        grown(&mut scene).await;
        lose(&mut scene, "west");
        let next = scene.release("bbbb", "2");
        let error = try_to(&scene, &next, None, "job 1")
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.starts_with("the context of cluster `west` answers as another cluster"),
            "{error}"
        );
        assert_eq!(objects(&scene, "west", "t5"), Vec::<String>::new());
        assert_eq!(scene.images()["t4"], "1");
    });
}
