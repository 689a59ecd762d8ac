//! Pods: which of them get well by themselves.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::health::pod::{Crashes, Prospect, prospect};
use crate::health::tests::{at, crashed, live, pod, ready, waiting};
use crate::health::tolerance::{Moment, Tolerance};

fn after(seconds: i64, container: Value) -> Prospect {
    prospect_of(pod("p", ("ReplicaSet", "r"), 0, container), seconds)
}

fn prospect_of(pod: Value, seconds: i64) -> Prospect {
    let moment = Moment {
        now: at(seconds),
        written_at: None,
        tolerance: Tolerance::default(),
    };
    prospect(&live(pod), &moment, Crashes::Count)
}

fn doom_of(container: Value) -> Option<String> {
    match after(3, container) {
        Prospect::Doomed(trouble) => Some(trouble.message),
        Prospect::Waiting(_) | Prospect::Fine => None,
    }
}

#[test]
fn what_no_waiting_mends_is_doomed_at_once() {
    let doomed = [
        (
            "ErrImagePull",
            "manifest for x:7 not found: manifest unknown",
        ),
        (
            "ImagePullBackOff",
            "Back-off pulling image \"x\": ErrImagePull: x:7: not found",
        ),
        ("InvalidImageName", "couldn't parse image name"),
        ("ErrImageNeverPull", "not present with pull policy of Never"),
        ("CreateContainerConfigError", "secret \"db\" not found"),
    ];
    for (reason, message) in doomed {
        assert!(doom_of(waiting(reason, message)).is_some(), "{reason}");
    }
}

#[test]
fn what_may_pass_is_not_doomed_at_once_but_after_its_time() {
    let passing = [
        ("ImagePullBackOff", "Back-off pulling image \"x\""),
        ("ErrImagePull", "unauthorized: authentication required"),
        ("RegistryUnavailable", "503"),
        ("CreateContainerError", "context deadline exceeded"),
        ("CrashLoopBackOff", "back-off 10s"),
    ];
    for (reason, message) in passing {
        let container = waiting(reason, message);
        assert_eq!(doom_of(container.clone()), None, "{reason}");
        assert!(
            matches!(after(121, container), Prospect::Doomed(_)),
            "{reason}"
        );
    }
}

#[test]
fn a_kubelet_that_has_not_read_a_config_map_yet_is_waited_for() {
    let message = "failed to sync configmap cache: timed out waiting for the condition";
    assert_eq!(
        doom_of(waiting("CreateContainerConfigError", message)),
        None
    );
}

#[test]
fn a_command_that_the_runtime_cannot_run_is_doomed_unless_the_node_is_at_fault() {
    let cannot_run = |code: i64| {
        json!({"lastState": {"terminated": {
            "reason": "ContainerCannotRun", "exitCode": code, "message": "exec: \"sevre\": not found",
        }}})
    };
    assert_eq!(
        doom_of(cannot_run(127)).unwrap(),
        "container `php` cannot run (exit code 127, its command was not found): \
         exec: \"sevre\": not found"
    );
    assert_eq!(doom_of(cannot_run(128)), None);
}

