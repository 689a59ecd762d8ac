//! Who owns which: owner references, or the selector where there are none.

use serde_json::{Map, Value};

use crate::manifest::Live;

/// Whether `owner` controls `object`: by uid, or by kind and name where a file has no uids.
pub(super) fn controls(owner: &Live, object: &Live) -> bool {
    if owner.object().namespace != object.object().namespace {
        return false;
    }
    let Some(reference) = controller(object) else {
        return false;
    };
    let text = |field: &str| {
        reference
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    match (text("uid"), owner.uid()) {
        ("", _) | (_, "") => {
            text("kind") == owner.object().kind && text("name") == owner.object().name
        }
        (referred, uid) => referred == uid,
    }
}

/// Whether the selector of a workload picks an object of its namespace. An empty selector picks
/// nothing: it would pick everything.
pub(super) fn selects(workload: &Live, object: &Live) -> bool {
    let selector = workload.value().pointer("/spec/selector/matchLabels");
    let labels = selector
        .and_then(Value::as_object)
        .filter(|labels| !labels.is_empty());
    workload.object().namespace == object.object().namespace
        && labels.is_some_and(|labels| has_labels(object, labels))
}

/// The entry of `ownerReferences` that manages the object.
pub(super) fn controller(object: &Live) -> Option<&Value> {
    let references = object
        .value()
        .pointer("/metadata/ownerReferences")?
        .as_array()?;
    let mut managing = references
        .iter()
        .filter(|reference| reference["controller"] == true);
    managing.next()
}

fn has_labels(object: &Live, labels: &Map<String, Value>) -> bool {
    labels
        .iter()
        .all(|(key, value)| object.label(key) == value.as_str() && value.is_string())
}
