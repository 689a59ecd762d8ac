//! Kinds judged by themselves.

use serde_json::{Value, json};

use crate::health::Verdict::{self, Failed, Healthy, Progressing, Suspended};
use crate::health::judge;
use crate::health::tests::{at, live, said};

fn object(api_version: &str, kind: &str, rest: &Value) -> Value {
    let mut value = json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "x", "namespace": "acme", "generation": 1, "creationTimestamp": at(0)},
    });
    for (field, content) in rest.as_object().unwrap() {
        value[field] = content.clone();
    }
    value
}

fn verdict(api_version: &str, kind: &str, rest: &Value) -> Verdict {
    judge(&live(object(api_version, kind, rest)), at(3_600)).verdict
}

#[test]
fn t76_suspended_jobs_and_cron_jobs_are_suspended() {
    let suspended = json!({"spec": {"suspend": true}});
    assert_eq!(verdict("batch/v1", "Job", &suspended), Suspended);
    assert_eq!(verdict("batch/v1", "CronJob", &suspended), Suspended);
    assert_eq!(verdict("batch/v1", "CronJob", &json!({})), Healthy);
}

#[test]
fn a_job_that_runs_is_progressing_and_one_that_failed_says_why() {
    let running = json!({
        "spec": {"completions": 2},
        "status": {"startTime": at(0), "active": 1, "succeeded": 1, "failed": 2},
    });
    assert_eq!(
        said(&judge(&live(object("batch/v1", "Job", &running)), at(9))),
        (
            Progressing,
            "Running",
            "runs: 1 of 2 completions done, 2 tries failed"
        )
    );
    let failed = json!({"status": {"conditions": [{
        "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
    }]}});
    assert_eq!(
        said(&judge(&live(object("batch/v1", "Job", &failed)), at(9))),
        (
            Failed,
            "BackoffLimitExceeded",
            "Job has reached the specified backoff limit"
        )
    );
}

#[test]
fn t79_what_may_never_come_is_not_waited_for_unless_asked() {
    let balancer = json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}});
    assert_eq!(verdict("v1", "Service", &balancer), Healthy);
    assert_eq!(
        verdict("networking.k8s.io/v1", "Ingress", &json!({})),
        Healthy
    );
    let lagging = json!({"status": {"conditions": [
        {"type": "AbleToScale", "status": "True"},
        {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric"},
    ]}});
    assert_eq!(
        verdict("autoscaling/v2", "HorizontalPodAutoscaler", &lagging),
        Healthy
    );

    for (api_version, kind, rest) in [
        ("v1", "Service", balancer),
        ("networking.k8s.io/v1", "Ingress", json!({})),
    ] {
        let mut asked = object(api_version, kind, &rest);
        asked["metadata"]["annotations"] = json!({"escale.dev/wait-for": "address"});
        assert_eq!(judge(&live(asked.clone()), at(9)).verdict, Progressing);
        asked["status"] = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}});
        assert_eq!(judge(&live(asked), at(9)).verdict, Healthy);
    }
}

#[test]
fn an_autoscaler_with_a_wrong_metric_fails_and_a_switched_off_one_does_not() {
    let inactive = |reason: &str| {
        json!({"status": {"conditions": [
            {"type": "AbleToScale", "status": "True"},
            {"type": "ScalingActive", "status": "False", "reason": reason},
        ]}})
    };
    let kind = "HorizontalPodAutoscaler";
    assert_eq!(
        verdict("autoscaling/v2", kind, &inactive("InvalidSelector")),
        Failed
    );
    assert_eq!(
        verdict("autoscaling/v2", kind, &inactive("ScalingDisabled")),
        Healthy
    );
    assert_eq!(verdict("autoscaling/v2", kind, &json!({})), Progressing);
}

