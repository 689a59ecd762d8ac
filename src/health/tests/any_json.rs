//! Whatever a cluster answers: no panic, and never healthy before the generation is observed.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::health::tests::{Around, at, crashed, deployment_in_rollout, pod, replica_set};
use crate::health::{Verdict, judge, pods_in_the_way};
use crate::manifest::Live;

fn seeds() -> Vec<Value> {
    let of = |api_version: &str, kind: &str, status: Value| {
        json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": "x", "namespace": "acme", "generation": 2, "uid": "x"},
            "spec": {"replicas": 1, "suspend": false, "type": "LoadBalancer",
                     "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}},
            "status": status,
        })
    };
    let conditions = json!([
        {"type": "Ready", "status": "True", "observedGeneration": 2, "lastTransitionTime": at(0)},
        {"type": "Failed", "status": "False", "reason": "x", "message": "y"},
    ]);
    vec![
        deployment_in_rollout(2),
        replica_set("web-new", 2),
        pod("web-new-1", ("ReplicaSet", "web-new"), 0, crashed(3, 1)),
        of(
            "apps/v1",
            "StatefulSet",
            json!({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1,
            "currentReplicas": 1, "updatedReplicas": 1, "updateRevision": "a", "currentRevision": "a"}),
        ),
        of(
            "apps/v1",
            "DaemonSet",
            json!({"observedGeneration": 2, "desiredNumberScheduled": 1,
            "currentNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1}),
        ),
        of(
            "batch/v1",
            "Job",
            json!({"startTime": at(0), "conditions": conditions}),
        ),
        of("batch/v1", "CronJob", json!({})),
        of("v1", "PersistentVolumeClaim", json!({"phase": "Bound"})),
        of(
            "v1",
            "Service",
            json!({"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}),
        ),
        of(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({"conditions": [
            {"type": "AbleToScale", "status": "True"}]}),
        ),
        of(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({"conditions": [
            {"type": "Established", "status": "True"}]}),
        ),
        of(
            "example.com/v1",
            "Thing",
            json!({"observedGeneration": 2, "conditions": conditions}),
        ),
    ]
}

/// Places in a tree, as JSON pointers, the root left out.
fn places(value: &Value, here: &str, found: &mut Vec<String>) {
    let mut visit = |key: &str, child: &Value| {
        let place = format!("{here}/{}", key.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(child, &place, found);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, child)| visit(key, child)),
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                visit(&index.to_string(), child);
            }
        }
        _ => {}
    }
}

fn replacement() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, 1, "x", {}])),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(|float| json!(float)),
        ".{0,12}".prop_map(Value::from),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!("-009999-01-02T00:00:00Z")),
    ]
}

/// A seed with up to six places written over.
fn mutated() -> impl Strategy<Value = Value> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), replacement()), 0..6);
    (prop::sample::select(seeds()), edits).prop_map(|(mut value, edits)| {
        for (index, replacement) in edits {
            let mut found = Vec::new();
            places(&value, "", &mut found);
            let place = index.get(&found).clone();
            if let Some(at) = value.pointer_mut(&place) {
                *at = replacement;
            }
        }
        value
    })
}

proptest! {
    #[test]
    fn no_answer_of_a_cluster_makes_us_panic(values in prop::collection::vec(mutated(), 1..5), now in -100i64..10_000) {
        let all: Vec<Live> = values.into_iter().filter_map(|value| Live::from_value(value).ok()).collect();
        let around = Around { pods: all.clone(), replica_sets: all.clone(), written_at: Some(100) };
        for live in &all {
            judge(live, at(now));
            around.judge(live, now);
            pods_in_the_way(live, &around.surroundings(now));
        }
    }

    #[test]
    fn nothing_is_healthy_before_its_generation_is_observed(
        value in mutated(),
        observed in 0i64..5,
        ahead in 1i64..5,
    ) {
        let mut value = value;
        let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return Ok(()) };
        metadata.insert("generation".into(), json!(observed + ahead));
        let Some(status) = value.get_mut("status").and_then(Value::as_object_mut) else { return Ok(()) };
        status.insert("observedGeneration".into(), json!(observed));
        let Ok(live) = Live::from_value(value) else { return Ok(()) };
        prop_assert_ne!(judge(&live, at(0)).verdict, Verdict::Healthy);
        let around = Around { pods: vec![live.clone()], replica_sets: vec![live.clone()], written_at: None };
        prop_assert_ne!(around.judge(&live, 0).verdict, Verdict::Healthy);
    }
}
