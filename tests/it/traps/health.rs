//! What may be taken for health, and what a failure stops.

use std::time::Duration;

use escale::engine;
use escale::record::{Scope, Verb};
use escale::rollout::{Outcome, What};
use escale::sim::{Behaviour, Fault, Rule};

use super::{
    behave, count, dies_after, first, is_failure, names, running, scene_with, settled, slow,
    succeeds,
};
use crate::gates::{after, say, told, wave};
use crate::scene::{in_virtual_time, outcome, simulated};
use crate::succession::killed_at;

/// A wave passes on the health of the revision before, which still serves while the new pods come up.
#[test]
fn t01_old_pods_that_serve_do_not_pass_a_wave() {
    simulated(|scene| async move {
        settled(&scene).await;
        behave(
            &scene.sims["east"],
            "t0",
            "web:2",
            Behaviour::Ready {
                after: Duration::from_secs(40),
            },
        );
        let (carried, diary) = told(&scene, &scene.release("bbbb", "2"), "job 1").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let proven = first(&diary, succeeds("t0")).expect("the canary gets well");
        // 2 pods, one after the other, and 5 s of health.
        assert!((85..105).contains(&proven), "{proven}");
        let second = diary.starts()[1].0;
        assert!(second >= proven + 30, "{:?}", diary.starts());
    });
}

/// Health that was seen once is believed for ever: a canary that dies while the next wave waits stops nothing.
#[test]
fn t03_a_canary_that_dies_while_the_next_wave_waits_stops_it() {
    in_virtual_time(async {
        let scene = scene_with([("{name: rest,", "{name: rest, approval: true,")]);
        let first_release = scene.release("aaaa", "1");
        let ((carried, _), ()) = tokio::join!(told(&scene, &first_release, "job 1"), async {
            after(60).await;
            say(&scene, Verb::Approve, wave(&scene, "rest").await, None).await;
        });
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        scene.pass(5).await;
        behave(&scene.sims["east"], "t0", "web:2", dies_after(120));
        let next = scene.release("bbbb", "2");
        let ((carried, diary), ()) = tokio::join!(told(&scene, &next, "job 1"), async {
            // By then it has soaked, and is dead since a minute or two.
            after(300).await;
            if let Ok(Some(_)) = engine::latest(&scene.clusters, "test")
                .await
                .map(|it| it.rollout)
            {
                say(&scene, Verb::Approve, wave(&scene, "rest").await, None).await;
            }
        });
        assert_eq!(outcome(&carried), Some(Outcome::RolledBack));
        assert_eq!(names(&diary), ["t0"]);
        assert!(running(&scene, "2").is_empty());
    });
}

/// The same, while a person has paused the rollout for a reason of their own: to resume it excuses nothing.
#[test]
fn t03_a_canary_that_dies_during_a_pause_stops_the_rollout_when_it_is_resumed() {
    in_virtual_time(async {
        let mut scene = scene_with([]);
        let path = "environments/test/tenants/t2.yaml";
        let text = scene.files[path].replace("ring: rest", "ring: canary");
        scene.files.insert(path.to_owned(), text);
        settled(&scene).await;
        behave(&scene.sims["east"], "t0", "web:2", dies_after(120));
        let next = scene.release("bbbb", "2");
        let ((carried, diary), ()) = tokio::join!(told(&scene, &next, "job 1"), async {
            after(30).await;
            say(&scene, Verb::Pause, Scope::Environment, None).await;
            after(600).await;
            say(&scene, Verb::Resume, Scope::Environment, None).await;
        });
        assert_eq!(
            outcome(&carried),
            Some(Outcome::RolledBack),
            "{:?}",
            diary.events
        );
        assert_eq!(names(&diary), ["t0", "t2"]);
        assert!(running(&scene, "2").is_empty());
    });
}

