//! The status of a pod as a kubelet writes it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::course::{Containers, Course, pull_message};
use crate::sim::behaviour::Conduct;
use crate::sim::random;
use crate::sim::state::written;
use crate::sim::view::View;

/// The status of a bound pod.
pub fn of(pod: &View, (course, conduct): (&Course, &Conduct), seed: u64, now: Timestamp) -> Value {
    let before = &pod["status"];
    let is_ready = course.containers == Containers::Running { is_ready: true };
    let is_over = matches!(course.containers, Containers::Ended { .. });
    let is_initialized = !matches!(course.containers, Containers::Creating);
    let reason = match course.containers {
        Containers::Ended { code: 0 } => Some("PodCompleted"),
        _ => None,
    };
    let facts = [
        ("PodScheduled", true, None),
        ("Initialized", is_initialized, None),
        ("Ready", is_ready, reason.or(Some("ContainersNotReady"))),
        (
            "ContainersReady",
            is_ready,
            reason.or(Some("ContainersNotReady")),
        ),
    ];
    let conditions: Vec<Value> = facts
        .map(|(kind, holds, reason)| condition(before, kind, (holds, reason), now))
        .to_vec();
    let start = if before["startTime"].is_null() {
        written(now)
    } else {
        before["startTime"].clone()
    };
    let mut status = json!({
        "phase": phase(&course.containers), "conditions": conditions, "startTime": start,
        "qosClass": "Burstable", "hostIP": "192.0.2.1", "hostIPs": [{"ip": "192.0.2.1"}],
        "containerStatuses": containers(pod, (course, conduct), now),
    });
    if pod.of_pod("initContainers").is_array() {
        status["initContainerStatuses"] = initializers(pod, course, now);
    }
    if is_initialized && !is_over {
        let address = address(pod, seed);
        status["podIPs"] = json!([{"ip": address}]);
        status["podIP"] = json!(address);
    }
    status
}

/// The status of a pod that no node takes.
pub fn unschedulable(pod: &View, why: &str, now: Timestamp) -> Value {
    let mut scheduled = condition(
        &pod["status"],
        "PodScheduled",
        (false, Some("Unschedulable")),
        now,
    );
    scheduled["message"] = json!(why);
    json!({"phase": "Pending", "conditions": [scheduled], "qosClass": "Burstable"})
}

fn phase(containers: &Containers) -> &'static str {
    match containers {
        Containers::Creating | Containers::PullFailed { .. } => "Pending",
        Containers::Running { .. } | Containers::BackingOff { .. } => "Running",
        Containers::Ended { code: 0 } => "Succeeded",
        Containers::Ended { .. } => "Failed",
    }
}

fn condition(
    before: &Value,
    kind: &str,
    (holds, reason): (bool, Option<&str>),
    now: Timestamp,
) -> Value {
    let truth = if holds { "True" } else { "False" };
    let known = before["conditions"].as_array().into_iter().flatten();
    let known = known
        .into_iter()
        .find(|known| known["type"] == kind && known["status"] == truth);
    let since = known.map_or_else(|| written(now), |known| known["lastTransitionTime"].clone());
    let mut condition =
        json!({"type": kind, "status": truth, "lastProbeTime": null, "lastTransitionTime": since});
    if let Some(reason) = reason.filter(|_| !holds) {
        condition["reason"] = json!(reason);
    }
    condition
}

fn containers(pod: &View, (course, conduct): (&Course, &Conduct), now: Timestamp) -> Vec<Value> {
    let bystander = course.of_bystander();
    let list = pod.of_pod("containers").as_array().into_iter().flatten();
    list.enumerate()
        .map(|(index, container)| {
            let before = &pod["status"]["containerStatuses"][index];
            let is_culprit = conduct.is_culprit(container);
            let course = if is_culprit { course } else { &bystander };
            container_status(container, before, course, now)
        })
        .collect()
}

