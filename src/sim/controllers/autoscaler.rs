//! Horizontal autoscalers without metrics: they keep their target within its bounds.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::conditions::{self, Condition};
use super::owned;
use crate::sim::object::ObjectId;
use crate::sim::state::State;

pub fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(autoscaler) = state.view(id) else {
        return;
    };
    let spec = &autoscaler["spec"];
    let Some(target) = target(state, id, &spec["scaleTargetRef"]) else {
        let missing = Condition {
            kind: "AbleToScale",
            holds: false,
            reason: "FailedGetScale",
            message: "the HPA controller was unable to get the target's current scale".to_owned(),
        };
        let change = |object: &mut Value| {
            conditions::set(&mut object["status"], &missing, now);
        };
        return owned::update_status(state, id, change, now);
    };
    let found = state.view(&target);
    let replicas = found.and_then(|found| found["spec"]["replicas"].as_i64());
    let current = replicas.unwrap_or(1);
    let bound = |key: &str| spec[key].as_i64().unwrap_or(1);
    // Nobody scales from zero: that switches the autoscaler off.
    let desired = if current == 0 {
        0
    } else {
        current.clamp(bound("minReplicas"), bound("maxReplicas"))
    };
    if replicas != Some(desired) {
        let scale = |object: &mut Value| object["spec"]["replicas"] = json!(desired);
        owned::update(state, &target, Some("scale"), scale, now);
    }
    write_status(state, id, (current, desired), now);
}

fn target(state: &State, id: &ObjectId, reference: &Value) -> Option<ObjectId> {
    let text = |key: &str| reference[key].as_str().unwrap_or_default();
    let kind = state.kinds.find_kind(text("apiVersion"), text("kind"))?;
    let target = id.beside(kind, text("name"));
    state.store.find(&target).is_some().then_some(target)
}

fn write_status(state: &mut State, id: &ObjectId, (current, desired): (i64, i64), now: Timestamp) {
    let is_active = desired != 0;
    let conditions = [
        Condition {
            kind: "AbleToScale",
            holds: true,
            reason: "ReadyForNewScale",
            message: "recommended size matches current size".to_owned(),
        },
        Condition {
            kind: "ScalingActive",
            holds: is_active,
            reason: if is_active {
                "ValidMetricFound"
            } else {
                "ScalingDisabled"
            },
            message: if is_active {
                "the HPA was able to successfully calculate a replica count from cpu resource utilization".to_owned()
            } else {
                "scaling is disabled since the replica count of the target is zero".to_owned()
            },
        },
    ];
    let change = |object: &mut Value| {
        let status = &mut object["status"];
        status["currentReplicas"] = json!(current);
        status["desiredReplicas"] = json!(desired);
        for condition in &conditions {
            conditions::set(status, condition, now);
        }
    };
    owned::update_status(state, id, change, now);
}
