//! Conditions in a status, with the times of their transitions.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::sim::state::written;

/// One condition as it should be.
#[derive(Clone, Debug)]
pub struct Condition<'a> {
    pub kind: &'a str,
    pub holds: bool,
    pub reason: &'a str,
    pub message: String,
}

/// Finds a condition by its type.
pub fn find<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    let list = status["conditions"].as_array()?;
    list.iter().find(|condition| condition["type"] == kind)
}

/// Sets a condition; its transition time moves only if its truth changes. Says whether truth or reason did.
pub fn set(status: &mut Value, condition: &Condition, now: Timestamp) -> bool {
    let truth = if condition.holds { "True" } else { "False" };
    let before = find(status, condition.kind).cloned();
    let mut after = json!({
        "type": condition.kind, "status": truth, "reason": condition.reason, "message": condition.message,
        "lastTransitionTime": written(now),
    });
    if let Some(before) = before.as_ref().filter(|before| before["status"] == truth) {
        after["lastTransitionTime"] = before["lastTransitionTime"].clone();
    }
    let is_new = before
        .is_none_or(|before| before["status"] != truth || before["reason"] != condition.reason);
    put(status, after);
    is_new
}

/// Replaces the condition of the same type, or adds one.
pub fn put(status: &mut Value, condition: Value) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else {
        return;
    };
    match list
        .iter_mut()
        .find(|known| known["type"] == condition["type"])
    {
        Some(known) => *known = condition,
        None => list.push(condition),
    }
}
