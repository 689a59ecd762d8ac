//! What is skipped as unchanged is shown to the server, a sample of it (`--verify-sample`).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use escale::apply;
use escale::engine::{self, Heard, Order, store};
use escale::manifest::Live;
use escale::record::Line;
use escale::rollout::{Outcome, What};

use crate::scene::{Scene, outcome, simulated};
use crate::succession::killed_at;

/// Makes the record of `t0` believe that what somebody set by hand is what was written: a mistake of ours, as it were.
async fn deceive(scene: &Scene) {
    let sim = &scene.sims["east"];
    let edited = sim.edit("configmaps", (Some("t0"), "platforms"), |object| {
        object["data"]["names"] = "by hand".into();
    });
    edited.unwrap();
    let live =
        Live::from_value(sim.object("configmaps", Some("t0"), "platforms").unwrap()).unwrap();
    let cluster = scene.clusters.get("east").unwrap();
    let stored = store::tenant(&cluster.reader(), "t0")
        .await
        .unwrap()
        .unwrap();
    let mut record = stored.value.clone();
    let is_meant = |line: &&Line| line.object.name == "platforms";
    let mut deceived = record.inventory.lines().find(is_meant).unwrap().clone();
    deceived.written = apply::written(&live, &deceived.written.unwrap().digest);
    record.inventory.insert(deceived);
    store::swap_tenant(&cluster.writer(), &record, Some(&stored))
        .await
        .unwrap();
}

/// Carries an order out: how it ended, and what was told of objects that were wrongly skipped.
async fn heard(scene: &Scene, order: &Order<'_>) -> (Option<Outcome>, Vec<String>) {
    let mut told = Vec::new();
    let mut hear = |heard: Heard<'_>| {
        if let Heard::Event { event, .. } = heard
            && let What::FalseNoOp { tenant, objects } = &event.what
        {
            told.push(format!("{tenant}: {}", objects.join(", ")));
        }
    };
    let carried = engine::roll_out(order, scene.world(&mut hear)).await;
    (outcome(&carried.unwrap()), told)
}

/// Everybody runs the first release.
async fn begin(scene: &Scene) {
    scene.roll_out(&scene.release("aaaa", "1")).await;
    scene.pass(5).await;
}

#[test]
fn an_object_that_was_wrongly_skipped_raises_an_alarm_and_is_left_as_it_is() {
    simulated(|scene| async move {
        begin(&scene).await;
        deceive(&scene).await;
        let release = scene.release("bbbb", "2");
        let (ended, told) = heard(&scene, &release.order("job 1")).await;
        assert_eq!(ended, Some(Outcome::SucceededWithExceptions));
        assert_eq!(told, ["t0: ConfigMap/platforms (.data.names)"]);
        let object = scene.sims["east"]
            .object("configmaps", Some("t0"), "platforms")
            .unwrap();
        assert_eq!(object["data"]["names"], "by hand");
    });
}

#[test]
fn the_alarm_is_not_forgotten_when_the_process_is_killed() {
    simulated(|scene| async move {
        begin(&scene).await;
        deceive(&scene).await;
        let release = scene.release("bbbb", "2");
        killed_at(&scene, &release, |what| {
            matches!(what, What::TenantHealthy { .. })
        })
        .await;
        let carried = scene.roll_out(&release).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
    });
}

#[test]
fn nobody_is_asked_if_nobody_wants_it() {
    simulated(|scene| async move {
        begin(&scene).await;
        deceive(&scene).await;
        let release = scene.release("bbbb", "2");
        let order = Order {
            verify_sample: 0,
            ..release.order("job 1")
        };
        let (ended, told) = heard(&scene, &order).await;
        assert_eq!(ended, Some(Outcome::Succeeded));
        assert_eq!(told, Vec::<String>::new());
    });
}

/// Somebody edits what is skipped at every moment: that is no mistake of ours.
#[test]
fn who_edits_an_object_meanwhile_raises_no_alarm() {
    simulated(|scene| async move {
        begin(&scene).await;
        let release = scene.release("bbbb", "2");
        let editing = async {
            for number in 0_u32.. {
                scene.sims["east"]
                    .edit("configmaps", (Some("t0"), "platforms"), |object| {
                        object["data"]["names"] = number.to_string().into();
                    })
                    .unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let order = release.order("job 1");
        let told = tokio::select! {
            (_, told) = heard(&scene, &order) => told,
            () = editing => panic!("numbers have no end"),
        };
        assert_eq!(told, Vec::<String>::new());
    });
}
