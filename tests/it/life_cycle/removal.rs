//! Removals that were interrupted, called off or must wait.

use std::cell::Cell;
use std::time::Duration;

use escale::engine::{self, Carried, Records};
use escale::record::{Action, Scope, Verb};
use escale::rollout::Outcome;
use escale::sim::{Fault, RequestFaults};
use serde_json::json;

use super::{
    LEFT, by_hand, carry_out, departed, edit, grown, leaves, objects, reason, record, token, try_to,
};
use crate::gates::say;
use crate::scene::{Release, Scene, outcome, simulated};

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

        say(&scene, Verb::Freeze, Scope::Tenant("t5".to_owned()), None).await;
        let frozen = reason(&carry_out(&scene, &next, Some(&token)).await, "t5");
        assert!(frozen.contains("waits for the freeze of"), "{frozen}");
        scene.pass(1).await;
        say(&scene, Verb::Thaw, Scope::Tenant("t5".to_owned()), None).await;

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
