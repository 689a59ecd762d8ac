//! What is waited for, by when, and who wakes up.

use std::time::Duration;

use escale::cluster::{Apply, CallError, FENCE_MANAGER};
use escale::engine::{self, Heard, World};
use escale::rollout::{Outcome, What};
use escale::sim::{Fault, RequestFaults, Verb};
use jiff::SignedDuration;
use serde_json::json;

use super::{first, running, scene_with, settled, succeeds};
use crate::gates::told;
use crate::scene::{in_virtual_time, outcome, simulated};

const REST: &str = "{name: rest, soak: 30s, onBreach: pause}";

fn advances(name: &'static str) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::WaveAdvanced { wave } if wave == name)
}

/// A soak is counted from when the pods last changed, so that pods that did not restart have soaked already.
#[test]
fn t09_pods_that_did_not_restart_soak_from_their_write_on() {
    simulated(|mut scene| async move {
        settled(&scene).await;
        scene.pass(60 * 24).await;
        let path = "environments/test/tenants/t0.yaml";
        let text = scene.files[path].replace("p0: ", "p9: {client: c9, domain: c9.example}, p0: ");
        scene.files.insert(path.to_owned(), text);
        let next = scene.release("bbbb", "1");
        let mut deaf = |_: Heard<'_>| {};
        let hurried = World {
            wait_limit: Some(Duration::ZERO),
            ..scene.world(&mut deaf)
        };
        let left = engine::roll_out(&next.order("job 1"), hurried).await;
        let closed = scene.record("t0").await.since;
        assert!(left.is_ok());
        // Another process finds pods that are as they were for a day.
        let (carried, _) = told(&scene, &next, "job 2").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let soaked = scene.clock.now().duration_since(closed).as_secs();
        assert!((30..60).contains(&soaked), "{soaked} s");
    });
}

/// Requests that fail for ever start no clock: no deadline comes, and the rollout never ends.
#[test]
fn t10_a_cluster_that_refuses_everything_is_given_up_in_time() {
    let faults = [
        Fault::Unauthorized,
        Fault::Requests(RequestFaults {
            internal: 1.0,
            ..RequestFaults::default()
        }),
        Fault::Requests(RequestFaults {
            too_many: 0.9,
            lost: 0.1,
            ..RequestFaults::default()
        }),
    ];
    for (fault, moment) in faults
        .into_iter()
        .flat_map(|fault| ["started", "written"].map(|moment| (fault.clone(), moment)))
    {
        simulated(|scene| async move {
            settled(&scene).await;
            let release = scene.release("bbbb", "2");
            let began = scene.clock.now();
            let mut hear = |heard: Heard<'_>| {
                let Heard::Event { event, .. } = heard else {
                    return;
                };
                let is_now = match &event.what {
                    What::TenantStarted { tenant } => moment == "started" && tenant == "t1",
                    What::TenantWritten { tenant, .. } => moment == "written" && tenant == "t1",
                    _ => false,
                };
                if is_now {
                    scene.sims["west"].tell(fault.clone());
                }
            };
            let world = scene.world(&mut hear);
            let carried = engine::roll_out(&release.order("job 1"), world).await;
            let took = scene.clock.now().duration_since(began);
            let ended = carried.as_ref().ok().and_then(outcome);
            assert!(ended.is_some(), "{fault:?} {moment}");
            assert!(
                took < SignedDuration::from_mins(40),
                "{fault:?} {moment}: {took:#}"
            );
            assert_eq!(running(&scene, "2")[0], "t0");
        });
    }
}

/// A wave in which nobody is still waits for its approval and its soak.
#[test]
fn t16_a_wave_without_tenants_waits_for_nothing() {
    in_virtual_time(async {
        let empty = "{name: empty, select: {ring: nowhere}, soak: 6h, approval: true}";
        let scene = scene_with([(REST, &format!("{empty}\n    - {REST}"))]);
        let (carried, diary) = told(&scene, &scene.release("aaaa", "1"), "job 1").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(diary.waited_for("approval"), None);
        assert!(
            diary.events.iter().all(|(at, _)| *at < 600),
            "{:?}",
            diary.events
        );
    });
}

/// The end of a soak wakes nobody, so that it lasts until something else happens; or another wave's is asked about.
#[test]
fn t22_the_end_of_a_soak_wakes_whoever_waits_for_it() {
    in_virtual_time(async {
        let scene = scene_with([(
            "select: {ring: canary}, soak: 30s",
            "select: {ring: canary}, soak: 307s",
        )]);
        let (carried, diary) = told(&scene, &scene.release("aaaa", "1"), "job 1").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let proven = first(&diary, succeeds("t0")).expect("it is well");
        let soaked = first(&diary, advances("canary")).expect("it soaks") - proven;
        assert!((307..=309).contains(&soaked), "{soaked} s");
        let rest = diary.starts().last().expect("they start").0;
        let ended = first(&diary, advances("rest")).expect("they soak") - rest;
        assert!(
            (30..60).contains(&ended),
            "each wave has its own: {ended} s"
        );
    });
}

/// A request of a process that is gone lands after its rollout is over, and writes an older version over a newer one.
#[test]
fn t23_a_write_that_was_under_way_is_refused_once_its_claim_was_taken_over() {
    simulated(|scene| async move {
        settled(&scene).await;
        let west = scene
            .clusters
            .get("west")
            .expect("it is connected")
            .writer();
        // Everything takes a second there, so that there is a time between a claim and its writes.
        scene.sims["west"].tell(Fault::Requests(RequestFaults {
            latency: Duration::from_secs(1)..Duration::from_secs(1),
            ..RequestFaults::default()
        }));
        let claimed = async {
            while scene.record("t1").await.claim.is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let second = scene.release("bbbb", "2");
        tokio::select! {
            _ = scene.try_roll_out(&second, "job 1") => panic!("it was over before it was killed"),
            () = claimed => {}
        }
        scene.sims["west"].tell(Fault::Nothing);
        let found = || {
            scene.sims["west"]
                .object("deployments.apps", Some("t1"), "web")
                .expect("it is there")
        };
        let seen = found();
        assert_eq!(running(&scene, "2"), ["t0"], "nothing is written to it yet");
        let text = |field: &str| seen["metadata"][field].as_str().map(str::to_owned);
        let late = Apply {
            force: true,
            uid: text("uid"),
            resource_version: text("resourceVersion"),
            ..Apply::default()
        };

        scene.forget_requests();
        let third = scene.release("cccc", "3");
        assert_eq!(
            outcome(&scene.roll_out(&third).await),
            Some(Outcome::Succeeded)
        );
        let log = scene.sims["west"].requests();
        let applies = log.iter().filter(|one| {
            one.verb == Verb::Apply
                && one.namespace.as_deref() == Some("t1")
                && one.resource == "deployments.apps"
        });
        let managers: Vec<_> = applies.filter_map(|one| one.manager.as_deref()).collect();
        assert_eq!(
            managers[..2],
            [FENCE_MANAGER, "escale"],
            "the stamp comes first"
        );

        let manifest = json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "t1"},
            "spec": seen["spec"],
        });
        let landed = west.apply(&manifest, &late).await;
        assert!(matches!(landed, Err(CallError::Stale(_))), "{landed:?}");
        assert_eq!(running(&scene, "3").len(), 6);
    });
}
