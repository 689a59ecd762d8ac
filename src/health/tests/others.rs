//! The other workloads with their pods: StatefulSet, DaemonSet, Job.

use serde_json::{Value, json};

use crate::health::Verdict::{Failed, Healthy, Progressing};
use crate::health::tests::{Around, at, crashed, live, pod, ready, said, waiting};
use crate::health::{judge, pods_in_the_way};

/// A StatefulSet `db` of two, updating from `old` to `new`; `db-1` is the first to go.
fn stateful_set() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "acme", "uid": "db", "generation": 2},
        "spec": {"replicas": 2, "updateStrategy": {
            "type": "RollingUpdate", "rollingUpdate": {"partition": 0},
        }},
        "status": {
            "observedGeneration": 2, "replicas": 2, "readyReplicas": 1, "availableReplicas": 1,
            "currentReplicas": 1, "updatedReplicas": 1,
            "currentRevision": "old", "updateRevision": "new",
        },
    })
}

fn updated() -> Value {
    let mut value = stateful_set();
    value["status"] = json!({
        "observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "availableReplicas": 2,
        "currentReplicas": 2, "updatedReplicas": 2,
        "currentRevision": "new", "updateRevision": "new",
    });
    value
}

fn db_pod(name: &str, revision: &str, container: Value) -> Value {
    let mut value = pod(name, ("StatefulSet", "db"), 10, container);
    value["metadata"]["labels"]["controller-revision-hash"] = json!(revision);
    value
}

fn with(pods: Vec<Value>) -> Around {
    Around {
        pods: pods.into_iter().map(live).collect(),
        ..Around::default()
    }
}

#[test]
fn one_doomed_pod_of_the_new_revision_dooms_a_stateful_set() {
    let around = with(vec![
        db_pod("db-0", "old", ready()),
        db_pod("db-1", "new", crashed(3, 1)),
    ]);
    assert_eq!(
        said(&around.judge(&live(stateful_set()), 60)),
        (
            Failed,
            "CrashLoopBackOff",
            "pod `db-1`: container `php` crashes (exit code 1); restarted 3 times"
        )
    );
}

#[test]
fn an_old_pod_that_crashes_does_not_doom_a_stateful_set() {
    let around = with(vec![
        db_pod("db-0", "old", crashed(30, 1)),
        db_pod("db-1", "new", ready()),
    ]);
    let health = around.judge(&live(stateful_set()), 60);
    assert_eq!(health.verdict, Progressing);
    assert_eq!(
        health.message,
        "1 of 2 replicas ready; pod `db-0` of the old revision is in the way of the update: \
         container `php` crashes (exit code 1); restarted 30 times"
    );
}

#[test]
fn t92_the_pod_that_keeps_a_rollback_from_going_on_is_named() {
    // `db-1` is of the bad revision that was rolled back: the controller waits for it for ever.
    let around = with(vec![
        db_pod("db-0", "new", ready()),
        db_pod(
            "db-1",
            "bad",
            waiting("ImagePullBackOff", "image: not found"),
        ),
    ]);
    let in_the_way = pods_in_the_way(&live(stateful_set()), &around.surroundings(20));
    assert_eq!(in_the_way.len(), 1);
    assert_eq!(in_the_way[0].object.name, "db-1");
    assert_eq!(in_the_way[0].uid, "db-1");
}

#[test]
fn t92_a_pod_that_only_does_not_get_ready_is_in_the_way_after_a_while() {
    let unready = json!({"ready": false, "state": {"running": {}}});
    let around = with(vec![db_pod("db-1", "bad", unready)]);
    assert_eq!(
        pods_in_the_way(&live(stateful_set()), &around.surroundings(20)),
        []
    );
    assert_eq!(
        pods_in_the_way(&live(stateful_set()), &around.surroundings(130)).len(),
        1
    );
}

