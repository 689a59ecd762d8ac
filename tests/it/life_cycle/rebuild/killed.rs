//! A rebuild that is left off in the middle is gone on with.

use std::time::Duration;

use escale::engine::{self, Carried};
use escale::record::RolloutState;
use escale::rollout::Outcome;
use escale::sim::{Fault, RequestFaults, SimCluster};
use serde_json::Value;

use super::super::{connect, edit, lose, lose_with, options, try_to};
use super::{APART, cluster_record, lost, rebuild, rebuilds, refusal, runs};
use crate::scene::{Scene, in_virtual_time, outcome};

#[test]
fn killed_anywhere_the_same_command_goes_on() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        let sims = scene.sims.iter();
        let saved: Vec<(String, Value)> =
            sims.map(|(name, sim)| (name.clone(), sim.save())).collect();
        let writes = [1, 2, 3, 4, 5, 6, 8, 11].map(Kill::Writes);
        // The canary settles, soaks, and then the others do.
        let seconds = [4, 25, 50].map(Kill::Seconds);
        for kill in writes.into_iter().chain(seconds) {
            for (name, saved) in &saved {
                let sim = SimCluster::load(options(&scene, name, 1), saved).unwrap();
                // Requests take their time, so that there is something between two of them.
                sim.tell(Fault::Requests(RequestFaults {
                    latency: Duration::from_millis(4)..Duration::from_millis(6),
                    ..RequestFaults::default()
                }));
                scene.sims.insert(name.clone(), sim);
            }
            connect(&mut scene);
            let is_killed = tokio::select! {
                biased;
                () = kill.moment(&scene) => true,
                _ = rebuild(&scene, &past, "job 2") => false,
            };
            assert!(is_killed, "it was over before {kill:?}");
            let carried = rebuild(&scene, &past, "job 3").await.unwrap();
            assert_eq!(outcome(&carried), Some(Outcome::Succeeded), "{kill:?}");
            assert_eq!(runs(&scene).await, before, "{kill:?}");
            assert_eq!(rebuilds(&scene).await, 1, "{kill:?}");
            assert_eq!(noted_uid(&scene).await, identity(&scene).await, "{kill:?}");
        }
    });
}

/// What the hub has noted of the cluster, and what answers there.
async fn noted_uid(scene: &Scene) -> String {
    let noted = cluster_record(scene).await;
    let noted: Value = serde_json::from_str(noted["data"]["cluster"].as_str().unwrap()).unwrap();
    noted["uid"].as_str().unwrap().to_owned()
}

async fn identity(scene: &Scene) -> String {
    let west = scene.clusters.get("west").unwrap();
    west.identity().await.unwrap()
}

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    Writes(usize),
    Seconds(u64),
}

impl Kill {
    async fn moment(self, scene: &Scene) {
        match self {
            Self::Seconds(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            Self::Writes(count) => {
                while scene.writes().len() < count {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }
}

#[test]
fn killed_right_after_the_plan_is_frozen_whoever_goes_on_notes_the_new_cluster() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        let noted = cluster_record(&scene).await;
        let carried = rebuild(&scene, &past, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_ne!(cluster_record(&scene).await, noted);

        // As if the last write of the beginning, and all after it, had never been.
        let mut scene = Scene::with(0, APART);
        let (past, _) = lost(&mut scene).await;
        let until_frozen = async {
            let freezing = rebuild(&scene, &past, "job 2");
            tokio::pin!(freezing);
            loop {
                let step = tokio::time::timeout(Duration::from_millis(1), &mut freezing).await;
                assert!(step.is_err(), "it is over already");
                if rebuilds(&scene).await == 1 {
                    break;
                }
            }
        };
        until_frozen.await;
        let writer = scene.clusters.hub().unwrap().writer();
        let mut value = cluster_record(&scene).await;
        value["data"]["cluster"] = noted["data"]["cluster"].clone();
        writer.replace(&value).await.unwrap();
        let ordinary = try_to(&scene, &scene.release("dddd", "4"), None, "job 3").await;
        assert!(refusal(ordinary).starts_with("the context of cluster `west` answers as another"));
        let carried = rebuild(&scene, &past, "job 4").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(noted_uid(&scene).await, identity(&scene).await);
        assert_eq!(runs(&scene).await, before);
    });
}

#[test]
fn an_open_rebuild_goes_before_any_other_rollout_and_is_gone_on_with() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        // The canary soaks.
        let moment = Duration::from_secs(25);
        let killed = tokio::time::timeout(moment, rebuild(&scene, &past, "job 2")).await;
        assert!(killed.is_err());
        let newest = scene.release("dddd", "4");
        let carried = try_to(&scene, &newest, None, "job 3").await.unwrap();
        assert!(matches!(carried, Carried::Rebuilding { cluster } if cluster == "west"));
        assert_eq!(scene.images()["t4"], "2");
        let carried = rebuild(&scene, &past, "job 4").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(runs(&scene).await, before);
    });
}

#[test]
fn a_new_cluster_that_is_lost_in_the_middle_is_rebuilt_on_yet_another_one() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        let (past, before) = lost(&mut scene).await;
        let moment = Duration::from_secs(50);
        let killed = tokio::time::timeout(moment, rebuild(&scene, &past, "job 2")).await;
        assert!(killed.is_err());
        lose_with(&mut scene, "west", 7);
        let carried = rebuild(&scene, &past, "job 3").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(runs(&scene).await, before);
        assert_eq!(rebuilds(&scene).await, 2);
    });
}

#[test]
fn a_rollout_that_the_loss_left_open_makes_way_and_what_it_had_not_proven_is_not_brought_back() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, APART);
        edit(&mut scene, "t1", "ring: rest", "ring: canary");
        let past = [scene.release("aaaa", "1"), scene.release("bbbb", "2")];
        scene.roll_out(&past[0]).await;
        scene.pass(5).await;
        // Both canaries run it, and soak.
        let moment = Duration::from_secs(35);
        let killed = tokio::time::timeout(moment, try_to(&scene, &past[1], None, "job 1")).await;
        assert!(killed.is_err());
        assert_eq!(scene.images()["t1"], "2");
        lose(&mut scene, "west");
        let carried = rebuild(&scene, &past, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let images = scene.images();
        assert_eq!(
            [&images["t1"], &images["t3"], &images["t5"]],
            ["1", "1", "1"]
        );
        let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
        let open = rollouts
            .iter()
            .find(|one| one.release.as_deref() == Some("bbbb"));
        let open = open.unwrap();
        assert_eq!(open.state, RolloutState::Superseded);
        assert_eq!(open.reason.as_deref(), Some("by the rebuild of west"));
        let carried = try_to(&scene, &past[1], None, "job 3").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert!(scene.images().values().all(|tag| tag == "2"));
    });
}
