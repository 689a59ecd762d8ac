//! Deployments, alone and with their ReplicaSets and pods.

use serde_json::json;

use crate::health::Verdict::{Failed, Healthy, Progressing, Suspended};
use crate::health::tests::{
    Around, at, crashed, deployment, deployment_in_rollout, live, pod, ready, replica_set, said,
    waiting,
};
use crate::health::{Culprit, judge};
use crate::manifest::ObjectRef;

/// `web` in the middle of a rollout from `web-old` to `web-new`, written at 100.
fn rollout_with(new_pods: Vec<serde_json::Value>) -> Around {
    Around {
        pods: new_pods.into_iter().map(live).collect(),
        replica_sets: vec![
            live(replica_set("web-old", 1)),
            live(replica_set("web-new", 2)),
        ],
        written_at: Some(100),
    }
}

const NEW: (&str, &str) = ("ReplicaSet", "web-new");
const OLD: (&str, &str) = ("ReplicaSet", "web-old");

#[test]
fn t70_a_missed_deadline_of_the_rollout_before_is_not_a_failure() {
    let mut value = deployment_in_rollout(2);
    value["status"]["conditions"] = json!([{
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
        "lastUpdateTime": at(50), "lastTransitionTime": at(50),
    }]);
    let web = live(value);
    let written = Around {
        written_at: Some(100),
        ..Around::default()
    };
    assert_eq!(written.judge(&web, 101).verdict, Progressing);
    // Once the deadline has passed since our write, the condition is about our write.
    assert_eq!(written.judge(&web, 700).verdict, Failed);
    // Nothing was written in this rollout: what it says stands.
    assert_eq!(Around::default().judge(&web, 101).verdict, Failed);
}

#[test]
fn a_deadline_missed_after_our_write_is_a_failure_that_names_the_pod() {
    let mut value = deployment_in_rollout(2);
    value["status"]["conditions"] = json!([{
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
        "lastUpdateTime": at(100),
    }]);
    let unready = json!({"ready": false, "state": {"running": {}}});
    let around = rollout_with(vec![pod("web-new-1", NEW, 101, unready)]);
    assert_eq!(
        said(&around.judge(&live(value), 701)),
        (
            Failed,
            "ProgressDeadlineExceeded",
            "made no progress within its deadline of 600 s: 1 of 2 replicas updated; \
             pod `web-new-1`: container `php` runs and is not ready yet"
        )
    );
}

#[test]
fn t71_fine_counters_of_an_older_generation_are_not_healthy() {
    let mut value = deployment(2);
    value["metadata"]["generation"] = json!(3);
    assert_eq!(
        said(&judge(&live(value), at(0))),
        (
            Progressing,
            "LatestGenerationNotObserved",
            "its controller has seen generation 2, not yet 3"
        )
    );
}

#[test]
fn t72_an_image_that_does_not_exist_fails_at_once_and_is_named() {
    let missing = waiting(
        "ErrImagePull",
        "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example.com/web:7\": \
         failed to resolve reference: registry.example.com/web:7: not found",
    );
    let around = rollout_with(vec![pod("web-new-1", NEW, 101, missing)]);
    let health = around.judge(&live(deployment_in_rollout(2)), 103);
    assert_eq!(
        said(&health),
        (
            Failed,
            "ErrImagePull",
            "pod `web-new-1`: container `php` has an image that its registry does not have: \
             `registry.example.com/web:7`"
        )
    );
    assert_eq!(
        health.culprit,
        Some(Culprit {
            object: ObjectRef {
                api_version: "v1".into(),
                kind: "Pod".into(),
                namespace: Some("acme".into()),
                name: "web-new-1".into(),
            },
            container: Some("php".into()),
            reason: "ErrImagePull".into(),
            message: "container `php` has an image that its registry does not have: \
                      `registry.example.com/web:7`"
                .into(),
        })
    );
}

#[test]
fn t72_a_registry_that_is_down_for_half_a_minute_is_no_failure() {
    let down = waiting("ErrImagePull", "unexpected status: 503 Service Unavailable");
    let around = rollout_with(vec![pod("web-new-1", NEW, 101, down)]);
    let web = live(deployment_in_rollout(2));
    let health = around.judge(&web, 131);
    assert_eq!(
        (health.verdict, health.reason.as_str()),
        (Progressing, "LessUpdated")
    );
    assert_eq!(
        health.message,
        "1 of 2 replicas updated; pod `web-new-1`: container `php` cannot pull its image \
         `registry.example.com/web:7`: unexpected status: 503 Service Unavailable"
    );
    assert_eq!(around.judge(&web, 222).verdict, Failed);
}

