//! Tenants that others installed are taken over: nothing restarts, nothing is lost, and what differs is told.

mod differs;
mod from_helm;
mod kills;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use escale::engine::{self, Adoption, Ended, Ending, Found, Heard, Look, Records, Who};
use escale::record::{Action, Keep, Outcome, PackedBundle};
use escale::rollout;
use flate2::Compression;
use flate2::write::GzEncoder;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};

use crate::scene::{Release, Scene, outcome, simulated, who};

/// Who installed a tenant, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// `kubectl apply`.
    Kubectl,
    /// `kubectl apply --server-side`.
    ServerSide,
    Helm,
}

/// All tenants as others installed them: what a release renders for them, changed by hand here and there.
pub async fn install(scene: &Scene, release: &Release, by: By, change: impl Fn(&mut Value)) {
    for (tenant, bundle) in &release.bundles {
        let place = release.fleet.tenant(tenant).expect("a tenant");
        let mut objects: Vec<Value> = Vec::new();
        let bundle = bundle.as_ref().expect("it rendered").unpack();
        for manifest in bundle.ordinary() {
            let mut object = manifest.value().clone();
            change(&mut object);
            objects.push(object);
        }
        let client = scene.sims[&place.cluster].client();
        for object in &objects {
            create(&client, object.clone(), by).await;
        }
        if by == By::Helm {
            let release = helm_release(tenant, &objects);
            create(&client, release, By::Helm).await;
        }
    }
    scene.pass(2).await;
}

pub fn api(client: &kube::Client, object: &Value) -> Api<DynamicObject> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let api_version = text("/apiVersion").expect("a version");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = GroupVersionKind::gvk(group, version, text("/kind").expect("a kind"));
    let resource = ApiResource::from_gvk(&kind);
    match text("/metadata/namespace") {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

async fn create(client: &kube::Client, mut object: Value, by: By) {
    let api = api(client, &object);
    let name = object["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let manager = match by {
        By::ServerSide => {
            let params = PatchParams::apply("kubectl");
            api.patch(&name, &params, &Patch::Apply(&object))
                .await
                .expect("applied");
            return;
        }
        By::Kubectl => {
            let last = object.to_string();
            object["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] =
                last.into();
            "kubectl-client-side-apply"
        }
        By::Helm => {
            if object["kind"] != "Secret" && object["kind"] != "Namespace" {
                object["metadata"]["annotations"]["meta.helm.sh/release-name"] = "site".into();
                object["metadata"]["annotations"]["meta.helm.sh/release-namespace"] =
                    object["metadata"]["namespace"].clone();
                object["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm".into();
            }
            "helm"
        }
    };
    let params = PostParams {
        field_manager: Some(manager.to_owned()),
        ..PostParams::default()
    };
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    api.create(&params, &object).await.expect("created");
}

/// The Secret in which Helm 3 remembers a release.
fn helm_release(tenant: &str, objects: &[Value]) -> Value {
    let objects = objects
        .iter()
        .filter(|object| object["kind"] != "Namespace");
    let manifest: Vec<String> = objects.map(|object| format!("---\n{object}\n")).collect();
    let release = json!({"name": "site", "version": 3, "manifest": manifest.concat()});
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut zipped, release.to_string().as_bytes()).expect("in memory");
    let inner = STANDARD.encode(zipped.finish().expect("in memory"));
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {
            "name": "sh.helm.release.v1.site.v3", "namespace": tenant,
            "labels": {"owner": "helm", "name": "site", "status": "deployed", "version": "3"},
        },
        "data": {"release": STANDARD.encode(inner)},
    })
}

/// What is found of all tenants, by name.
pub async fn looks(scene: &Scene, release: &Release, from_helm: bool) -> BTreeMap<String, Look> {
    let records = Records::read(&scene.clusters, "test").await;
    let mut looks = BTreeMap::new();
    for tenant in &release.fleet.tenants {
        let sides = (&release.bundles, &records);
        let look = engine::look(&scene.clusters, tenant, sides, from_helm).await;
        looks.insert(tenant.name.clone(), look);
    }
    looks
}

