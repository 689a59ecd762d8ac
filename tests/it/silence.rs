//! Clusters that stop answering in the middle of a rollout, the hub among them.

use std::time::Duration;

use escale::engine::{self, Carried, Heard, Stop, World};
use escale::error::{Exit, exit_code};
use escale::manifest::Digest;
use escale::rollout::{Outcome, What};
use escale::sim::{Behaviour, Fault, Rule};
use jiff::SignedDuration;
use tokio::sync::watch;

use crate::scene::{Release, STRATEGY, Scene, in_virtual_time, outcome, simulated};
use crate::succession::killed_at;

const MINUTE: i64 = 60;

/// Rolls out; after the first event that `when` knows, a cluster does not answer for so many seconds.
async fn roll_out(
    scene: &Scene,
    release: &Release,
    (cluster, seconds): (&str, i64),
    when: impl Fn(&What) -> bool + Send + Sync,
) -> (anyhow::Result<Carried>, Vec<What>) {
    let mut told = Vec::new();
    let mut is_away = false;
    let mut hear = |heard: Heard<'_>| {
        let Heard::Event { event, .. } = heard else {
            return;
        };
        if !is_away && when(&event.what) {
            is_away = true;
            let from = scene.clock.now();
            let until = from + SignedDuration::from_secs(seconds);
            scene.sims[cluster].tell(Fault::Unreachable {
                from,
                until: Some(until),
            });
        }
        told.push(event.what.clone());
    };
    let world = scene.world(&mut hear);
    let carried = engine::roll_out(&release.order("job 1"), world).await;
    assert!(is_away, "it never came to that: {told:?}");
    (carried, told)
}

fn started(name: &'static str) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::TenantStarted { tenant } if tenant == name)
}

fn healthy(name: &'static str) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::TenantHealthy { tenant } if tenant == name)
}

pub fn written(name: &'static str) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::TenantWritten { tenant, .. } if tenant == name)
}

/// Just before this is done to `t1`.
fn when(moment: &str) -> Box<dyn Fn(&What) -> bool + Send + Sync> {
    match moment {
        "written to" => Box::new(started("t1")),
        "watched" => Box::new(written("t1")),
        _ => Box::new(healthy("t1")),
    }
}

fn fails(what: &What) -> bool {
    matches!(
        what,
        What::TenantFailed { .. }
            | What::TenantRollbackFailed { .. }
            | What::TenantTakenOver { .. }
    )
}

#[test]
fn whatever_was_being_done_is_done_when_the_cluster_answers_again() {
    for moment in ["written to", "watched", "closed"] {
        simulated(|scene| async move {
            scene.roll_out(&scene.release("aaaa", "1")).await;
            let release = scene.release("bbbb", "2");
            let (carried, told) =
                roll_out(&scene, &release, ("west", 5 * MINUTE), when(moment)).await;
            let carried = carried.unwrap();
            assert_eq!(outcome(&carried), Some(Outcome::Succeeded), "{moment}");
            assert!(!told.iter().any(fails), "{moment}: {told:?}");
            assert!(scene.images().values().all(|tag| tag == "2"), "{moment}");
            assert_eq!(scene.record("t1").await.claim, None, "{moment}");
        });
    }
}

#[test]
fn a_cluster_that_stays_away_is_deferred_and_gets_the_newest_release_when_it_is_back() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let away = ("west", 60 * MINUTE);
        let release = scene.release("bbbb", "2");
        let (carried, told) = roll_out(&scene, &release, away, started("t1")).await;
        let ended = outcome(&carried.unwrap());
        assert_eq!(ended, Some(Outcome::SucceededWithExceptions));
        let deferred = |what: &&What| matches!(what, What::TenantDeferred { .. });
        assert_eq!(told.iter().filter(deferred).count(), 3, "{told:?}");
        let of_east = ["t0", "t2", "t4"].map(|name| scene.images()[name].clone());
        assert_eq!(of_east, ["2", "2", "2"]);

        // One release goes by while it is away, then it gets the newest in one step.
        scene.roll_out(&scene.release("cccc", "3")).await;
        scene.pass(60).await;
        let carried = scene.roll_out(&scene.release("dddd", "4")).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert!(scene.images().values().all(|tag| tag == "4"));
        for tenant in ["t1", "t3", "t5"] {
            assert_eq!(scene.record(tenant).await.claim, None);
        }
    });
}