#[test]
fn a_registry_that_its_name_server_does_not_find_is_not_a_missing_image() {
    let message = "dial tcp: lookup registry.example.com: server not found";
    let around = rollout_with(vec![pod("p", NEW, 101, waiting("ErrImagePull", message))]);
    assert_eq!(
        around.judge(&live(deployment_in_rollout(2)), 103).verdict,
        Progressing
    );
}

#[test]
fn t73_an_application_that_crashes_twice_and_then_lives_is_never_failed() {
    let web = live(deployment_in_rollout(2));
    for (now, restarts) in [(110, 0), (125, 1), (150, 2)] {
        let around = rollout_with(vec![pod("web-new-1", NEW, 101, crashed(restarts, 1))]);
        assert_eq!(around.judge(&web, now).verdict, Progressing, "at {now}");
    }
    let around = rollout_with(vec![pod("web-new-1", NEW, 101, ready())]);
    assert_eq!(around.judge(&live(deployment(2)), 200).verdict, Healthy);
}

#[test]
fn three_restarts_or_two_minutes_of_crashing_are_a_failure() {
    let web = live(deployment_in_rollout(2));
    let thrice = rollout_with(vec![pod("web-new-1", NEW, 101, crashed(3, 137))]);
    assert_eq!(
        said(&thrice.judge(&web, 140)),
        (
            Failed,
            "CrashLoopBackOff",
            "pod `web-new-1`: container `php` crashes (exit code 137, it was killed (SIGKILL)); \
             restarted 3 times"
        )
    );
    let for_long = rollout_with(vec![pod("web-new-1", NEW, 101, crashed(2, 1))]);
    assert_eq!(for_long.judge(&web, 222).verdict, Failed);
}

#[test]
fn the_time_a_container_runs_before_it_crashes_is_not_time_of_crashing() {
    let mut slow = crashed(1, 1);
    slow["lastState"]["terminated"]["startedAt"] = json!(at(171));
    slow["lastState"]["terminated"]["finishedAt"] = json!(at(241));
    let around = rollout_with(vec![pod("web-new-1", NEW, 101, slow)]);
    let web = live(deployment_in_rollout(2));
    assert_eq!(around.judge(&web, 250).verdict, Progressing);
}

#[test]
fn restarts_before_our_write_are_not_held_against_it() {
    // Only labels changed: the ReplicaSet and its pods, which crashed in the past, stay.
    let around = rollout_with(vec![pod("web-new-1", NEW, 10, crashed(9, 1))]);
    let web = live(deployment_in_rollout(2));
    assert_eq!(around.judge(&web, 101).verdict, Progressing);
    assert_eq!(around.judge(&web, 221).verdict, Failed);
}

#[test]
fn t74_old_pods_that_crash_are_not_the_new_revision() {
    let old_crashes = rollout_with(vec![
        pod("web-old-1", OLD, 0, crashed(40, 1)),
        pod("web-new-1", NEW, 101, ready()),
    ]);
    assert_eq!(
        old_crashes.judge(&live(deployment(2)), 130).verdict,
        Healthy
    );
    let health = old_crashes.judge(&live(deployment_in_rollout(2)), 130);
    assert_eq!(
        said(&health),
        (Progressing, "LessUpdated", "1 of 2 replicas updated")
    );

    let both_crash = rollout_with(vec![
        pod("web-old-1", OLD, 0, crashed(40, 1)),
        pod("web-new-1", NEW, 101, crashed(4, 1)),
    ]);
    let health = both_crash.judge(&live(deployment_in_rollout(2)), 180);
    assert_eq!(health.verdict, Failed);
    assert_eq!(health.culprit.unwrap().object.name, "web-new-1");
}

#[test]
fn a_deployment_is_doomed_only_if_all_its_new_pods_are() {
    let one_lives = rollout_with(vec![
        pod("web-new-1", NEW, 101, crashed(4, 1)),
        pod("web-new-2", NEW, 101, ready()),
    ]);
    let web = live(deployment_in_rollout(2));
    let health = one_lives.judge(&web, 180);
    assert_eq!(health.verdict, Progressing);
    assert_eq!(health.culprit.unwrap().object.name, "web-new-1");
}