#[test]
fn pods_of_the_wanted_revision_or_of_a_partition_are_in_nobodys_way() {
    let missing = waiting("ImagePullBackOff", "image: not found");
    let around = with(vec![db_pod("db-1", "new", missing.clone())]);
    assert_eq!(
        pods_in_the_way(&live(stateful_set()), &around.surroundings(20)),
        []
    );

    let around = with(vec![db_pod("db-1", "bad", missing)]);
    let mut kept = stateful_set();
    kept["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(2);
    assert_eq!(pods_in_the_way(&live(kept), &around.surroundings(20)), []);
    let mut by_hand = stateful_set();
    by_hand["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    assert_eq!(
        pods_in_the_way(&live(by_hand), &around.surroundings(20)),
        []
    );
}

#[test]
fn t76_on_delete_and_partition_do_not_hang() {
    let mut by_hand = updated();
    by_hand["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    by_hand["status"]["currentRevision"] = json!("old");
    by_hand["status"]["updatedReplicas"] = json!(0);
    assert_eq!(
        said(&judge(&live(by_hand.clone()), at(0))),
        (
            Healthy,
            "OnDelete",
            "2 replicas ready; pods get the new revision when somebody deletes them (OnDelete)"
        )
    );
    by_hand["status"]["readyReplicas"] = json!(1);
    assert_eq!(judge(&live(by_hand), at(0)).verdict, Progressing);

    let mut kept = updated();
    kept["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = json!(1);
    kept["status"]["currentRevision"] = json!("old");
    kept["status"]["updatedReplicas"] = json!(1);
    assert_eq!(judge(&live(kept), at(0)).reason, "PartitionUpdated");
}

#[test]
fn a_stateful_set_is_healthy_when_its_update_is_recorded_as_complete() {
    assert_eq!(judge(&live(updated()), at(0)).verdict, Healthy);
    let mut almost = updated();
    almost["status"]["currentRevision"] = json!("old");
    assert_eq!(judge(&live(almost), at(0)).reason, "UpdateNotComplete");
    let mut none = updated();
    none["spec"]["replicas"] = json!(0);
    none["status"] = json!({"observedGeneration": 2, "replicas": 0});
    assert_eq!(judge(&live(none), at(0)).verdict, Healthy);
}

fn daemon_set() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {
            "name": "logs", "namespace": "acme", "uid": "logs", "generation": 2,
            "annotations": {"deprecated.daemonset.template.generation": "2"},
        },
        "status": {
            "observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
            "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1,
        },
    })
}

fn logs_pod(name: &str, template: &str, container: Value) -> Value {
    let mut value = pod(name, ("DaemonSet", "logs"), 10, container);
    value["metadata"]["labels"]["pod-template-generation"] = json!(template);
    value
}

#[test]
fn a_daemon_set_is_doomed_by_any_new_pod_and_by_no_old_one() {
    let around = with(vec![logs_pod("logs-a", "1", crashed(9, 1))]);
    assert_eq!(around.judge(&live(daemon_set()), 60).verdict, Progressing);
    let around = with(vec![
        logs_pod("logs-a", "1", ready()),
        logs_pod("logs-b", "2", crashed(9, 1)),
    ]);
    assert_eq!(around.judge(&live(daemon_set()), 60).verdict, Failed);
}

#[test]
fn a_node_without_room_does_not_doom_a_daemon_set() {
    let mut pod = logs_pod("logs-b", "2", json!({}));
    pod["status"]["containerStatuses"] = json!([]);
    pod["status"]["conditions"] =
        json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]);
    let health = with(vec![pod]).judge(&live(daemon_set()), 3_600);
    assert_eq!(health.verdict, Progressing);
    assert_eq!(health.culprit.unwrap().object.name, "logs-b");
}

#[test]
fn t76_a_daemon_set_that_people_update_does_not_hang() {
    let mut value = daemon_set();
    value["spec"] = json!({"updateStrategy": {"type": "OnDelete"}});
    value["status"]["numberAvailable"] = json!(2);
    value["status"]["numberReady"] = json!(2);
    assert_eq!(judge(&live(value), at(0)).verdict, Healthy);
}

#[test]
fn a_job_counts_its_crashes_itself_but_cannot_count_what_never_starts() {
    let job = live(json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "namespace": "acme", "uid": "migrate"},
        "status": {"startTime": at(0), "active": 1},
    }));
    let owner = ("Job", "migrate");
    let crashes = with(vec![pod("migrate-1", owner, 0, crashed(4, 1))]);
    assert_eq!(crashes.judge(&job, 600).verdict, Progressing);
    let mut failed = pod("migrate-1", owner, 0, json!({}));
    failed["status"]["phase"] = json!("Failed");
    assert_eq!(with(vec![failed]).judge(&job, 600).verdict, Progressing);
    let missing = waiting("ErrImagePull", "manifest unknown");
    let unstarted = with(vec![pod("migrate-1", owner, 0, missing)]);
    assert_eq!(unstarted.judge(&job, 5).verdict, Failed);
}

#[test]
fn pods_of_another_namespace_are_left_aside() {
    let mut foreign = db_pod("db-1", "new", crashed(9, 1));
    foreign["metadata"]["namespace"] = json!("other");
    let health = with(vec![foreign]).judge(&live(stateful_set()), 60);
    assert_eq!(health.culprit, None);
}
