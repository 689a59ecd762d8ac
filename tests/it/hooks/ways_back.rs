//! Hooks and ways back: none runs there, and one that cannot be undone bars the way.

use std::time::Duration;

use escale::engine::{Carried, Ending};
use escale::error::{Exit, exit_code};
use escale::rollout::{self, Phase};

use super::{Hook, MIGRATE, jobs_of, put, slow_for};
use crate::scene::{outcome, simulated};

const FOR_GOOD: Hook<'_> = Hook {
    more: ", escale.dev/irreversible: \"true\"",
    ..MIGRATE
};

#[test]
fn no_hook_runs_on_a_way_back() {
    simulated(|mut scene| async move {
        for (release, image) in [("aaaa", "migrate:1"), ("bbbb", "migrate:2")] {
            put(&mut scene, &Hook { image, ..MIGRATE });
            scene.roll_out(&scene.release(release, &release[..1])).await;
            scene.pass(5).await;
        }
        let before = scene.record("t3").await.hooks;
        scene.roll_back("t3").await.unwrap();
        assert_eq!(scene.images()["t3"], "a");
        assert_eq!(scene.record("t3").await.hooks, before);
    });
}

#[test]
fn t31_who_cannot_go_back_is_left_and_a_person_decides() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(&mut scene, &FOR_GOOD);
        let carried = scene.roll_out(&scene.release("bbbb", "2-crash")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Failed));
        let Carried::Ended(ended) = &carried else {
            panic!("it did nothing")
        };
        let Phase::Left { why } = &ended.progress.tenants["t0"].phase else {
            panic!("{:?}", ended.progress.tenants["t0"].phase)
        };
        assert!(
            why.starts_with("hook `migrate` succeeded and is irreversible"),
            "{why}"
        );
        assert_eq!(scene.images()["t0"], "2-crash");
        assert_eq!(scene.images()["t1"], "1");
    });
}

#[test]
fn a_release_that_is_left_bars_the_next_one_from_going_back_too() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(&mut scene, &FOR_GOOD);
        scene.roll_out(&scene.release("bbbb", "2-crash")).await;
        scene.pass(5).await;
        let carried = scene.roll_out(&scene.release("cccc", "3-crash")).await;
        assert_ne!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        assert_eq!(scene.images()["t0"], "3-crash");
        // What mends it gets through, and is what a later failure goes back to.
        scene.pass(5).await;
        let carried = scene.roll_out(&scene.release("dddd", "4")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        scene.pass(5).await;
        let carried = scene.roll_out(&scene.release("eeee", "5-crash")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        assert_eq!(scene.images()["t0"], "4");
    });
}

#[test]
fn a_typed_rollback_behind_a_hook_that_cannot_be_undone_is_refused() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(&mut scene, &FOR_GOOD);
        scene.roll_out(&scene.release("bbbb", "2")).await;
        scene.pass(5).await;
        scene.forget_requests();
        let error = scene.roll_back("t3").await.err().unwrap();
        assert!(
            error.to_string().contains("hook `migrate` succeeded since"),
            "{error}"
        );
        assert_eq!(exit_code(&error), Exit::PersonNeeded);
        assert_eq!(scene.writes(), Vec::<String>::new());

        let ended = scene.roll_back_all_the_same("t3").await.unwrap();
        assert!(matches!(
            ended.ending,
            Ending::Finished {
                outcome: rollout::Outcome::Succeeded,
                ..
            }
        ));
        assert_eq!(scene.images()["t3"], "1");
    });
}

#[test]
fn a_typed_rollback_takes_a_tenant_whose_hook_runs_and_the_hook_is_waited_for_later() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(&mut scene, &MIGRATE);
        slow_for(&scene, 100);
        let release = scene.release("bbbb", "2");
        let (carried, ended) = tokio::join!(scene.roll_out(&release), async {
            tokio::time::sleep(Duration::from_secs(40)).await;
            scene.roll_back("t0").await
        });
        ended.unwrap();
        let Carried::Ended(carried) = carried else {
            panic!("it did nothing")
        };
        let taken = &carried.progress.tenants["t0"].phase;
        assert!(matches!(taken, Phase::TakenOver { .. }), "{taken:?}");
        assert_eq!(scene.images()["t0"], "1");
        let jobs = jobs_of(&scene, "t0");
        assert_eq!(jobs.len(), 1);

        scene.pass(120).await;
        put(
            &mut scene,
            &Hook {
                image: "migrate:2",
                ..MIGRATE
            },
        );
        scene.roll_out(&scene.release("cccc", "3")).await;
        let record = scene.record("t0").await;
        assert_eq!(record.hooks["migrate"].count, 2);
        assert!(jobs_of(&scene, "t0").is_superset(&jobs));
    });
}
