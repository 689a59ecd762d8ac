//! What a client of a simulated cluster sees, through `kube::Client`.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
};
use serde_json::{Value, json};

use super::{Fault, Options, RequestFaults, SimCluster};

mod controllers;
mod pages;
mod since;
mod together;
mod workloads;

/// A cluster whose clock is tokio's, which tests pause and advance.
fn cluster(seed: u64) -> SimCluster {
    SimCluster::new(options(seed))
}

fn options(seed: u64) -> Options {
    let start = tokio::time::Instant::now();
    let epoch: Timestamp = "2026-11-22T08:00:00Z".parse().expect("a time");
    Options {
        name: "test".to_owned(),
        seed,
        clock: Arc::new(move || {
            epoch + SignedDuration::try_from(start.elapsed()).expect("tests are short")
        }),
        nodes: 3,
    }
}

fn api(cluster: &SimCluster, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let (group, kind) = match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => ("apps", kind),
        "Job" => ("batch", kind),
        "Ingress" => ("networking.k8s.io", kind),
        kind => ("", kind),
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    match namespace {
        Some(namespace) => Api::namespaced_with(cluster.client(), namespace, &resource),
        None => Api::all_with(cluster.client(), &resource),
    }
}

async fn apply(cluster: &SimCluster, object: Value) -> Result<Value, kube::Error> {
    apply_as(cluster, object, &PatchParams::apply("escale")).await
}

async fn apply_as(
    cluster: &SimCluster,
    object: Value,
    params: &PatchParams,
) -> Result<Value, kube::Error> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let api = api(
        cluster,
        text("/kind").expect("a kind"),
        text("/metadata/namespace"),
    );
    let name = text("/metadata/name").expect("a name").to_owned();
    let applied = api.patch(&name, params, &Patch::Apply(object)).await?;
    Ok(serde_json::to_value(applied).expect("an object"))
}

async fn with_namespace(seed: u64) -> SimCluster {
    let cluster = cluster(seed);
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t1", "labels": {"a": "b"}}});
    apply(&cluster, namespace).await.expect("a namespace");
    cluster
}

fn config(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "t1"}, "data": {"key": value}})
}

fn workload(kind: &str, image: &str) -> Value {
    let version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
    let mut object = json!({
        "apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "t1"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}},
        },
    });
    match kind {
        "Deployment" => object["spec"]["replicas"] = json!(2),
        "StatefulSet" => {
            object["spec"]["replicas"] = json!(2);
            object["spec"]["serviceName"] = json!("web");
        }
        "Job" => {
            object["spec"] = json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "job", "image": image}]}}});
        }
        _ => {}
    }
    object
}

