//! Killed in the middle of a hook, and Jobs that go away: nothing runs twice at once, nothing is believed unseen.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::Duration;

use escale::engine::{self, Carried, Ending, Stop, World};
use escale::rollout;
use escale::sim::{Fault, RequestFaults, SimCluster};

use super::{Hook, MIGRATE, jobs_of, put, slow_for, why};
use crate::scene::{Scene, outcome, simulated};

#[test]
fn whoever_is_killed_at_any_time_leaves_a_hook_that_is_gone_on_with_and_never_run_twice() {
    let mut left = BTreeSet::new();
    for tenths in (10..90).step_by(3).chain([150, 250, 400]) {
        simulated(|mut scene| {
            let left = &mut left;
            async move {
                only_the_canary(&mut scene).await;
                let next = scene.release("bbbb", "2");
                let limit = Duration::from_millis(tenths * 100);
                let killed = tokio::time::timeout(limit, scene.try_roll_out(&next, "job 1")).await;
                assert!(killed.is_err(), "it was killed in time");
                left.insert(state(&scene).await);
                let carried = scene.try_roll_out(&next, "job 2").await.unwrap();
                assert_eq!(
                    outcome(&carried),
                    Some(rollout::Outcome::Succeeded),
                    "killed after {limit:?}"
                );
                let jobs = jobs_of(&scene, "t0");
                assert_eq!(jobs.len(), 1, "killed after {limit:?}: {jobs:?}");
                assert_eq!(scene.record("t0").await.hooks["migrate"].count, 1);
            }
        });
    }
    // Every moment that there is was hit.
    let all = [
        "its end known",
        "its uid known",
        "noted, its Job there",
        "noted, no Job",
        "nothing yet",
    ];
    assert_eq!(left, BTreeSet::from(all));
}

/// One tenant that runs something, and whose next release has a hook that takes a while; each request takes a while, too.
async fn only_the_canary(scene: &mut Scene) {
    scene
        .files
        .retain(|path, _| !path.contains("/tenants/") || path.contains("t0"));
    scene.roll_out(&scene.release("aaaa", "1")).await;
    scene.pass(5).await;
    put(scene, &MIGRATE);
    slow_for(scene, 12);
    let each = Duration::from_millis(400);
    scene.sims["east"].tell(Fault::Requests(RequestFaults {
        latency: each..each,
        ..RequestFaults::default()
    }));
}

/// How far the hook came, as the cluster shows it.
async fn state(scene: &Scene) -> &'static str {
    let record = scene.record("t0").await;
    let run = record.hooks.get("migrate").and_then(|hook| hook.newest());
    match run {
        None => "nothing yet",
        Some(run) if run.end.is_some() => "its end known",
        Some(run) if run.uid.is_some() => "its uid known",
        Some(_) if jobs_of(scene, "t0").is_empty() => "noted, no Job",
        Some(_) => "noted, its Job there",
    }
}

#[test]
fn who_is_told_to_stop_leaves_at_once_and_the_next_run_goes_on_with_the_same_job() {
    simulated(|mut scene| async move {
        put(&mut scene, &MIGRATE);
        slow_for(&scene, 90);
        let release = scene.release("aaaa", "1");
        let (sender, stop) = tokio::sync::watch::channel(Stop::GoOn);
        let mut deaf = |_: engine::Heard<'_>| {};
        let world = World {
            stop,
            ..scene.world(&mut deaf)
        };
        let order = release.order("job 1");
        let began = tokio::time::Instant::now();
        let (carried, ()) = tokio::join!(engine::roll_out(&order, world), async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            sender.send_replace(Stop::Gently);
        });
        let Carried::Ended(ended) = carried.unwrap() else {
            panic!("it did nothing")
        };
        assert!(
            matches!(ended.ending, Ending::LeftOff { .. }),
            "{:?}",
            ended.ending
        );
        assert!(
            began.elapsed() < Duration::from_secs(25),
            "{:?}",
            began.elapsed()
        );
        let jobs = jobs_of(&scene, "t0");
        assert_eq!(jobs.len(), 1);

        let carried = scene.try_roll_out(&release, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(jobs_of(&scene, "t0"), jobs);
    });
}

