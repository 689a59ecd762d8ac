//! The traps of the notes (T-70 to T-86, T-92), one sentence each, and the objects they are told with.

mod any_json;
mod deployments;
mod kinds;
mod others;
mod pods;
mod tenants;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::health::{ObjectHealth, Surroundings, Tolerance, Verdict, judge_workload};
use crate::manifest::Live;

/// So many seconds after midnight.
pub(super) fn at(seconds: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_secs(seconds)
}

pub(super) fn live(value: Value) -> Live {
    Live::from_value(value).unwrap()
}

/// What is said, without the object.
pub(super) fn said(health: &ObjectHealth) -> (Verdict, &str, &str) {
    (health.verdict, &health.reason, &health.message)
}

/// A place in which a workload is judged.
#[derive(Clone, Default)]
pub(super) struct Around {
    pub pods: Vec<Live>,
    pub replica_sets: Vec<Live>,
    pub written_at: Option<i64>,
}

impl Around {
    pub fn judge(&self, workload: &Live, now: i64) -> ObjectHealth {
        judge_workload(workload, &self.surroundings(now))
    }

    pub fn surroundings(&self, now: i64) -> Surroundings<'_> {
        Surroundings {
            pods: &self.pods,
            replica_sets: &self.replica_sets,
            written_at: self.written_at.map(at),
            now: at(now),
            tolerance: Tolerance::default(),
        }
    }
}

/// A Deployment `web` of `replicas`, all of which run, at generation 2 and revision 2.
pub(super) fn deployment(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "acme", "uid": "deployment", "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"},
        },
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": {"app": "web"}},
        },
        "status": {
            "observedGeneration": 2,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
            "conditions": [
                {"type": "Available", "status": "True"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        },
    })
}

/// The same in the middle of a rollout: one new pod, not ready.
pub(super) fn deployment_in_rollout(replicas: i64) -> Value {
    let mut value = deployment(replicas);
    value["status"] = json!({
        "observedGeneration": 2,
        "replicas": replicas + 1,
        "updatedReplicas": 1,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "conditions": [
            {"type": "Available", "status": "True"},
            {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"},
        ],
    });
    value
}

/// The ReplicaSet of a revision of `web`; its uid is its name.
pub(super) fn replica_set(name: &str, revision: i64) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": "acme", "uid": name, "generation": 1,
            "annotations": {"deployment.kubernetes.io/revision": revision.to_string()},
            "ownerReferences": [
                {"kind": "Deployment", "name": "web", "uid": "deployment", "controller": true},
            ],
        },
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, "replicas": 1},
    })
}

/// A pod of an owner whose uid is its name, made at `created`, with the status of its one
/// container `php`.
pub(super) fn pod(name: &str, owner: (&str, &str), created: i64, container: Value) -> Value {
    let mut status =
        json!({"name": "php", "image": "registry.example.com/web:7", "restartCount": 0});
    let Value::Object(container) = container else {
        panic!("a container's status is a map");
    };
    for (field, value) in container {
        status[field] = value;
    }
    let is_ready = status["ready"] == true;
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "acme", "uid": name,
            "creationTimestamp": at(created),
            "labels": {"app": "web"},
            "ownerReferences": [
                {"kind": owner.0, "name": owner.1, "uid": owner.1, "controller": true},
            ],
        },
        "spec": {"restartPolicy": "Always"},
        "status": {
            "phase": if is_ready { "Running" } else { "Pending" },
            "conditions": [{"type": "Ready", "status": if is_ready { "True" } else { "False" }}],
            "containerStatuses": [status],
        },
    })
}

pub(super) fn ready() -> Value {
    json!({"ready": true, "state": {"running": {}}})
}

/// In the wait before the next start, after so many restarts.
pub(super) fn crashed(restarts: i64, exit_code: i64) -> Value {
    json!({
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}},
        "lastState": {"terminated": {"exitCode": exit_code, "reason": "Error"}},
    })
}

pub(super) fn waiting(reason: &str, message: &str) -> Value {
    json!({"state": {"waiting": {"reason": reason, "message": message}}})
}
