//! What does not stand as the templates say: kept when it is taken over, told, and changed by the next rollout.

use escale::diff::ChangeKind;
use escale::engine::{Found, consent_token};
use escale::rollout;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{By, adopt, api, found, install, looks, running, succeeded, web};
use crate::scene::{Release, Scene, outcome, simulated};

async fn patch(scene: &Scene, manager: &str, patch: Value) {
    let client = scene.sims["west"].client();
    let object = web(scene, "west", "t1");
    let params = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    api(&client, &object)
        .patch("web", &params, &Patch::Merge(&patch))
        .await
        .expect("patched");
    scene.pass(2).await;
}

async fn of_t1(scene: &Scene, release: &Release) -> Found {
    let found = found(looks(scene, release, false).await);
    let mut its = found.into_iter().filter(|found| found.place.tenant == "t1");
    its.next().expect("it is there")
}

fn paths(found: &Found) -> Vec<&str> {
    let fields = found.changes.iter().flat_map(|change| &change.fields);
    fields.map(|field| field.path.as_str()).collect()
}

#[test]
fn a_restart_that_somebody_asked_for_is_no_difference_and_stays() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::Kubectl, |_| {}).await;
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": "2026-11-23T08:01:00Z"});
        patch(
            &scene,
            "kubectl-rollout",
            json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}),
        )
        .await;
        assert!(of_t1(&scene, &release).await.is_as_wanted);
        let before = running(&scene);
        succeeded(&adopt(&scene, &release, false).await);
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_ne!(running(&scene), before);
        assert_eq!(
            web(&scene, "west", "t1")["spec"]["template"]["metadata"]["annotations"],
            annotations
        );
    });
}

#[test]
fn what_was_scaled_is_kept_and_told_and_needs_no_consent() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::Kubectl, |_| {}).await;
        patch(&scene, "kubectl-scale", json!({"spec": {"replicas": 5}})).await;
        let t1 = of_t1(&scene, &release).await;
        assert_eq!(paths(&t1), [".spec.replicas"]);
        assert!(!t1.needs_consent() && !t1.is_as_wanted);
        let before = running(&scene);
        succeeded(&adopt(&scene, &release, false).await);
        assert_eq!(running(&scene), before);
        assert_eq!(scene.record("t1").await.release, None, "it is of no commit");
        let carried = scene.roll_out(&release).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(web(&scene, "west", "t1")["spec"]["replicas"], 2);
    });
}

#[test]
fn an_image_that_was_set_by_hand_needs_consent_and_is_what_a_bad_release_goes_back_to() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::Kubectl, |_| {}).await;
        let container = json!({"name": "web", "image": "registry.example.com/web:hot", "resources":
            {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "10m", "memory": "16Mi"}}});
        patch(
            &scene,
            "kubectl-set",
            json!({"spec": {"template": {"spec": {"containers": [container]}}}}),
        )
        .await;
        let t1 = of_t1(&scene, &release).await;
        assert_eq!(
            paths(&t1),
            [r#".spec.template.spec.containers[name="web"].image"#]
        );
        assert!(t1.needs_consent() && t1.changes[0].restarts);
        let before = running(&scene);
        succeeded(&adopt(&scene, &release, false).await);
        assert_eq!(running(&scene), before);
        assert_eq!(scene.images()["t1"], "hot");

        scene.pass(5).await;
        scene.roll_out(&scene.release("bbbb", "2-crash")).await;
        assert_eq!(scene.images()["t1"], "hot");
        let carried = scene.roll_out(&scene.release("cccc", "3")).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(scene.images()["t1"], "3");
    });
}

#[test]
fn what_the_templates_do_not_have_is_lost_only_with_consent_to_just_that() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::Kubectl, |object| {
            if object["kind"] == "ConfigMap" && object["metadata"]["namespace"] == "t1" {
                object["data"]["extra"] = "1".into();
            }
        })
        .await;
        let t1 = of_t1(&scene, &release).await;
        assert_eq!(paths(&t1), [".data.extra"]);
        assert!(t1.needs_consent());
        let all = found(looks(&scene, &release, false).await);
        let token = consent_token(all.iter());
        assert!(token.starts_with("1-"), "{token}");
        let others = all.iter().filter(|found| found.place.tenant != "t1");
        assert_ne!(consent_token(others), token);

        succeeded(&adopt(&scene, &release, false).await);
        let read = || {
            scene.sims["west"]
                .object("configmaps", Some("t1"), "platforms")
                .expect("it is there")
        };
        assert_eq!(
            read()["data"]["extra"],
            "1",
            "taking over takes nothing away"
        );
        let carried = scene.roll_out(&release).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert_eq!(read()["data"]["extra"], Value::Null);
    });
}

#[test]
fn what_is_missing_is_made_by_the_next_rollout() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::ServerSide, |_| {}).await;
        let client = scene.sims["west"].client();
        let object =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "t1"}});
        let gone = api(&client, &object)
            .delete("platforms", &kube::api::DeleteParams::default())
            .await;
        gone.expect("deleted");
        let t1 = of_t1(&scene, &release).await;
        assert_eq!(
            t1.changes
                .iter()
                .map(|change| change.change)
                .collect::<Vec<_>>(),
            [ChangeKind::Create]
        );
        assert!(!t1.needs_consent());
        let before = running(&scene);
        succeeded(&adopt(&scene, &release, false).await);
        scene.pass(5).await;
        let carried = scene.roll_out(&release).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        assert!(
            scene.sims["west"]
                .object("configmaps", Some("t1"), "platforms")
                .is_some()
        );
        assert_eq!(running(&scene), before);
    });
}
