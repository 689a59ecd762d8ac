//! Whether a tenant still serves: has the pods that somebody would miss, whatever their revision.

use crate::health::reading::Reading;
use crate::health::tenant::Wanted;
use crate::manifest::Live;

/// Whether every wanted workload has enough pods to serve. One that is not there does not.
///
/// For a `Deployment` its controller says so by condition `Available` (`apps/v1`, `MinimumReplicasAvailable`); the other
/// kinds replace one pod at a time, so that one less than wanted serves, and none does not.
pub fn serves(wanted: &[Wanted], found: &[Live]) -> bool {
    let workloads = wanted
        .iter()
        .filter(|wanted| is_workload(&wanted.object.kind));
    workloads.into_iter().all(|wanted| {
        let found = found
            .iter()
            .find(|live| live.object().is_same(&wanted.object));
        found.is_some_and(|live| has_enough(Reading::of(live)))
    })
}

fn is_workload(kind: &str) -> bool {
    matches!(
        kind,
        "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet"
    )
}

fn has_enough(workload: Reading) -> bool {
    match workload.live.object().kind.as_str() {
        "Deployment" => match workload.condition("Available") {
            Some(available) => available.is_true(),
            None => workload.wanted_replicas() == 0,
        },
        "DaemonSet" => is_one_short_at_most(
            workload.count("numberAvailable"),
            workload.count("desiredNumberScheduled"),
        ),
        _ => is_one_short_at_most(
            workload.count("availableReplicas"),
            workload.wanted_replicas(),
        ),
    }
}

fn is_one_short_at_most(available: i64, wanted: i64) -> bool {
    wanted == 0 || 0 < available && wanted - 1 <= available
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::manifest::ObjectRef;

    fn serves_with(kind: &str, spec: &Value, status: &Value) -> bool {
        let value = json!({
            "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web", "namespace": "a"},
            "spec": spec, "status": status,
        });
        let live = Live::from_value(value).unwrap();
        let wanted = [Wanted::unwritten(live.object().clone())];
        serves(&wanted, &[live])
    }

    #[test]
    fn a_deployment_serves_as_long_as_its_controller_says_so() {
        let status =
            |status: &str| json!({"conditions": [{"type": "Available", "status": status}]});
        let spec = json!({"replicas": 2});
        assert!(serves_with("Deployment", &spec, &status("True")));
        assert!(!serves_with("Deployment", &spec, &status("False")));
        assert!(!serves_with("Deployment", &spec, &json!({})));
        assert!(serves_with(
            "Deployment",
            &json!({"replicas": 0}),
            &json!({})
        ));
    }

    #[test]
    fn what_replaces_one_pod_at_a_time_serves_with_one_less() {
        let with = |available: i64, wanted: i64| {
            let status = json!({"availableReplicas": available});
            serves_with("StatefulSet", &json!({"replicas": wanted}), &status)
        };
        assert!(with(3, 3) && with(2, 3) && with(0, 0) && with(1, 1) && with(1, 2));
        assert!(!with(1, 3) && !with(0, 1) && !with(0, 3));
        let set = json!({"numberAvailable": 0, "desiredNumberScheduled": 1});
        assert!(!serves_with("DaemonSet", &json!({}), &set));
    }

    #[test]
    fn a_workload_that_is_not_there_does_not_serve_and_other_kinds_are_not_asked() {
        let wanted = |kind: &str| {
            [Wanted::unwritten(ObjectRef {
                api_version: "v1".to_owned(),
                kind: kind.to_owned(),
                namespace: None,
                name: "x".to_owned(),
            })]
        };
        assert!(!serves(&wanted("StatefulSet"), &[]));
        assert!(serves(&wanted("ConfigMap"), &[]));
    }
}
