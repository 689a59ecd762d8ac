//! Clusters that answer and are unwell: pods that no release touched fail there too.

use std::time::Duration;

use escale::engine::{self, Carried, Heard};
use escale::rollout::{Outcome, What};
use escale::sim::{Behaviour, Fault, Rule};

use crate::scene::{Release, STRATEGY, Scene, in_virtual_time, outcome};

/// The usual strategy, with places for both clusters at once, and no patience with failures. One release runs
/// everywhere; the next comes with it.
async fn begun() -> (Scene, Release) {
    let strategy = STRATEGY.replace("{all: 2}", "{all: 4, cluster: 1}");
    let scene = Scene::with(0, &strategy);
    scene.roll_out(&scene.release("aaaa", "1")).await;
    let next = scene.release("bbbb", "2");
    (scene, next)
}

/// Every pod of a cluster behaves so, whatever it runs.
fn all_pods(behaviour: Behaviour) -> Fault {
    Fault::Behaviour(Rule {
        image: None,
        namespace: None,
        behaviour,
    })
}

const CRASH: Behaviour = Behaviour::Crash {
    healthy: Duration::ZERO,
};

/// Rolls out, and tells clusters what to do as soon as something happens.
async fn roll_out(
    scene: &Scene,
    release: &Release,
    act: impl Fn(&What) + Send + Sync,
) -> (Carried, Vec<What>) {
    let mut told = Vec::new();
    let mut hear = |heard: Heard<'_>| {
        if let Heard::Event { event, .. } = heard {
            act(&event.what);
            told.push(event.what.clone());
        }
    };
    let world = scene.world(&mut hear);
    let carried = engine::roll_out(&release.order("job 1"), world).await;
    (carried.expect("the hub is well"), told)
}

fn is_written(what: &What, name: &str) -> bool {
    matches!(what, What::TenantWritten { tenant, .. } if tenant == name)
}

fn fails(what: &What) -> bool {
    matches!(
        what,
        What::TenantFailed { .. } | What::TenantRollbackFailed { .. } | What::TenantGoesBack { .. }
    )
}

fn succeeded(told: &[What]) -> Vec<&str> {
    let succeeded = told.iter().filter_map(|what| match what {
        What::TenantSucceeded { tenant } => Some(tenant.as_str()),
        _ => None,
    });
    succeeded.collect()
}

fn interrupted(told: &[What]) -> Vec<&str> {
    let interrupted = told.iter().filter_map(|what| match what {
        What::TenantInterrupted { tenant, .. } => Some(tenant.as_str()),
        _ => None,
    });
    interrupted.collect()
}

fn place(told: &[What], is: impl Fn(&What) -> bool) -> usize {
    told.iter()
        .position(is)
        .unwrap_or_else(|| panic!("it never came to that: {told:?}"))
}

fn is_unwell(what: &What) -> bool {
    matches!(what, What::ClusterUnwell { cluster, .. } if cluster == "west")
}

fn is_well(what: &What) -> bool {
    matches!(what, What::ClusterWell { cluster } if cluster == "west")
}

#[test]
fn its_tenants_are_interrupted_and_only_them_and_gone_on_with_when_it_is_well() {
    in_virtual_time(async {
        let (scene, release) = begun().await;
        let (carried, told) = roll_out(&scene, &release, |what| {
            if is_written(what, "t1") {
                scene.sims["west"].tell(all_pods(CRASH));
            }
            // The others are done by then.
            if matches!(what, What::TenantSucceeded { tenant } if tenant == "t4") {
                scene.sims["west"].tell(Fault::Nothing);
            }
        })
        .await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded), "{told:?}");
        assert!(!told.iter().any(fails), "{told:?}");
        assert_eq!(interrupted(&told), ["t1"]);
        let (unwell, well) = (place(&told, is_unwell), place(&told, is_well));
        let starts = |what: &What| {
            let here = ["t3", "t5"];
            matches!(what, What::TenantStarted { tenant } if here.contains(&tenant.as_str()))
        };
        assert!(!told[unwell..well].iter().any(starts), "{told:?}");
        assert!(scene.images().values().all(|tag| tag == "2"));
        for tenant in ["t1", "t3", "t5"] {
            assert_eq!(scene.record(tenant).await.claim, None);
        }
    });
}