pub fn found(looks: BTreeMap<String, Look>) -> Vec<Found> {
    let found = looks.into_values().filter_map(|look| match look {
        Look::Found(found) => Some(*found),
        Look::Adopted | Look::Nothing => None,
        Look::Refused(why) => panic!("{why}"),
    });
    found.collect()
}

pub async fn adopt(scene: &Scene, release: &Release, from_helm: bool) -> Ended {
    let mut deaf = |_: Heard<'_>| {};
    let found = found(looks(scene, release, from_helm).await);
    let records = Records::read(&scene.clusters, "test").await;
    let adoption = Adoption {
        found,
        environment: "test".to_owned(),
        release: release.id.clone(),
        who: who("ana"),
        strategy: release.order("ana").strategy,
        keep: Keep::default(),
        records: records.into_tenants(),
        ends_helm: from_helm,
    };
    engine::adopt(adoption, scene.world(&mut deaf))
        .await
        .expect("it runs")
}

pub fn succeeded(ended: &Ended) {
    let is_success = matches!(
        &ended.ending,
        Ending::Finished {
            outcome: rollout::Outcome::Succeeded,
            ..
        }
    );
    assert!(is_success, "{:?}", ended.ending);
}

/// The uids of all pods, and the generations of what makes them.
pub fn running(scene: &Scene) -> BTreeMap<String, Value> {
    let mut running = BTreeMap::new();
    for (cluster, sim) in &scene.sims {
        for pod in sim.objects("pods") {
            let metadata = &pod["metadata"];
            running.insert(
                format!("{cluster}/{}/{}", metadata["namespace"], metadata["name"]),
                metadata["uid"].clone(),
            );
        }
        for deployment in sim.objects("deployments.apps") {
            let metadata = &deployment["metadata"];
            running.insert(
                format!("{cluster}/{}", metadata["namespace"]),
                metadata["generation"].clone(),
            );
        }
    }
    running
}

pub fn web(scene: &Scene, cluster: &str, tenant: &str) -> Value {
    let found = scene.sims[cluster].object("deployments.apps", Some(tenant), "web");
    found.expect("it is there")
}

#[test]
fn what_is_as_the_templates_say_is_taken_over_without_a_restart_and_nothing_is_left_to_do() {
    for by in [By::Kubectl, By::ServerSide] {
        simulated(|scene| async move {
            let release = scene.release("aaaa", "1");
            install(&scene, &release, by, |_| {}).await;
            let before = running(&scene);
            assert_eq!(before.len(), 18, "two pods and a deployment each");
            let all = found(looks(&scene, &release, false).await);
            assert_eq!(all.len(), 6);
            assert!(
                all.iter()
                    .all(|found| found.is_as_wanted && found.changes.is_empty())
            );
            succeeded(&adopt(&scene, &release, false).await);
            assert_eq!(running(&scene), before);
            for (tenant, bundle) in &release.bundles {
                let record = scene.record(tenant).await;
                assert_eq!(
                    record.digest.as_ref(),
                    bundle.as_ref().ok().map(PackedBundle::digest)
                );
                assert_eq!(record.release.as_deref(), Some("aaaa"));
                assert_eq!(record.state, Outcome::Succeeded);
                assert_eq!(record.history[0].action, Action::Adopt);
                assert_eq!(record.inventory.len(), 3);
            }
            scene.pass(5).await;
            scene.forget_requests();
            let carried = scene.roll_out(&release).await;
            assert!(matches!(carried, engine::Carried::NothingToDo { .. }));
            assert_eq!(
                scene.writes(),
                ["Apply namespaces Some(\"escale-system\")"],
                "on the hub"
            );

            let looks = looks(&scene, &release, false).await;
            assert!(looks.values().all(|look| matches!(look, Look::Adopted)));
        });
    }
}

