//! Who goes back, and what keeps nobody from it.

use escale::cluster::{Deletion, Preconditions};
use escale::engine::{self, Heard};
use escale::manifest::ObjectRef;
use escale::rollout::{Outcome, What};

use super::{behave, count, dies_after, running, scene_with, settled};
use crate::gates::told;
use crate::scene::{Scene, in_virtual_time, outcome, simulated};
use crate::succession::{history, killed_at};

/// Takes away the bundle that a tenant of the west would go back to.
async fn lose_last_good(scene: &Scene, tenant: &str) {
    let record = scene.record(tenant).await;
    let digest = record.digest.expect("it runs something").to_string();
    let is_part = |name: &str| name.starts_with(&digest.replace(':', "-"));
    let stored = scene.sims["west"].objects("configmaps");
    let mut metadata = stored.iter().map(|one| &one["metadata"]);
    let part = metadata.find(|one| one["name"].as_str().is_some_and(is_part));
    let text = |field: &str| {
        part.and_then(|part| part[field].as_str())
            .map(str::to_owned)
    };
    let object = ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: text("namespace"),
        name: text("name").expect("its bundle is stored"),
    };
    let meant = Preconditions {
        uid: text("uid").expect("it has one"),
        resource_version: None,
    };
    let west = scene.clusters.get("west").expect("it is connected");
    let gone = west.writer().delete(&object, &meant, None).await;
    assert_eq!(gone.ok(), Some(Deletion::Gone));
}

/// One way back that fails cancels all others.
#[test]
fn t27_a_way_back_that_fails_keeps_nobody_else_from_theirs() {
    in_virtual_time(async {
        let limits =
            "limits: {maxConcurrency: {all: 6}, maxUnavailable: {all: 6}, maxFailures: {all: 0}}";
        let scene = scene_with([
            (
                "limits: {maxConcurrency: {all: 2}, maxFailures: {all: 0}}",
                limits,
            ),
            ("select: {ring: canary}, ", ""),
        ]);
        settled(&scene).await;
        lose_last_good(&scene, "t1").await;
        let (carried, diary) = told(&scene, &scene.release("bbbb", "2-crash"), "job 1").await;
        assert_eq!(
            outcome(&carried),
            Some(Outcome::Failed),
            "a person is needed"
        );
        let is_back = |what: &What| matches!(what, What::TenantRolledBack { .. });
        assert_eq!(count(&diary, is_back), 5, "{:?}", diary.events);
        assert_eq!(running(&scene, "2-crash"), ["t1"]);
    });
}

/// Going back reaches those that have arrived, and forgets those that are in the middle of a step.
#[test]
fn t28_whoever_is_in_the_middle_goes_back_too() {
    in_virtual_time(async {
        let limits =
            "limits: {maxConcurrency: {all: 4}, maxUnavailable: {all: 6}, maxFailures: {all: 0}}";
        let scene = scene_with([
            (
                "limits: {maxConcurrency: {all: 2}, maxFailures: {all: 0}}",
                limits,
            ),
            ("onBreach: pause", "onBreach: rollback"),
        ]);
        settled(&scene).await;
        behave(&scene.sims["west"], "t1", "web:2", dies_after(0));
        let bad = scene.release("bbbb", "2");
        // The process vanishes with four in flight, of which one is about to fail.
        let is_written =
            |what: &What| matches!(what, What::TenantWritten { tenant, .. } if tenant == "t4");
        killed_at(&scene, &bad, is_written).await;
        assert_eq!(running(&scene, "2"), ["t0", "t1", "t2", "t3", "t4"]);
        let (carried, diary) = told(&scene, &bad, "job 2").await;
        assert_eq!(
            outcome(&carried),
            Some(Outcome::RolledBack),
            "{:?}",
            diary.events
        );
        // The canary's wave has passed: `rollback.scope` is the wave.
        assert_eq!(running(&scene, "2"), ["t0"]);
        for tenant in ["t1", "t2", "t3", "t4", "t5"] {
            assert_eq!(scene.record(tenant).await.claim, None, "{tenant}");
        }
    });
}

/// A rollout that is superseded in the middle leaves both stuck.
#[test]
fn t29_what_a_dead_job_had_in_flight_settles_before_a_newer_release_starts_anybody() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let is_written =
            |what: &What| matches!(what, What::TenantWritten { tenant, .. } if tenant == "t2");
        killed_at(&scene, &scene.release("bbbb", "2"), is_written).await;
        let newer = scene.release("cccc", "3");
        let mut heard = Vec::new();
        let mut hear = |heard_now: Heard<'_>| {
            if let Heard::Event { event, .. } = heard_now {
                heard.push(event.what.clone());
            }
        };
        let carried = engine::roll_out(&newer.order("job 2"), scene.world(&mut hear)).await;
        assert_eq!(
            outcome(&carried.expect("the clusters are well")),
            Some(Outcome::Succeeded)
        );
        let end = heard.iter().position(|what| {
            matches!(
                what,
                What::Finished {
                    outcome: Outcome::Superseded,
                    ..
                }
            )
        });
        let first = &heard[..end.expect("the older rollout comes to its end")];
        let started: Vec<&What> = first
            .iter()
            .filter(|what| matches!(what, What::TenantStarted { .. }))
            .collect();
        assert_eq!(
            started.len(),
            2,
            "only what was in flight is gone on with: {started:?}"
        );
        assert_eq!(
            history(&scene).await,
            [
                "aaaa succeeded",
                "bbbb superseded by cccc",
                "cccc succeeded"
            ]
        );
    });
}