#[test]
fn a_deadline_that_passed_while_it_was_unwell_begins_anew() {
    in_virtual_time(async {
        let (scene, release) = begun().await;
        let (carried, told) = roll_out(&scene, &release, |what| {
            if is_written(what, "t1") {
                scene.sims["west"].tell(all_pods(Behaviour::NeverReady));
            }
            // It is found when the first deadline passes, and that is all that is wrong.
            if is_unwell(what) {
                scene.sims["west"].tell(Fault::Nothing);
            }
        })
        .await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded), "{told:?}");
        assert_eq!(interrupted(&told), ["t1"]);
        assert!(!told.iter().any(fails), "{told:?}");
    });
}

#[test]
fn the_others_go_on_while_it_is_unwell_and_its_tenants_are_deferred_in_the_end() {
    in_virtual_time(async {
        let (scene, release) = begun().await;
        let (carried, told) = roll_out(&scene, &release, |what| {
            if is_written(what, "t1") {
                scene.sims["west"].tell(all_pods(CRASH));
            }
        })
        .await;
        let ended = outcome(&carried);
        assert_eq!(ended, Some(Outcome::SucceededWithExceptions), "{told:?}");
        assert!(!told.iter().any(fails), "{told:?}");
        assert_eq!(succeeded(&told), ["t0", "t2", "t4"]);
        let deferred = told.iter().filter_map(|what| match what {
            What::TenantDeferred { tenant, why } => Some((tenant.as_str(), why.as_str())),
            _ => None,
        });
        let deferred: Vec<_> = deferred.collect();
        assert_eq!(deferred.len(), 3, "{told:?}");
        for (_, why) in deferred {
            let start = "cluster `west` was unwell for 15m: 2 of 2 tenants turned unhealthy that this rollout has not touched, `t3`: ";
            assert!(why.starts_with(start), "{why}");
        }
        assert_eq!(
            place(&told, is_unwell),
            told.iter().rposition(is_unwell).unwrap()
        );

        scene.sims["west"].tell(Fault::Nothing);
        scene.pass(60).await;
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert!(scene.images().values().all(|tag| tag == "3"));
    });
}

#[test]
fn one_other_tenant_that_dies_by_itself_does_not_excuse_a_bad_release() {
    in_virtual_time(async {
        let (scene, release) = begun().await;
        let (carried, told) = roll_out(&scene, &release, |what| {
            if is_written(what, "t1") {
                scene.sims["west"].tell(Fault::Behaviour(Rule {
                    image: Some("web:2".to_owned()),
                    namespace: None,
                    behaviour: CRASH,
                }));
                scene.sims["west"].tell(Fault::Behaviour(Rule {
                    image: None,
                    namespace: Some("t3".to_owned()),
                    behaviour: CRASH,
                }));
            }
        })
        .await;
        assert!(!told.iter().any(is_unwell), "{told:?}");
        let failed =
            |what: &What| matches!(what, What::TenantFailed { tenant, .. } if tenant == "t1");
        let back =
            |what: &What| matches!(what, What::TenantRolledBack { tenant } if tenant == "t1");
        assert!(place(&told, failed) < place(&told, back));
        assert_ne!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(scene.images()["t1"], "1");
    });
}

#[test]
fn who_was_killed_while_it_was_unwell_is_gone_on_for() {
    in_virtual_time(async {
        let (scene, release) = begun().await;
        let killed = tokio::sync::Notify::new();
        tokio::select! {
            biased;
            () = killed.notified() => {}
            (_, told) = roll_out(&scene, &release, |what| {
                if is_written(what, "t1") {
                    scene.sims["west"].tell(all_pods(CRASH));
                }
                if matches!(what, What::TenantInterrupted { .. }) {
                    killed.notify_one();
                }
            }) => panic!("it was not killed: {told:?}"),
        }
        // Whoever comes does not know, and finds out before anything is written there.
        let (carried, told) = roll_out(&scene, &release, |what| {
            if is_unwell(what) {
                scene.sims["west"].tell(Fault::Nothing);
            }
        })
        .await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded), "{told:?}");
        assert!(!told.iter().any(fails), "{told:?}");
        let goes_on =
            |what: &What| matches!(what, What::TenantStarted { tenant } if tenant == "t1");
        assert!(place(&told, is_unwell) < place(&told, is_well));
        assert!(place(&told, is_well) < place(&told, goes_on));
        assert!(scene.images().values().all(|tag| tag == "2"));
        assert_eq!(scene.record("t1").await.claim, None);
    });
}