#[test]
fn a_job_that_succeeded_and_whose_time_to_live_is_over_has_succeeded() {
    simulated(|mut scene| async move {
        put(
            &mut scene,
            &Hook {
                spec: ", ttlSecondsAfterFinished: 5",
                ..MIGRATE
            },
        );
        let carried = scene.roll_out(&scene.release("aaaa", "1")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        scene.pass(5).await;
        assert!(jobs_of(&scene, "t0").is_empty());
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(scene.record("t0").await.hooks["migrate"].count, 1);
        assert!(jobs_of(&scene, "t0").is_empty(), "it does not run again");
    });
}

#[test]
fn a_job_that_somebody_deletes_while_it_runs_has_failed_and_only_a_newer_rollout_tries_again() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        put(&mut scene, &MIGRATE);
        slow_for(&scene, 60);
        let release = scene.release("bbbb", "2");
        let (carried, ()) = tokio::join!(scene.roll_out(&release), async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            delete_jobs(&scene, "east").await;
        });
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        let why = why(&carried, "t0");
        assert!(why.contains("was deleted before it ended"), "{why}");
        assert_eq!(scene.images()["t0"], "1");

        slow_for(&scene, 2);
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(scene.record("t0").await.hooks["migrate"].count, 2);
    });
}

#[test]
fn an_object_of_the_name_that_the_job_should_have_is_not_taken_for_it() {
    simulated(|mut scene| async move {
        put(&mut scene, &MIGRATE);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        // Somebody deletes the Job of t0, and makes one of the same name that says it is done.
        let name = jobs_of(&scene, "t0").pop_first().unwrap();
        delete_jobs(&scene, "east").await;
        put(
            &mut scene,
            &Hook {
                image: "migrate:2",
                ..MIGRATE
            },
        );
        scene.roll_out(&scene.release("bbbb", "1")).await;
        let jobs = jobs_of(&scene, "t0");
        assert!(!jobs.contains(&name), "{jobs:?} has {name}");
        assert_eq!(jobs.len(), 1);
    });
}

/// Somebody deletes all Jobs of a cluster by hand.
async fn delete_jobs(scene: &Scene, cluster: &str) {
    let sim: &SimCluster = &scene.sims[cluster];
    let writer = scene.clusters.get(cluster).unwrap().writer();
    for job in sim.objects("jobs.batch") {
        let object = escale::manifest::Manifest::from_value(job.clone()).unwrap();
        let meant = escale::cluster::Preconditions {
            uid: job["metadata"]["uid"].as_str().unwrap().to_owned(),
            resource_version: None,
        };
        writer.delete(object.object(), &meant, None).await.unwrap();
    }
}

#[test]
fn a_job_whose_making_was_never_answered_is_found_and_tidied_up_like_any_other() {
    simulated(|mut scene| async move {
        only_the_canary(&mut scene).await;
        scene.sims["east"].tell(Fault::Requests(RequestFaults {
            lost: 0.5,
            ..RequestFaults::default()
        }));
        for (release, image) in [
            ("bbbb", "migrate:1"),
            ("cccc", "migrate:2"),
            ("dddd", "migrate:3"),
        ] {
            put(&mut scene, &Hook { image, ..MIGRATE });
            scene.roll_out(&scene.release(release, "1")).await;
            scene.pass(5).await;
        }
        scene.sims["east"].tell(Fault::Nothing);
        put(
            &mut scene,
            &Hook {
                image: "migrate:4",
                ..MIGRATE
            },
        );
        let carried = scene.roll_out(&scene.release("eeee", "1")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        let record = scene.record("t0").await;
        let runs = record.hooks["migrate"].runs.iter();
        let known: BTreeSet<String> = runs.map(|run| run.job.name.clone()).collect();
        assert_eq!(jobs_of(&scene, "t0"), known);
        assert!(known.len() <= 2, "{known:?}");
    });
}