fn container_status(container: &Value, before: &Value, course: &Course, now: Timestamp) -> Value {
    let is_running = matches!(course.containers, Containers::Running { .. });
    let is_ready = course.containers == Containers::Running { is_ready: true };
    json!({
        "name": container["name"], "image": container["image"], "imageID": "",
        "ready": is_ready, "started": is_running, "restartCount": course.restarts,
        "state": state(container, before, course, now), "lastState": last_state(before, course, now),
    })
}

fn state(container: &Value, before: &Value, course: &Course, now: Timestamp) -> Value {
    let image = container["image"].as_str().unwrap_or_default();
    match course.containers {
        Containers::Creating => json!({"waiting": {"reason": "ContainerCreating"}}),
        Containers::Running { .. } => {
            let running = &before["state"]["running"]["startedAt"];
            let is_same = before["restartCount"] == course.restarts && !running.is_null();
            json!({"running": {"startedAt": if is_same { running.clone() } else { written(now) }}})
        }
        Containers::BackingOff { .. } => {
            let seconds = (5_u64 << course.restarts.min(6)).min(300);
            let name = container["name"].as_str().unwrap_or_default();
            json!({"waiting": {
                "reason": "CrashLoopBackOff",
                "message": format!("back-off {seconds}s restarting failed container={name}"),
            }})
        }
        Containers::PullFailed {
            is_backing_off: false,
        } => {
            json!({"waiting": {"reason": "ErrImagePull", "message": pull_message(image)}})
        }
        Containers::PullFailed {
            is_backing_off: true,
        } => json!({"waiting": {
            "reason": "ImagePullBackOff",
            "message": format!("Back-off pulling image \"{image}\": ErrImagePull: {}", pull_message(image)),
        }}),
        Containers::Ended { code } => match &before["state"]["terminated"] {
            Value::Null => json!({"terminated": terminated(before, code, now)}),
            known => json!({"terminated": known}),
        },
    }
}

/// How the container ended last time, if it runs or waits to run again.
fn last_state(before: &Value, course: &Course, now: Timestamp) -> Value {
    let known = &before["lastState"];
    match course.containers {
        Containers::BackingOff { code }
            if before["state"]["waiting"].is_null() || known["terminated"].is_null() =>
        {
            json!({"terminated": terminated(before, code, now)})
        }
        _ if known.is_null() => json!({}),
        _ => known.clone(),
    }
}

fn terminated(before: &Value, code: i32, now: Timestamp) -> Value {
    let started = &before["state"]["running"]["startedAt"];
    json!({
        "exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
        "startedAt": if started.is_null() { written(now) } else { started.clone() }, "finishedAt": written(now),
    })
}

/// Initializers have done their work as soon as anything else happens.
fn initializers(pod: &View, course: &Course, now: Timestamp) -> Value {
    let list = pod
        .of_pod("initContainers")
        .as_array()
        .into_iter()
        .flatten()
        .enumerate();
    let statuses: Vec<Value> = list
        .map(|(index, container)| {
            let before = &pod["status"]["initContainerStatuses"][index];
            let is_done = course.containers != Containers::Creating;
            let state = match (&before["state"]["terminated"], is_done) {
                (known @ Value::Object(_), true) => json!({"terminated": known}),
                (_, true) => json!({"terminated": terminated(before, 0, now)}),
                (_, false) => json!({"waiting": {"reason": "PodInitializing"}}),
            };
            json!({
                "name": container["name"], "image": container["image"], "imageID": "", "ready": is_done,
                "restartCount": 0, "state": state, "lastState": {},
            })
        })
        .collect();
    json!(statuses)
}

fn address(pod: &View, seed: u64) -> String {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let number = random::number(seed, &["podIP", uid]);
    format!(
        "10.{}.{}.{}",
        128 + number % 64,
        (number >> 8) % 256,
        1 + (number >> 16) % 254
    )
}