#[test]
fn a_field_that_leaves_the_templates_leaves_what_was_taken_over() {
    for by in [By::Kubectl, By::ServerSide] {
        simulated(|mut scene| async move {
            let template = scene
                .files
                .get_mut("templates/site/all.yaml.j2")
                .expect("a template");
            *template = template.replace(
                "image: \"{{ versions.web }}\"",
                "image: \"{{ versions.web }}\", env: [{name: OLD, value: \"1\"}]",
            );
            let release = scene.release("aaaa", "1");
            install(&scene, &release, by, |_| {}).await;
            succeeded(&adopt(&scene, &release, false).await);
            scene.pass(5).await;
            let template = scene
                .files
                .get_mut("templates/site/all.yaml.j2")
                .expect("a template");
            *template = template.replace(", env: [{name: OLD, value: \"1\"}]", "");
            let carried = scene.roll_out(&scene.release("bbbb", "1")).await;
            assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
            let container = &web(&scene, "west", "t1")["spec"]["template"]["spec"]["containers"][0];
            assert_eq!(container["env"], Value::Null, "nobody else keeps it");
        });
    }
}

#[test]
fn who_has_nothing_there_is_left_to_a_rollout_and_who_is_adopted_goes_back_to_what_was_found() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        let looks = looks(&scene, &release, false).await;
        assert!(looks.values().all(|look| matches!(look, Look::Nothing)));
        install(&scene, &release, By::Kubectl, |_| {}).await;
        succeeded(&adopt(&scene, &release, false).await);
        scene.pass(5).await;
        let bad = scene.release("bbbb", "2-crash");
        let carried = scene.roll_out(&bad).await;
        assert_eq!(outcome(&carried), Some(rollout::Outcome::RolledBack));
        assert!(scene.images().values().all(|tag| tag == "1"));
    });
}

#[test]
fn a_tenant_is_let_go_and_taken_over_again() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::Kubectl, |_| {}).await;
        succeeded(&adopt(&scene, &release, false).await);
        let before = running(&scene);
        let records = Records::read(&scene.clusters, "test").await;
        let stored = records.readable("west", "t1").expect("a record").clone();
        let who = Who {
            name: "ana".to_owned(),
            holder: "ana".to_owned(),
            why: "it moves".to_owned(),
        };
        let doer = engine::Doer {
            who: &who,
            environment: "test",
            keep: Keep::default(),
            secrets: escale::secret::Secrets::stand_ins(),
            clock: scene.clock,
        };
        let cluster = scene.clusters.get("west").expect("a cluster");
        let objects = engine::leave(cluster, &doer, stored)
            .await
            .expect("it is let go");
        assert_eq!(objects, 3);
        assert_eq!(running(&scene), before);
        let left = web(&scene, "west", "t1");
        let text = left.to_string();
        assert!(
            !text.contains("escale") && !text.contains("part-of"),
            "{text}"
        );
        let records = Records::read(&scene.clusters, "test").await;
        assert!(records.readable("west", "t1").is_none());

        succeeded(&adopt(&scene, &release, false).await);
        assert_eq!(running(&scene), before);
        assert_eq!(scene.record("t1").await.state, Outcome::Succeeded);
    });
}

#[test]
fn canaries_come_first_and_nobody_else_is_touched_if_they_do_not_get_through() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::Kubectl, |_| {}).await;
        // Once somebody writes to it, its pods crash: what restarts them is not us, and it is noticed all the same.
        scene.break_image("web:1", ("east", "t0"));
        scene.pass(2).await;
        let all = found(looks(&scene, &release, false).await);
        assert_eq!(all.len(), 6);
        let ended = adopt(&scene, &release, false).await;
        let record = scene.record("t0").await;
        assert_eq!(record.state, Outcome::UnhealthyBefore, "{:?}", ended.ending);
    });
}

#[test]
fn an_object_of_another_tenant_of_ours_is_refused_before_anything_is_written() {
    simulated(|scene| async move {
        let release = scene.release("aaaa", "1");
        install(&scene, &release, By::Kubectl, |object| {
            if object["kind"] == "ConfigMap" && object["metadata"]["namespace"] == "t3" {
                object["metadata"]["annotations"]["escale.dev/owner"] =
                    "other/x//ConfigMap/t3/platforms".into();
            }
        })
        .await;
        let looks = looks(&scene, &release, false).await;
        let Look::Refused(why) = &looks["t3"] else {
            panic!("it is somebody else's")
        };
        assert!(why.contains("carries the mark of another tenant"), "{why}");
        assert!(matches!(looks["t1"], Look::Found(_)));
    });
}