#[test]
fn the_same_trouble_of_many_pods_is_told_once() {
    let pods = ["c", "a", "b"].map(|name| pod(name, NEW, 101, crashed(4, 1)));
    let health = rollout_with(pods.to_vec()).judge(&live(deployment_in_rollout(5)), 180);
    assert_eq!(
        health.message,
        "all 3 new pods, such as `a`: container `php` crashes (exit code 1); restarted 4 times"
    );
}

#[test]
fn t76_zero_replicas_are_healthy_and_a_paused_deployment_is_suspended() {
    assert_eq!(judge(&live(deployment(0)), at(0)).verdict, Healthy);

    let mut paused = deployment(2);
    paused["spec"]["paused"] = json!(true);
    paused["status"]["conditions"][1] =
        json!({"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused"});
    assert_eq!(
        said(&judge(&live(paused.clone()), at(0))),
        (Suspended, "Paused", "is paused; its present template runs")
    );
    paused["status"]["updatedReplicas"] = json!(0);
    assert_eq!(
        said(&judge(&live(paused), at(0))),
        (
            Suspended,
            "PausedBehind",
            "is paused and rolls nothing out: 0 of 2 replicas updated"
        )
    );
}

#[test]
fn t77_one_replica_that_may_be_unavailable_must_be_ready_all_the_same() {
    let mut value = deployment(1);
    value["spec"]["strategy"] = json!({"rollingUpdate": {"maxUnavailable": 1}});
    value["status"]["readyReplicas"] = json!(0);
    value["status"]["availableReplicas"] = json!(0);
    assert_eq!(
        said(&judge(&live(value), at(0))),
        (Progressing, "LessAvailable", "0 of 1 replica available")
    );
}

#[test]
fn t78_pods_that_the_quota_forbids_are_told_from_the_replica_set() {
    let mut set = replica_set("web-new", 2);
    set["spec"]["replicas"] = json!(2);
    set["status"] = json!({
        "observedGeneration": 1, "replicas": 0,
        "conditions": [{
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
            "lastTransitionTime": at(101),
            "message": "pods \"web-new-x\" is forbidden: exceeded quota: tenant",
        }],
    });
    let mut around = rollout_with(vec![]);
    around.replica_sets[1] = live(set);
    let web = live(deployment_in_rollout(2));
    assert_eq!(around.judge(&web, 110).verdict, Progressing);
    let health = around.judge(&web, 161);
    assert_eq!(
        said(&health),
        (
            Failed,
            "ReplicaFailure",
            "its pods cannot be made: pods \"web-new-x\" is forbidden: exceeded quota: tenant"
        )
    );
    assert_eq!(health.culprit.unwrap().object.name, "web-new");
    // Of the ReplicaSet itself it is said once.
    let set = around.replica_sets[1].clone();
    assert_eq!(around.judge(&set, 161).message, health.message);
}

#[test]
fn t83_a_rollback_that_takes_an_old_replica_set_again_is_followed_by_its_revision() {
    // `web-old` is older and has become revision 3; the pods of `web-new` crash.
    let mut value = deployment_in_rollout(2);
    value["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("3");
    let mut around = rollout_with(vec![
        pod("web-new-1", NEW, 50, crashed(9, 1)),
        pod("web-old-2", OLD, 101, waiting("ContainerCreating", "")),
    ]);
    around.replica_sets[0] = live(replica_set("web-old", 3));
    let health = around.judge(&live(value.clone()), 130);
    assert_eq!(health.verdict, Progressing);
    assert_eq!(health.culprit.unwrap().object.name, "web-old-2");

    // A list of ReplicaSets from before the controller acted names no new pod at all.
    around.replica_sets[0] = live(replica_set("web-old", 1));
    assert_eq!(around.judge(&live(value), 130).culprit, None);
}

#[test]
fn pods_from_a_file_without_replica_sets_are_judged_if_there_is_one_revision_only() {
    let mut value = deployment_in_rollout(1);
    value["status"]["replicas"] = json!(1);
    value["status"]["readyReplicas"] = json!(0);
    let mut around = rollout_with(vec![pod("web-new-1", NEW, 101, crashed(5, 1))]);
    around.replica_sets.clear();
    assert_eq!(around.judge(&live(value), 300).verdict, Failed);
    assert_eq!(
        around.judge(&live(deployment_in_rollout(1)), 300).verdict,
        Progressing
    );
}