/// Whoever is unhealthy already gets the new release before its turn and without a limit, also when that is bad.
#[test]
fn t14_tenants_that_are_down_wait_for_their_wave_too() {
    simulated(|scene| async move {
        settled(&scene).await;
        for tenant in ["t1", "t3", "t5"] {
            behave(&scene.sims["west"], tenant, "web:1", dies_after(0));
        }
        scene.pass(5).await;
        let bad = scene.release("bbbb", "2-crash");
        let (carried, diary) = told(&scene, &bad, "job 1").await;
        assert_eq!(outcome(&carried), Some(Outcome::RolledBack));
        assert_eq!(names(&diary), ["t0"]);

        let good = scene.release("cccc", "3");
        let (carried, diary) = told(&scene, &good, "job 2").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let canary = first(&diary, succeeds("t0")).expect("it is well");
        let mut others = diary.starts().into_iter().skip(1);
        assert!(others.all(|(at, _)| at >= canary + 30));
    });
}

/// What is slow is called failed while it still comes up, by the process that waits for it or by the next one.
#[test]
fn t18_who_is_still_coming_up_has_not_failed() {
    simulated(|scene| async move {
        settled(&scene).await;
        for cluster in ["east", "west"] {
            scene.sims[cluster].tell(slow("web:2"));
        }
        let slow = scene.release("bbbb", "2");
        let is_written =
            |what: &What| matches!(what, What::TenantWritten { tenant, .. } if tenant == "t0");
        killed_at(&scene, &slow, is_written).await;
        let (carried, diary) = told(&scene, &slow, "job 2").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(count(&diary, is_failure), 0);
        assert!(first(&diary, succeeds("t0")).is_some_and(|at| at >= 50));
    });
}

/// A fleet that is down cannot be mended, because the engine waits for it to be healthy first.
#[test]
fn t25_a_release_that_mends_a_fleet_that_is_down_gets_through() {
    in_virtual_time(async {
        let scene = scene_with([(
            "maxConcurrency: {all: 2}",
            "maxConcurrency: {all: 2}, maxUnavailable: {all: 1}",
        )]);
        settled(&scene).await;
        for cluster in ["east", "west"] {
            scene.sims[cluster].tell(Fault::Behaviour(Rule {
                image: Some("web:1".to_owned()),
                namespace: None,
                behaviour: dies_after(0),
            }));
        }
        scene.pass(5).await;
        let (carried, diary) = told(&scene, &scene.release("bbbb", "2"), "job 1").await;
        assert_eq!(
            outcome(&carried),
            Some(Outcome::Succeeded),
            "{:?}",
            diary.waits
        );
        assert_eq!(running(&scene, "2").len(), 6);
    });
}

/// The same, of a fleet that has never been well: there is nothing to go back to, and the way forward is open.
#[test]
fn t25_a_first_deployment_that_failed_is_mended_by_the_next_release() {
    simulated(|scene| async move {
        let carried = scene.roll_out(&scene.release("aaaa", "1-crash")).await;
        assert_eq!(outcome(&carried), Some(Outcome::Failed));
        assert_eq!(running(&scene, "1-crash"), ["t0"]);
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(running(&scene, "2").len(), 6);
    });
}

/// There is no room for one more pod: the old one serves, the new one waits for a node, and nobody says so.
#[test]
fn t30_a_pod_that_finds_no_node_is_named_while_the_old_one_serves() {
    simulated(|scene| async move {
        settled(&scene).await;
        behave(&scene.sims["east"], "t0", "web:2", Behaviour::Unschedulable);
        let (carried, diary) = told(&scene, &scene.release("bbbb", "2"), "job 1").await;
        assert_eq!(outcome(&carried), Some(Outcome::RolledBack));
        let whys = diary.events.iter().filter_map(|(_, what)| match what {
            What::TenantFailed { why, .. } => Some(why.as_str()),
            _ => None,
        });
        let whys: Vec<&str> = whys.collect();
        assert!(
            whys.len() == 1 && whys[0].contains("finds no node"),
            "{whys:?}"
        );
        assert!(running(&scene, "2").is_empty());
    });
}
