//! A rollback that is typed while a rollout is in the middle of a tenant.

use escale::engine::{self, Heard};
use escale::rollout::{Outcome, What};
use tokio::sync::Notify;

use crate::scene::{EXTRA, Release, Scene, outcome, simulated};
use crate::succession::killed_at;

#[test]
fn it_goes_back_by_one_release_not_by_two_and_wins_the_tenant() {
    simulated(|scene| async move {
        for (id, version) in [("aaaa", "1"), ("bbbb", "2")] {
            scene.roll_out(&scene.release(id, version)).await;
            scene.pass(5).await;
        }
        let written = Notify::new();
        let release = scene.release("cccc", "3");
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && matches!(&event.what, What::TenantWritten { tenant, .. } if tenant == "t1")
            {
                written.notify_one();
            }
        };
        let order = release.order("job 1");
        let (carried, ended) =
            tokio::join!(engine::roll_out(&order, scene.world(&mut hear)), async {
                written.notified().await;
                scene.roll_back("t1").await
            });
        ended.expect("there is something to go back to");
        let ended = outcome(&carried.expect("the clusters are well"));
        assert_eq!(ended, Some(Outcome::SucceededWithExceptions));
        let images = scene.images();
        assert_eq!((images["t1"].as_str(), images["t2"].as_str()), ("2", "3"));
    });
}

#[test]
fn a_late_write_of_a_process_that_is_gone_is_found_and_written_over_before_its_claim_is_closed() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let release = scene.release("bbbb", "2");
        let written = |what: &What| matches!(what, What::TenantWritten { .. });
        killed_at(&scene, &release, written).await;

        let (mut told, mut is_late) = (Vec::new(), true);
        let mut hear = |heard: Heard<'_>| {
            let Heard::Event { event, .. } = heard else {
                return;
            };
            if written(&event.what) && std::mem::take(&mut is_late) {
                land_late(&scene);
            }
            if let What::TenantMended { tenant, objects } = &event.what {
                told.push(format!("{tenant}: {}", objects.join(", ")));
            }
        };
        let order = release.order("job 2");
        let carried = engine::roll_out(&order, scene.world(&mut hear)).await;
        assert_eq!(outcome(&carried.unwrap()), Some(Outcome::Succeeded));
        assert_eq!(told, ["t0: ConfigMap/platforms"]);
        assert_eq!(platforms(&scene), "p0");
    });
}

fn land_late(scene: &Scene) {
    let edited = scene.sims["east"].edit("configmaps", (Some("t0"), "platforms"), |object| {
        object["data"]["names"] = "late".into();
    });
    edited.expect("it is there");
}

fn platforms(scene: &Scene) -> String {
    let object = scene.sims["east"].object("configmaps", Some("t0"), "platforms");
    let object = object.expect("it is there");
    object["data"]["names"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Sets another image by hand, as `kubectl set image` does.
fn set_image(scene: &Scene, tenant: &str, tag: &str) {
    let edited = scene.sims["east"].edit("deployments.apps", (Some(tenant), "web"), |object| {
        let image = format!("registry.example.com/web:{tag}");
        object["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
    });
    edited.expect("it is there");
}

/// Rolls a release out while somebody sets another image in its canary; it goes back, and this is why.
async fn set_by_hand_meanwhile(scene: &Scene, release: &Release) -> Vec<String> {
    let mut told = Vec::new();
    let mut hear = |heard: Heard<'_>| {
        let Heard::Event { event, .. } = heard else {
            return;
        };
        match &event.what {
            What::TenantWritten { tenant, .. } if tenant == "t0" => {
                set_image(scene, "t0", "mine");
            }
            What::TenantFailed { tenant, why, .. } => told.push(format!("{tenant}: {why}")),
            _ => {}
        }
    };
    let order = release.order("job 1");
    let carried = engine::roll_out(&order, scene.world(&mut hear)).await;
    let carried = carried.expect("the clusters answer");
    assert_eq!(outcome(&carried), Some(Outcome::RolledBack));
    assert_eq!(scene.images()["t0"], "1");
    told
}

const NOT_OURS: &str =
    "t0: Deployment/web: its pod template is not as we wrote it: `kubectl-edit` changed it since";

#[test]
fn what_somebody_sets_by_hand_meanwhile_is_no_proof_of_the_release() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let release = scene.release("bbbb", "2");
        assert_eq!(set_by_hand_meanwhile(&scene, &release).await, [NOT_OURS]);
    });
}

#[test]
fn nor_is_it_in_a_workload_that_the_release_leaves_as_it_is() {
    simulated(|mut scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let template = scene.files.get_mut("templates/site/all.yaml.j2").unwrap();
        *template = format!("{template}---{EXTRA}");
        let release = scene.release("bbbb", "1");
        assert_eq!(set_by_hand_meanwhile(&scene, &release).await, [NOT_OURS]);
    });
}

#[test]
fn scaling_and_restarting_by_hand_take_nothing_from_a_release() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && matches!(&event.what, What::TenantWritten { tenant, .. } if tenant == "t0")
            {
                let edited = scene.sims["east"].edit("deployments.apps", (Some("t0"), "web"), |object| {
                    object["spec"]["replicas"] = 3.into();
                    object["spec"]["template"]["metadata"]["annotations"] =
                        serde_json::json!({"kubectl.kubernetes.io/restartedAt": "2026-11-23T08:00:00Z"});
                });
                edited.expect("it is there");
            }
        };
        let release = scene.release("bbbb", "2");
        let order = release.order("job 1");
        let carried = engine::roll_out(&order, scene.world(&mut hear)).await;
        assert_eq!(outcome(&carried.unwrap()), Some(Outcome::Succeeded));
    });
}
