//! What the hub remembers of tenants, and when it is told.

use std::sync::atomic::{AtomicUsize, Ordering};

use escale::cluster::{Kind, Within};
use escale::engine::{self, Heard, Order};
use escale::record::{Place, PlanLine};
use escale::rollout::What;
use tokio::sync::Notify;

use super::super::{edit, lose};
use super::{APART, rebuild, runs};
use crate::scene::{Scene, in_virtual_time, simulated};

#[test]
fn the_roster_is_written_for_what_changes_and_not_at_all_for_what_does_not() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let shards = roster(&scene).await;
        assert_eq!(shards, ["roster.test.east.0", "roster.test.west.0"]);
        scene.forget_requests();
        scene.roll_out(&scene.release("aaaa", "1")).await;
        assert_eq!(scene.writes(), Vec::<String>::new());
        let only = scene.release("bbbb", "2");
        let only = Order {
            selected: Some(["t1".to_owned()].into()),
            ..only.order("job 1")
        };
        let mut deaf = |_: Heard<'_>| {};
        engine::roll_out(&only, scene.world(&mut deaf))
            .await
            .unwrap();
        let writes = scene.writes();
        let of_roster = writes.iter().filter(|write| write.contains("roster."));
        // When its only wave had passed; at its end, it said so already.
        assert_eq!(of_roster.count(), 1, "{writes:?}");
    });
}

async fn roster(scene: &Scene) -> Vec<String> {
    let hub = scene.clusters.hub().unwrap().reader();
    let within = Within::Namespace("escale-system");
    let selector = Some("escale.dev/record=roster");
    let found = hub
        .list_metadata(&Kind::config_map(), within, selector)
        .await
        .unwrap();
    let mut names: Vec<String> = found.iter().map(|one| one.object().name.clone()).collect();
    names.sort();
    names
}

#[test]
fn what_a_person_put_back_is_what_a_rebuild_brings_back() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let past = [scene.release("aaaa", "1"), scene.release("bbbb", "2")];
        for release in &past {
            scene.roll_out(release).await;
            scene.pass(5).await;
        }
        scene.roll_back("t3").await.unwrap();
        let put_back = scene.record("t3").await;
        let told = engine::tell_roster(&scene.clusters, &[put_back], scene.clock.now()).await;
        told.unwrap();
        let before = runs(&scene).await;
        lose(&mut scene, "west");
        rebuild(&scene, &past, "job 2").await.unwrap();
        assert_eq!(runs(&scene).await, before);
        assert_eq!(scene.images()["t3"], "1");
        let lines = rebuilt_lines(&scene).await;
        let t3 = lines.iter().find(|line| line.tenant == "t3").unwrap();
        assert_eq!(t3.release.as_deref(), Some("aaaa"));
        assert!(t3.hold.is_some() && matches!(t3.place, Place::Wave(_)));
    });
}

/// The plan of the only rebuild.
async fn rebuilt_lines(scene: &Scene) -> Vec<PlanLine> {
    let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
    let rebuild = rollouts.iter().find(|one| one.rebuild.is_some()).unwrap();
    let hub = scene.clusters.hub().unwrap().reader();
    engine::store::plan(&hub, rebuild).await.unwrap()
}

#[test]
fn a_wave_that_has_passed_is_known_at_once_and_takes_nothing_from_who_is_still_to_come() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        edit(&mut scene, "t1", "ring: rest", "ring: canary");
        let past = [("aaaa", "1"), ("bbbb", "2"), ("cccc", "3")]
            .map(|(id, version)| scene.release(id, version));
        for release in &past[..2] {
            scene.roll_out(release).await;
            scene.pass(5).await;
        }
        // It is killed as soon as it starts the first one after the canaries.
        let (passed, started) = (Notify::new(), AtomicUsize::new(0));
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && let What::TenantStarted { .. } = event.what
            {
                let count = started.fetch_add(1, Ordering::Relaxed) + 1;
                if count == 3 {
                    passed.notify_one();
                }
            }
        };
        let order = past[2].order("job 1");
        tokio::select! {
            biased;
            () = passed.notified() => {}
            _ = engine::roll_out(&order, scene.world(&mut hear)) => panic!("it was not killed"),
        }
        lose(&mut scene, "west");
        rebuild(&scene, &past, "job 2").await.unwrap();
        let images = scene.images();
        assert_eq!(
            [&images["t1"], &images["t3"], &images["t5"]],
            ["3", "2", "2"]
        );
    });
}
