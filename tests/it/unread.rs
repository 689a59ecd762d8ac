//! A process takes over while a cluster does not answer: what that cluster has on record counts once it does.

use escale::engine::{self, Carried, Heard};
use escale::rollout::{Outcome, What};
use escale::sim::Fault;
use jiff::SignedDuration;

use crate::scene::{Release, Scene, left_out, outcome, simulated};
use crate::silence::written;
use crate::succession::killed_at;

const MINUTE: i64 = 60;

/// The next process goes on with it; the cluster does not answer for so many seconds from now.
async fn go_on_without(
    scene: &Scene,
    release: &Release,
    (cluster, seconds): (&str, i64),
) -> (Carried, Vec<What>) {
    let from = scene.clock.now();
    scene.sims[cluster].tell(Fault::Unreachable {
        from,
        until: Some(from + SignedDuration::from_secs(seconds)),
    });
    let mut told = Vec::new();
    let mut hear = |heard: Heard<'_>| {
        if let Heard::Event { event, .. } = heard {
            told.push(event.what.clone());
        }
    };
    let order = release.order("job 2");
    let carried = engine::roll_out(&order, scene.world(&mut hear)).await;
    (carried.expect("the hub answers"), told)
}

async fn two_releases(scene: &Scene) -> Release {
    scene.roll_out(&scene.release("aaaa", "1")).await;
    scene.pass(5).await;
    scene.release("bbbb", "2")
}

#[test]
fn who_was_left_in_the_middle_and_who_had_not_begun_get_the_release_once_it_answers() {
    simulated(|scene| async move {
        let release = two_releases(&scene).await;
        killed_at(&scene, &release, written("t1")).await;
        let away = ("west", 2 * MINUTE);
        let (carried, told) = go_on_without(&scene, &release, away).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded), "{told:?}");
        assert_eq!(left_out(&carried), Vec::<String>::new());
        assert!(scene.images().values().all(|tag| tag == "2"));
        for tenant in ["t1", "t3", "t5"] {
            assert_eq!(scene.record(tenant).await.claim, None);
        }
    });
}

#[test]
fn who_went_back_before_is_not_put_back_again() {
    simulated(|scene| async move {
        let release = two_releases(&scene).await;
        scene.break_image("web:2", ("east", "t0"));
        let back = |what: &What| matches!(what, What::TenantRolledBack { .. });
        killed_at(&scene, &release, back).await;
        let before = scene.record("t0").await.epoch;
        let away = ("east", 2 * MINUTE);
        let (carried, told) = go_on_without(&scene, &release, away).await;
        assert_eq!(outcome(&carried), Some(Outcome::RolledBack), "{told:?}");
        let again = |what: &What| matches!(what, What::TenantGoesBack { .. });
        assert!(!told.iter().any(again), "{told:?}");
        assert_eq!(scene.record("t0").await.epoch, before);
    });
}

#[test]
fn whoever_stays_away_is_not_called_back() {
    simulated(|scene| async move {
        let release = two_releases(&scene).await;
        scene.break_image("web:2", ("east", "t0"));
        let goes = |what: &What| matches!(what, What::TenantGoesBack { .. });
        killed_at(&scene, &release, goes).await;
        let away = ("east", 60 * MINUTE);
        let (carried, told) = go_on_without(&scene, &release, away).await;
        assert_eq!(outcome(&carried), Some(Outcome::Failed), "{told:?}");
    });
}