#[test]
fn a_server_that_ends_without_an_error_crashes_too() {
    let ended =
        json!({"restartCount": 3, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
    assert_eq!(
        doom_of(ended).unwrap(),
        "container `php` crashes (exit code 0, it ends though it should go on running); \
         restarted 3 times"
    );
}

#[test]
fn an_init_container_that_crashes_dooms_its_pod() {
    let mut value = pod("p", ("ReplicaSet", "r"), 0, waiting("PodInitializing", ""));
    let mut init = crashed(3, 1);
    init["name"] = json!("migrate");
    value["status"]["initContainerStatuses"] = json!([init]);
    let Prospect::Doomed(trouble) = prospect_of(value, 40) else {
        panic!("an init container that crashes is not noticed");
    };
    assert_eq!(
        trouble.message,
        "init container `migrate` crashes (exit code 1); restarted 3 times"
    );
}

#[test]
fn the_worst_container_is_named() {
    let mut value = pod("p", ("ReplicaSet", "r"), 0, crashed(1, 1));
    let mut sidecar = waiting("InvalidImageName", "");
    sidecar["name"] = json!("sidecar");
    value["status"]["containerStatuses"]
        .as_array_mut()
        .unwrap()
        .push(sidecar);
    let Prospect::Doomed(trouble) = prospect_of(value, 3) else {
        panic!("an image name that is none is not noticed");
    };
    assert_eq!(trouble.container.as_deref(), Some("sidecar"));
}

#[test]
fn out_of_memory_is_said_in_words() {
    let mut killed = crashed(3, 137);
    killed["lastState"]["terminated"]["reason"] = json!("OOMKilled");
    assert_eq!(
        doom_of(killed).unwrap(),
        "container `php` crashes (exit code 137, out of memory (OOMKilled)); restarted 3 times"
    );
}

fn unscheduled(reason: &str) -> Value {
    let mut value = pod("p", ("ReplicaSet", "r"), 0, json!({}));
    value["status"]["containerStatuses"] = json!([]);
    value["status"]["conditions"] = json!([{
        "type": "PodScheduled", "status": "False", "reason": reason,
        "message": "0/3 nodes are available: 3 Insufficient cpu.", "lastTransitionTime": at(0),
    }]);
    value
}

#[test]
fn t75_a_pod_without_a_node_waits_minutes_for_an_autoscaler() {
    let Prospect::Waiting(trouble) = prospect_of(unscheduled("Unschedulable"), 60) else {
        panic!("a minute without a node is no failure");
    };
    assert_eq!(
        trouble.message,
        "finds no node: 0/3 nodes are available: 3 Insufficient cpu."
    );
    assert!(matches!(
        prospect_of(unscheduled("Unschedulable"), 301),
        Prospect::Doomed(_)
    ));
    assert!(matches!(
        prospect_of(unscheduled("SchedulingGated"), 3_000),
        Prospect::Waiting(_)
    ));
}

#[test]
fn the_wait_for_a_node_is_not_held_against_the_registry() {
    let mut value = pod("p", ("ReplicaSet", "r"), 0, waiting("ErrImagePull", "503"));
    value["status"]["conditions"] = json!([
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(200)},
    ]);
    assert!(matches!(
        prospect_of(value.clone(), 300),
        Prospect::Waiting(_)
    ));
    assert!(matches!(prospect_of(value, 321), Prospect::Doomed(_)));
}

#[test]
fn a_failed_pod_is_doomed_but_not_for_what_its_node_did() {
    let mut value = pod("p", ("ReplicaSet", "r"), 0, json!({}));
    value["status"]["phase"] = json!("Failed");
    assert!(matches!(prospect_of(value.clone(), 1), Prospect::Doomed(_)));
    for reason in ["Evicted", "Preempting", "NodeShutdown", "OutOfcpu"] {
        value["status"]["reason"] = json!(reason);
        assert!(
            matches!(prospect_of(value.clone(), 1), Prospect::Waiting(_)),
            "{reason}"
        );
    }
}

#[test]
fn a_ready_pod_is_fine_whatever_happened_before() {
    let mut value = ready();
    value["restartCount"] = json!(40);
    assert_eq!(after(3, value), Prospect::Fine);
}

#[test]
fn tolerances_can_be_chosen() {
    let tolerance: Tolerance =
        serde_json::from_value(json!({"restarts": 10, "pulling": "PT5M"})).unwrap();
    assert_eq!(tolerance.pulling, SignedDuration::from_mins(5));
    assert_eq!(tolerance.crashing, Tolerance::default().crashing);
    let moment = Moment {
        now: at(60),
        written_at: None,
        tolerance,
    };
    let value = live(pod("p", ("ReplicaSet", "r"), 0, crashed(9, 1)));
    assert!(matches!(
        prospect(&value, &moment, Crashes::Count),
        Prospect::Waiting(_)
    ));
}