#[test]
fn a_wave_that_is_taken_back_waits_for_a_cluster_that_is_known_to_be_away() {
    let takes_back = STRATEGY.replace("onBreach: pause", "onBreach: rollback");
    in_virtual_time(async move {
        let scene = Scene::with(0, &takes_back);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        // It dies after that is known.
        scene.sims["east"].tell(Fault::Behaviour(Rule {
            image: Some("web:2".to_owned()),
            namespace: Some("t4".to_owned()),
            behaviour: Behaviour::Crash {
                healthy: Duration::from_secs(150),
            },
        }));
        let release = scene.release("bbbb", "2");
        let away = ("west", 8 * MINUTE);
        let succeeds =
            |what: &What| matches!(what, What::TenantSucceeded { tenant } if tenant == "t3");
        let (carried, told) = roll_out(&scene, &release, away, succeeds).await;
        assert_eq!(outcome(&carried.unwrap()), Some(Outcome::RolledBack));
        let images = scene.images();
        let of_wave = ["t1", "t2", "t3", "t4", "t5"].map(|name| images[name].as_str());
        assert_eq!(of_wave, ["1"; 5], "{told:?}");
    });
}

/// Version 1 is good, and version 2 will die on the east after 10 seconds. Returns what is good.
async fn well_at_first(scene: &Scene) -> Digest {
    scene.roll_out(&scene.release("aaaa", "1")).await;
    let good = scene.record("t0").await.digest;
    scene.pass(5).await;
    scene.sims["east"].tell(Fault::Behaviour(Rule {
        image: Some("web:2".to_owned()),
        namespace: None,
        behaviour: Behaviour::Crash {
            healthy: Duration::from_secs(10),
        },
    }));
    good.expect("it runs something")
}

async fn goods(scene: &Scene) -> Vec<Digest> {
    let goods = scene.record("t0").await.goods.into_iter();
    goods.map(|good| good.digest).collect()
}

#[test]
fn what_died_unseen_while_it_soaked_is_not_good_however_long_that_took() {
    simulated(|scene| async move {
        let good = well_at_first(&scene).await;
        let release = scene.release("bbbb", "2");
        let succeeds = |what: &What| matches!(what, What::TenantSucceeded { .. });
        let (carried, _) = roll_out(&scene, &release, ("east", 3 * MINUTE), succeeds).await;
        assert_eq!(outcome(&carried.unwrap()), Some(Outcome::RolledBack));
        scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(goods(&scene).await, [good]);
    });
}

#[test]
fn what_died_while_nobody_watched_is_not_good_for_who_puts_it_back_by_hand_either() {
    simulated(|scene| async move {
        let good = well_at_first(&scene).await;
        let release = scene.release("bbbb", "2");
        let soaks = |what: &What| matches!(what, What::SoakStarted { .. });
        killed_at(&scene, &release, soaks).await;
        scene.pass(10).await;
        let back = scene.roll_back("t0").await;
        assert!(back.is_ok());
        assert_eq!(scene.images()["t0"], "1");
        assert_eq!(goods(&scene).await, [good]);
    });
}

#[test]
fn a_hub_that_is_away_for_minutes_stops_nobody() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let release = scene.release("bbbb", "2");
        let (carried, told) = roll_out(&scene, &release, ("hub", 5 * MINUTE), started("t1")).await;
        assert_eq!(
            outcome(&carried.unwrap()),
            Some(Outcome::Succeeded),
            "{told:?}"
        );
        assert!(!told.iter().any(fails), "{told:?}");
    });
}

#[test]
fn a_hub_that_stays_away_means_run_it_again() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let release = scene.release("bbbb", "2");
        let away = ("hub", 30 * MINUTE);
        let (carried, _) = roll_out(&scene, &release, away, started("t1")).await;
        let code = match carried {
            Ok(Carried::Ended(ended)) => {
                let left_off = matches!(ended.ending, engine::Ending::LeftOff { .. });
                left_off.then_some(Exit::NotFinished)
            }
            Ok(_) => None,
            Err(error) => Some(exit_code(&error)),
        };
        assert_eq!(code, Some(Exit::NotFinished));
        scene.pass(30).await;
        let carried = scene.roll_out(&release).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert!(scene.images().values().all(|tag| tag == "2"));
    });
}

#[test]
fn who_is_told_to_stop_does_not_wait_for_the_hub() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let (sender, stop) = watch::channel(Stop::GoOn);
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && started("t1")(&event.what)
            {
                scene.sims["hub"].tell(Fault::Unreachable {
                    from: scene.clock.now(),
                    until: None,
                });
                sender.send_replace(Stop::Gently);
            }
        };
        let world = World {
            stop,
            ..scene.world(&mut hear)
        };
        let began = scene.clock.now();
        let release = scene.release("bbbb", "2");
        let _left = engine::roll_out(&release.order("job 1"), world).await;
        let took = scene.clock.now().duration_since(began);
        assert!(took < SignedDuration::from_mins(6), "{took:#}");
    });
}
