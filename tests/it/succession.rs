//! One release after another: the newest goes next, an older one never goes over a newer one by accident.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use escale::engine::{self, AheadAt, Carried, Ending, Heard, Order, Stop, World, store};
use escale::record::{self, RolloutState, Scope, Verb};
use escale::rollout::{Outcome, What};
use escale::sim::Fault;
use jiff::SignedDuration;

use crate::gates::say;
use crate::scene::{Release, Scene, outcome, simulated};

/// As in git, on the hub and in words: release, state, and for which release it was left.
pub async fn history(scene: &Scene) -> Vec<String> {
    let hub = scene.clusters.hub().unwrap().reader();
    let found = store::rollouts(&hub, "test").await.unwrap();
    let each = found.into_iter().map(|found| {
        let rollout = found.record.unwrap().value;
        let by = rollout.superseded_by.map(|by| format!(" by {by}"));
        let release = rollout.release.unwrap_or_default();
        format!(
            "{release} {}{}",
            rollout.state.as_str(),
            by.unwrap_or_default()
        )
    });
    each.collect()
}

async fn after(seconds: u64, scene: &Scene, release: &Release, holder: &str) -> Carried {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    scene.try_roll_out(release, holder).await.unwrap()
}

/// Rolls out, and is killed at the first event of that kind, once its writes are under way.
pub async fn killed_at(
    scene: &Scene,
    release: &Release,
    is_it: impl Fn(&What) -> bool + Send + Sync,
) {
    let (sender, mut happened) = tokio::sync::watch::channel(false);
    let mut hear = |heard: Heard<'_>| {
        if let Heard::Event { event, .. } = heard {
            sender.send_if_modified(|seen| {
                !*seen && {
                    *seen = is_it(&event.what);
                    *seen
                }
            });
        }
    };
    let order = release.order("job 1");
    tokio::select! {
        _ = engine::roll_out(&order, scene.world(&mut hear)) => panic!("it was over before it was killed"),
        _ = happened.wait_for(|seen| *seen) => {}
    }
}

fn ahead(carried: &Carried) -> Option<(&str, &AheadAt)> {
    match carried {
        Carried::Ahead(ahead) => Some((&ahead.release, &ahead.at)),
        _ => None,
    }
}

#[test]
fn a_pipeline_of_an_older_commit_that_is_run_again_changes_nothing() {
    simulated(|scene| async move {
        let (old, new) = (scene.release("aaaa", "1"), scene.release("bbbb", "2"));
        scene.roll_out(&old).await;
        scene.pass(5).await;
        scene.roll_out(&new).await;
        scene.forget_requests();
        let again = scene.roll_out(&old).await;
        assert_eq!(ahead(&again), Some(("bbbb", &AheadAt::Tenants(6))));
        assert_eq!(scene.writes(), Vec::<String>::new());

        let mut deaf = |_: Heard<'_>| {};
        let on_purpose = Order {
            may_be_older: true,
            ..old.order("job 1")
        };
        let carried = engine::roll_out(&on_purpose, scene.world(&mut deaf)).await;
        assert_eq!(outcome(&carried.unwrap()), Some(Outcome::Succeeded));
        assert_eq!(scene.images()["t3"], "1");
    });
}

#[test]
fn an_older_commit_does_not_go_over_a_newer_one_that_was_left_in_the_middle() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let (old, new) = (scene.release("bbbb", "2"), scene.release("cccc", "3"));
        let is_written = |what: &What| matches!(what, What::TenantWritten { .. });
        killed_at(&scene, &new, is_written).await;
        let from = scene.clock.now();
        scene.sims["east"].tell(Fault::Unreachable {
            from,
            until: Some(from + SignedDuration::from_mins(30)),
        });
        say(&scene, Verb::Abort, Scope::Environment, None).await;
        assert_eq!(outcome(&scene.roll_out(&new).await), Some(Outcome::Aborted));
        scene.pass(30).await;
        let refused = scene.roll_out(&old).await;
        assert_eq!(ahead(&refused), Some(("cccc", &AheadAt::Tenants(1))));
        assert_eq!(
            outcome(&scene.roll_out(&new).await),
            Some(Outcome::Succeeded)
        );
    });
}

#[test]
fn two_jobs_of_one_release_come_to_wait_in_the_same_second() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let (second, third) = (scene.release("bbbb", "2"), scene.release("cccc", "3"));
        let (first, one, other) = tokio::join!(
            scene.roll_out(&second),
            after(10, &scene, &third, "job 2"),
            after(10, &scene, &third, "job 3"),
        );
        assert_eq!(outcome(&first), Some(Outcome::Succeeded));
        let ended = [&one, &other].map(outcome);
        assert!(ended.contains(&Some(Outcome::Succeeded)), "{ended:?}");
        assert!(scene.images().values().all(|image| image == "3"));
    });
}

#[test]
fn an_older_commit_does_not_wait_behind_a_newer_one_that_is_being_rolled_out() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let (old, new) = (scene.release("bbbb", "2"), scene.release("cccc", "3"));
        let (rolled_out, refused) =
            tokio::join!(scene.roll_out(&new), after(20, &scene, &old, "job 2"));
        assert_eq!(outcome(&rolled_out), Some(Outcome::Succeeded));
        assert_eq!(ahead(&refused), Some(("cccc", &AheadAt::Rollout)));
    });
}

