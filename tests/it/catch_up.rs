//! `rollout --continue` when nothing is open: who was out of reach or held gets what the others run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::process::Output;

use escale::engine::{self, Behind, Carried, Order, holds};
use escale::record::Hold;
use escale::rollout::Outcome;
use escale::sim::Fault;
use jiff::SignedDuration;

use crate::rehearsals::{Repository, text_of};
use crate::scene::{Release, Scene, in_virtual_time, outcome, simulated};

fn names(tenants: &[&str]) -> BTreeSet<String> {
    tenants.iter().copied().map(str::to_owned).collect()
}

async fn behind(scene: &Scene) -> Behind {
    let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
    let now = scene.clock.now();
    let behind = engine::behind(&scene.clusters, "test", &rollouts, now).await;
    behind.unwrap().unwrap()
}

async fn catch_up(scene: &Scene, release: &Release) -> Carried {
    let order = Order {
        selected: Some(behind(scene).await.tenants),
        ..release.order("job 9")
    };
    let mut deaf = |_: engine::Heard<'_>| {};
    engine::roll_out(&order, scene.world(&mut deaf))
        .await
        .unwrap()
}

fn lose(scene: &Scene, cluster: &str, minutes: i64) {
    let from = scene.clock.now();
    let until = Some(from + SignedDuration::from_mins(minutes));
    scene.sims[cluster].tell(Fault::Unreachable { from, until });
}

#[test]
fn a_cluster_that_was_away_gets_what_the_others_run_by_itself() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        lose(&scene, "west", 60);
        let next = scene.release("bbbb", "2");
        let ended = outcome(&scene.roll_out(&next).await);
        assert_eq!(ended, Some(Outcome::SucceededWithExceptions));

        let still = behind(&scene).await;
        assert_eq!(still.away, names(&["t1", "t3", "t5"]));
        assert_eq!(still.tenants, names(&[]));

        scene.pass(60 * 60).await;
        let now = behind(&scene).await;
        assert_eq!((now.release.as_str(), now.away), ("bbbb", names(&[])));
        assert_eq!(now.tenants, names(&["t1", "t3", "t5"]));
        let carried = catch_up(&scene, &next).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert!(scene.images().values().all(|tag| tag == "2"));
        assert_eq!(behind(&scene).await.tenants, names(&[]));
    });
}

#[test]
fn whoever_failed_on_a_release_does_not_get_it_again_by_the_clock() {
    const ONE_MAY_FAIL: &str = "
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
  limits: {maxFailures: {all: 1, cluster: 100%}}
  waves:
    - {name: canary, role: canary, select: {ring: canary}}
    - {name: rest, soak: 30s, onBreach: pause}
";
    in_virtual_time(async {
        let scene = Scene::with(0, ONE_MAY_FAIL);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(60).await;
        scene.break_image("web:2", ("east", "t4"));
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        let ended = outcome(&carried);
        assert_eq!(ended, Some(Outcome::SucceededWithExceptions));
        assert_eq!(scene.images()["t4"], "1", "it went back alone");
        assert_eq!(behind(&scene).await.tenants, names(&[]));
    });
}

#[test]
fn a_release_that_failed_is_not_what_anybody_catches_up_with() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(60).await;
        lose(&scene, "west", 30);
        let ended = outcome(&scene.roll_out(&scene.release("bbbb", "2")).await);
        assert_eq!(ended, Some(Outcome::SucceededWithExceptions));
        let carried = scene.roll_out(&scene.release("cccc", "3-crash")).await;
        assert_eq!(outcome(&carried), Some(Outcome::RolledBack));
        scene.pass(30 * 60).await;
        let now = behind(&scene).await;
        assert_eq!(now.release, "bbbb");
        assert_eq!(now.tenants, names(&["t1", "t3", "t5"]));
    });
}

#[test]
fn a_hold_that_ran_out_ends_with_the_next_look() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let now = scene.clock.now();
        let hold = Hold {
            reason: "a demonstration".to_owned(),
            owner: "ben".to_owned(),
            since: now,
            expires: Some(now + SignedDuration::from_mins(30)),
            digest: None,
        };
        let east = scene.clusters.get("east").unwrap();
        holds::hold(east, "t2", &hold).await.unwrap();
        let next = scene.release("bbbb", "2");
        scene.roll_out(&next).await;
        assert_eq!(behind(&scene).await.tenants, names(&[]), "it is held");
        scene.pass(30 * 60).await;
        assert_eq!(behind(&scene).await.tenants, names(&["t2"]));
        let carried = catch_up(&scene, &next).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(scene.images()["t2"], "2");
    });
}

#[test]
fn a_tenant_that_a_person_put_back_stays_there_when_its_hold_runs_out() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(60).await;
        scene.roll_out(&scene.release("bbbb", "2")).await;
        scene.pass(60).await;
        scene.roll_back("t2").await.unwrap();
        scene.pass(2 * 60 * 60).await;
        assert_eq!(scene.images()["t2"], "1");
        assert_eq!(behind(&scene).await.tenants, names(&[]));
    });
}

#[test]
fn continue_says_who_is_behind_and_brings_them() {
    let repository = Repository::new();
    let run = |arguments: &[&str]| -> (Option<i32>, String) {
        let output: Output = repository.command(arguments).output().unwrap();
        (output.status.code(), text_of(&output.stderr))
    };
    let first = run(&["rollout", "--sim", "--ref", "HEAD~1"]);
    assert_eq!(first.0, Some(0), "{}", first.1);
    let held = run(&["hold", "--sim", "t3", "--reason", "a demonstration"]);
    assert_eq!(held.0, Some(0), "{}", held.1);
    let second = run(&["rollout", "--sim"]);
    assert_eq!(second.0, Some(6), "{}", second.1);
    assert_eq!(
        run(&["rollout", "--sim", "--continue"]),
        (
            Some(0),
            "no rollout is open, and nobody in reach is behind: nothing to go on with\n".to_owned()
        )
    );
    let let_go = run(&["release-hold", "--sim", "t3", "--reason", "it is over"]);
    assert_eq!(let_go.0, Some(0), "{}", let_go.1);
    let (code, told) = run(&["rollout", "--sim", "--continue"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.starts_with("no rollout is open; did not get release "),
        "{told}"
    );
    assert!(told.contains(" with the others: t3\n"), "{told}");
    assert!(told.contains("1 of 1 tenants succeeded"), "{told}");

    // Whoever no file names any more is left out of a release, and behind nobody.
    std::fs::remove_file(
        repository
            .folder()
            .join("environments/test/tenants/t5.yaml"),
    )
    .unwrap();
    repository.commit("3");
    let third = run(&["rollout", "--sim"]);
    assert_eq!(third.0, Some(6), "{}", third.1);
    let (code, told) = run(&["rollout", "--sim", "--continue"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("nobody in reach is behind"), "{told}");
}