#[test]
fn an_autoscaler_that_was_made_before_its_target_is_given_a_moment() {
    let without_target = json!({"status": {"conditions": [{
        "type": "AbleToScale", "status": "False", "reason": "FailedGetScale",
        "lastTransitionTime": at(0), "message": "deployments.apps \"web\" not found",
    }]}});
    let autoscaler = live(object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        &without_target,
    ));
    assert_eq!(judge(&autoscaler, at(14)).verdict, Progressing);
    assert_eq!(judge(&autoscaler, at(15)).verdict, Failed);
}

#[test]
fn a_claim_that_lost_its_volume_has_failed() {
    let phase = |phase: &str| json!({"status": {"phase": phase}});
    let claim = "PersistentVolumeClaim";
    assert_eq!(verdict("v1", claim, &phase("Bound")), Healthy);
    assert_eq!(verdict("v1", claim, &phase("Lost")), Failed);
    assert_eq!(verdict("v1", claim, &phase("Pending")), Progressing);
}

#[test]
fn t84_a_custom_resource_without_a_status_is_given_a_moment() {
    let fresh = object("cert-manager.io/v1", "Certificate", &json!({}));
    assert_eq!(
        said(&judge(&live(fresh.clone()), at(14))),
        (
            Progressing,
            "NoStatus",
            "no controller has written a status"
        )
    );
    // Many custom resources are configuration and never get one.
    assert_eq!(judge(&live(fresh.clone()), at(15)).verdict, Healthy);

    let mut asked = fresh;
    asked["metadata"]["annotations"] = json!({"escale.dev/wait-for": "ready"});
    assert_eq!(
        said(&judge(&live(asked.clone()), at(3_600))),
        (
            Progressing,
            "NoStatus",
            "no controller has written a status"
        )
    );
    asked["status"] = json!({"observedGeneration": 1});
    assert_eq!(judge(&live(asked), at(3_600)).verdict, Progressing);
}

#[test]
fn a_ready_condition_counts_only_for_the_generation_it_speaks_of() {
    let mut value = object("cert-manager.io/v1", "Certificate", &json!({}));
    value["status"] = json!({"conditions": [
        {"type": "Ready", "status": "True", "observedGeneration": 1},
    ]});
    assert_eq!(judge(&live(value.clone()), at(9)).verdict, Healthy);
    value["metadata"]["generation"] = json!(2);
    assert_eq!(judge(&live(value.clone()), at(9)).verdict, Progressing);

    value["status"]["conditions"] = json!([
        {"type": "Stalled", "status": "True", "observedGeneration": 1, "reason": "BadIssuer"},
    ]);
    assert_eq!(judge(&live(value.clone()), at(9)).reason, "Exists");
    value["status"]["conditions"][0]["observedGeneration"] = json!(2);
    assert_eq!(
        said(&judge(&live(value), at(9))),
        (
            Failed,
            "BadIssuer",
            "its controller cannot go on (BadIssuer)"
        )
    );
}

#[test]
fn an_object_that_is_being_deleted_is_never_healthy_and_names_its_finalizers() {
    let mut value = object("v1", "ConfigMap", &json!({}));
    assert_eq!(judge(&live(value.clone()), at(9)).verdict, Healthy);
    value["metadata"]["deletionTimestamp"] = json!(at(1));
    value["metadata"]["finalizers"] = json!(["example.com/keep"]);
    assert_eq!(
        said(&judge(&live(value), at(9))),
        (
            Progressing,
            "Terminating",
            "is being deleted; waits for its finalizers: example.com/keep"
        )
    );
}

#[test]
fn a_pod_that_nobody_restarts_is_done_when_it_ends_and_failed_when_it_fails() {
    let pod = |policy: &str, phase: &str| {
        json!({
            "spec": {"restartPolicy": policy},
            "status": {"phase": phase, "conditions": [{"type": "Ready", "status": "True"}]},
        })
    };
    assert_eq!(verdict("v1", "Pod", &pod("Never", "Succeeded")), Healthy);
    assert_eq!(verdict("v1", "Pod", &pod("Never", "Failed")), Failed);
    assert_eq!(verdict("v1", "Pod", &pod("Never", "Running")), Progressing);
    assert_eq!(verdict("v1", "Pod", &pod("Always", "Running")), Healthy);
}