#[test]
fn of_those_that_came_meanwhile_the_newest_goes_next_and_the_others_are_recorded() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let second = scene.release("bbbb", "2");
        let (third, fourth) = (scene.release("cccc", "3"), scene.release("dddd", "4"));
        let (first_done, skipped, last) = tokio::join!(
            scene.roll_out(&second),
            after(10, &scene, &third, "job 2"),
            after(30, &scene, &fourth, "job 3"),
        );
        assert_eq!(outcome(&first_done), Some(Outcome::Succeeded));
        assert_eq!(ahead(&skipped), Some(("dddd", &AheadAt::Queue)));
        assert_eq!(outcome(&last), Some(Outcome::Succeeded));
        assert!(scene.images().values().all(|image| image == "4"));
        assert_eq!(
            history(&scene).await,
            [
                "aaaa succeeded",
                "bbbb succeeded",
                "cccc superseded by dddd",
                "dddd succeeded"
            ]
        );
    });
}

#[test]
fn whoever_waits_for_its_turn_leaves_after_its_limit_and_goes_on_where_it_stood() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let (second, third) = (scene.release("bbbb", "2"), scene.release("cccc", "3"));
        let (_, queued) = tokio::join!(scene.roll_out(&second), async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let mut deaf = |_: Heard<'_>| {};
            let world = World {
                wait_limit: Some(Duration::from_secs(20)),
                ..scene.world(&mut deaf)
            };
            engine::roll_out(&third.order("job 2"), world)
                .await
                .unwrap()
        });
        assert!(matches!(queued, Carried::Queued { .. }));
        let latest = engine::latest(&scene.clusters, "test").await.unwrap();
        assert_eq!(latest.queued[0].release.as_deref(), Some("cccc"));
        assert_eq!(
            outcome(&scene.roll_out(&third).await),
            Some(Outcome::Succeeded)
        );
        let latest = engine::latest(&scene.clusters, "test").await.unwrap();
        assert!(latest.queued.is_empty());
    });
}

#[test]
fn a_job_that_is_cancelled_while_it_waits_gives_its_place_away() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let (second, third) = (scene.release("bbbb", "2"), scene.release("cccc", "3"));
        let (sender, stop) = tokio::sync::watch::channel(Stop::GoOn);
        let (_, cancelled, ()) = tokio::join!(
            scene.roll_out(&second),
            async {
                let mut deaf = |_: Heard<'_>| {};
                let world = World {
                    stop,
                    ..scene.world(&mut deaf)
                };
                tokio::time::sleep(Duration::from_secs(10)).await;
                engine::roll_out(&third.order("job 2"), world).await
            },
            async {
                tokio::time::sleep(Duration::from_secs(40)).await;
                sender.send_replace(Stop::Gently);
            }
        );
        assert!(cancelled.is_err());
        assert_eq!(history(&scene).await.last().unwrap(), "cccc aborted");
    });
}

#[test]
fn a_rollout_that_waits_for_a_person_makes_way_for_a_newer_release() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let (second, third) = (scene.release("bbbb", "2"), scene.release("cccc", "3"));
        let (paused, newer, ()) = tokio::join!(
            scene.roll_out(&second),
            after(60, &scene, &third, "job 2"),
            async {
                tokio::time::sleep(Duration::from_secs(12)).await;
                say(&scene, Verb::Pause, Scope::Environment, None).await;
            }
        );
        assert_eq!(outcome(&paused), Some(Outcome::Superseded));
        assert_eq!(outcome(&newer), Some(Outcome::Succeeded));
    });
}

#[test]
fn a_rollout_that_takes_back_what_it_broke_does_so_to_the_end_before_a_newer_one_starts() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let bad = scene.release("bbbb", "2-crash");
        let goes_back = |what: &What| matches!(what, What::TenantGoesBack { .. });
        killed_at(&scene, &bad, goes_back).await;
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(
            history(&scene).await,
            ["aaaa succeeded", "bbbb rolledBack", "cccc succeeded"]
        );
        let rollouts = engine::latest(&scene.clusters, "test").await.unwrap();
        assert_eq!(rollouts.rollout.unwrap().state, RolloutState::Succeeded);
        let record = scene.record("t0").await;
        assert_eq!(record.release.as_deref(), Some("cccc"));
        let Carried::Ended(ended) = carried else {
            panic!("it did nothing")
        };
        assert!(matches!(ended.ending, Ending::Finished { .. }));
    });
}

#[test]
fn whoever_aborts_closes_what_a_job_that_died_had_claimed() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let second = scene.release("bbbb", "2");
        let written = |what: &What| matches!(what, What::TenantWritten { .. });
        killed_at(&scene, &second, written).await;
        assert!(scene.record("t0").await.claim.is_some());
        say(&scene, Verb::Abort, Scope::Environment, None).await;
        let carried = scene.roll_out(&second).await;
        assert_eq!(outcome(&carried), Some(Outcome::Aborted));
        let record = scene.record("t0").await;
        assert_eq!(
            (record.claim, record.state),
            (None, record::Outcome::Failed)
        );
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
    });
}