fn status(error: kube::Error) -> kube::core::Status {
    match error {
        kube::Error::Api(status) => *status,
        other => panic!("expected a status: {other:?}"),
    }
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_becomes_available_and_says_so_as_the_real_controllers_do() {
    let cluster = with_namespace(1).await;
    let applied = apply(&cluster, workload("Deployment", "web:1"))
        .await
        .expect("applied");
    assert_eq!(applied["metadata"]["generation"], 1);
    assert_eq!(applied["status"], json!({}));
    wait(1).await;
    let progressing = cluster
        .object("deployments.apps", Some("t1"), "web")
        .expect("there");
    assert_eq!(
        progressing["status"]["unavailableReplicas"], 2,
        "{progressing:#}"
    );
    wait(10).await;
    let mut done = cluster
        .object("deployments.apps", Some("t1"), "web")
        .expect("there");
    let conditions = done["status"]["conditions"].take();
    assert_eq!(
        done["status"],
        json!({
            "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
            "terminatingReplicas": 0, "conditions": null,
        })
    );
    let reasons: Vec<_> = conditions
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["reason"])
        .collect();
    assert_eq!(
        reasons,
        ["MinimumReplicasAvailable", "NewReplicaSetAvailable"]
    );
    assert_eq!(
        done["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "1"
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_release_stands_beside_the_old_pods_and_a_rollback_takes_up_the_old_replica_set() {
    let cluster = with_namespace(2).await;
    for image in ["web:1", "web:2-crash"] {
        apply(&cluster, workload("Deployment", image))
            .await
            .expect("applied");
        wait(30).await;
    }
    let deployment = || {
        cluster
            .object("deployments.apps", Some("t1"), "web")
            .expect("there")
    };
    assert_eq!(
        deployment()["status"]["availableReplicas"],
        2,
        "{:#}",
        deployment()["status"]
    );
    assert_eq!(deployment()["status"]["updatedReplicas"], 1);
    let pods = cluster.objects("pods");
    let crashing = pods
        .iter()
        .find(|pod| pod["spec"]["containers"][0]["image"] == "web:2-crash")
        .expect("a pod");
    let container = &crashing["status"]["containerStatuses"][0];
    assert_eq!(
        container["state"]["waiting"]["reason"], "CrashLoopBackOff",
        "{container:#}"
    );
    assert_eq!(container["lastState"]["terminated"]["exitCode"], 1);
    assert!(
        container["restartCount"].as_u64() >= Some(1),
        "{container:#}"
    );

    apply(&cluster, workload("Deployment", "web:1"))
        .await
        .expect("applied");
    wait(10).await;
    let sets = cluster.objects("replicasets.apps");
    let revisions: Vec<_> = sets
        .iter()
        .map(|set| {
            (
                &set["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
                &set["spec"]["replicas"],
            )
        })
        .collect();
    assert_eq!(sets.len(), 2);
    assert!(
        revisions.contains(&(&json!("3"), &json!(2))),
        "{revisions:?}"
    );
    assert_eq!(deployment()["status"]["updatedReplicas"], 2);
    assert_eq!(cluster.objects("pods").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_makes_no_progress_says_so_after_its_deadline() {
    let cluster = with_namespace(3).await;
    let mut object = workload("Deployment", "web:1-never-ready");
    object["spec"]["progressDeadlineSeconds"] = json!(60);
    apply(&cluster, object).await.expect("applied");
    wait(100).await;
    let status = &cluster
        .object("deployments.apps", Some("t1"), "web")
        .expect("there")["status"];
    let progressing = status["conditions"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["type"] == "Progressing");
    assert_eq!(
        progressing.expect("there")["reason"],
        "ProgressDeadlineExceeded"
    );
}

#[tokio::test(start_paused = true)]
async fn an_apply_without_effect_changes_nothing_and_a_dry_run_stores_nothing() {
    let cluster = with_namespace(6).await;
    let first = apply(&cluster, config("a", "1")).await.expect("applied");
    wait(5).await;
    let again = apply(&cluster, config("a", "1")).await.expect("applied");
    assert_eq!(first, again);
    let dry = apply_as(
        &cluster,
        config("a", "2"),
        &PatchParams::apply("escale").dry_run(),
    )
    .await
    .expect("applied");
    assert_eq!(dry["data"]["key"], "2");
    assert_eq!(
        cluster
            .object("configmaps", Some("t1"), "a")
            .expect("there")["data"]["key"],
        "1"
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_are_worded_as_the_real_server_words_them() {
    let cluster = with_namespace(7).await;
    apply(&cluster, config("a", "1")).await.expect("applied");
    apply(&cluster, workload("Deployment", "web:1"))
        .await
        .expect("applied");

    let other = apply_as(&cluster, config("a", "2"), &PatchParams::apply("other")).await;
    let conflict = status(other.expect_err("owned by escale"));
    assert_eq!((conflict.code, conflict.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        conflict.message,
        "Apply failed with 1 conflict: conflict with \"escale\": .data.key"
    );
    let cause = &conflict.details.as_ref().expect("details").causes[0];
    assert_eq!(
        (cause.reason.as_str(), cause.field.as_str()),
        ("FieldManagerConflict", ".data.key")
    );

    let mut object = workload("Deployment", "web:1");
    object["spec"]["selector"]["matchLabels"]["x"] = json!("y");
    object["spec"]["template"]["metadata"]["labels"]["x"] = json!("y");
    let invalid = status(apply(&cluster, object).await.expect_err("immutable"));
    assert_eq!(
        invalid.message,
        "Deployment.apps \"web\" is invalid: spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"web\",\"x\":\"y\"}}: \
         field is immutable"
    );

    let mut stale = config("a", "1");
    stale["metadata"]["resourceVersion"] = json!("1");
    let forced = apply_as(
        &cluster,
        stale.clone(),
        &PatchParams::apply("escale").force(),
    )
    .await;
    assert_eq!(status(forced.expect_err("stale")).code, 409);
    stale["metadata"]["name"] = json!("new");
    apply(&cluster, stale)
        .await
        .expect("on a missing object the version is ignored");

    let mut lost = config("b", "1");
    lost["metadata"]["namespace"] = json!("nope");
    let missing = status(apply(&cluster, lost).await.expect_err("no namespace"));
    assert_eq!(
        (missing.code, missing.message.as_str()),
        (404, "namespaces \"nope\" not found")
    );
}

#[tokio::test(start_paused = true)]
async fn pages_of_a_list_show_one_moment() {
    let cluster = with_namespace(8).await;
    wait(1).await;
    for name in ["a", "b", "c", "d"] {
        apply(&cluster, config(name, "1")).await.expect("applied");
    }
    let api = api(&cluster, "ConfigMap", Some("t1"));
    let first = api
        .list(&ListParams::default().limit(2))
        .await
        .expect("a page");
    apply(&cluster, config("aa", "1")).await.expect("applied");
    apply(&cluster, config("c", "2")).await.expect("applied");
    let token = first.metadata.continue_.clone().expect("more to come");
    let rest = api
        .list(&ListParams::default().limit(10).continue_token(&token))
        .await
        .expect("a page");
    let names: Vec<_> = first
        .items
        .iter()
        .chain(&rest.items)
        .filter_map(|item| item.metadata.name.as_deref())
        .collect();
    assert_eq!(names, ["a", "b", "c", "d", "kube-root-ca.crt"]);
    assert_eq!(rest.items[0].data["data"]["key"], "1");
    wait(400).await;
    let late = api
        .list(&ListParams::default().limit(10).continue_token(&token))
        .await;
    assert_eq!(status(late.expect_err("expired")).code, 410);
}

#[tokio::test(start_paused = true)]
async fn deleting_a_deployment_takes_its_sets_and_pods_along_and_a_namespace_everything() {
    let cluster = with_namespace(9).await;
    apply(&cluster, workload("Deployment", "web:1"))
        .await
        .expect("applied");
    wait(10).await;
    let deployments = api(&cluster, "Deployment", Some("t1"));
    deployments
        .delete("web", &DeleteParams::default())
        .await
        .expect("deleted");
    wait(10).await;
    assert!(cluster.objects("replicasets.apps").is_empty());
    assert!(cluster.objects("pods").is_empty());

    apply(&cluster, config("a", "1")).await.expect("applied");
    let namespaces = api(&cluster, "Namespace", None);
    namespaces
        .delete("t1", &DeleteParams::default())
        .await
        .expect("deleted");
    let refused = status(
        apply(&cluster, config("b", "1"))
            .await
            .expect_err("terminating"),
    );
    assert_eq!((refused.code, refused.reason.as_str()), (403, "Forbidden"));
    wait(5).await;
    assert!(cluster.object("namespaces", None, "t1").is_none());
    assert!(
        cluster
            .objects("configmaps")
            .iter()
            .all(|map| map["metadata"]["namespace"] != "t1")
    );
}

#[tokio::test(start_paused = true)]
async fn faults_are_told_and_forgotten() {
    let cluster = with_namespace(10).await;
    cluster.tell(Fault::Requests(RequestFaults {
        lost: 1.0,
        latency: Duration::from_secs(1)..Duration::from_secs(2),
        ..RequestFaults::default()
    }));
    let lost = apply(&cluster, config("a", "1"))
        .await
        .expect_err("the answer is lost");
    assert!(matches!(lost, kube::Error::Service(_)), "{lost:?}");
    assert!(cluster.object("configmaps", Some("t1"), "a").is_some());
    cluster.tell(Fault::Nothing);
    apply(&cluster, config("a", "1")).await.expect("well again");
    cluster.forget_requests();
    cluster.tell(Fault::Requests(RequestFaults {
        too_many: 1.0,
        ..RequestFaults::default()
    }));
    assert_eq!(
        status(
            apply(&cluster, config("a", "2"))
                .await
                .expect_err("too many")
        )
        .code,
        429
    );
    assert_eq!(cluster.requests().mutating().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_requests_give_the_same_bytes_also_after_saving_half_way() {
    let mut ends = Vec::new();
    for is_saved in [false, true] {
        let mut cluster = with_namespace(11).await;
        apply(&cluster, workload("Deployment", "web:1"))
            .await
            .expect("applied");
        apply(&cluster, workload("StatefulSet", "db:1-crash"))
            .await
            .expect("applied");
        let begun = tokio::time::Instant::now();
        wait(3).await;
        if is_saved {
            let saved = cluster.save();
            let mut options = options(11);
            let clock = options.clock.clone();
            let elapsed = SignedDuration::try_from(begun.elapsed()).expect("short");
            options.clock = Arc::new(move || clock() + elapsed);
            cluster = SimCluster::load(options, &saved).expect("saved by us");
        }
        wait(60).await;
        ends.push(cluster.save().to_string());
    }
    assert_eq!(ends[0], ends[1]);
}
