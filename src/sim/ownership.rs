//! Who owns which field, and which fields there are: the sim's side of `fields`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::fields::{Conflict, is_nothing, schema, server_update, unknown_fields};

use super::kinds::Kind;
use super::managed::Managed;
use super::refusal::Refusal;
use super::state::written;

/// Lists in the status of a pod that have one owner as a whole, whatever is in them.
pub const ATOMIC: [&str; 2] = ["containerStatuses", "initContainerStatuses"];

/// Notes in `managedFields` what a manager that does not apply has changed.
pub fn updated(
    live: Option<&Value>,
    object: &Value,
    manager: &str,
    subresource: Option<&str>,
    now: Timestamp,
) -> Value {
    server_update(live, object, manager, now, subresource)
}

/// The same for a change of `status` and metadata alone, which is what controllers and kubelets do all day: without
/// the rest of the object, and without looking at what others own. `entries` is who owns what so far.
pub fn updated_status(
    live: &Value,
    object: &Value,
    entries: Vec<Value>,
    manager: &str,
    now: Timestamp,
) -> Value {
    let mut object = object.clone();
    if entries.is_empty() {
        return object;
    }
    let is_own = |entry: &Value| entry["subresource"] == "status" && entry["manager"] == manager;
    let (own, mut others): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(is_own);
    let mut before = live.clone();
    before["metadata"]["managedFields"] = tracked(&object, own.clone());
    object["metadata"]["managedFields"] = tracked(&object, own);
    let after = server_update(Some(&before), &object, manager, now, Some("status"));
    let written = after["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten();
    others.extend(written.filter(|entry| is_own(entry)).cloned());
    object["metadata"]["managedFields"] = Value::Array(others);
    object
}

/// The owners after a change that gave other values to fields which were all there, and all of which their writer owned:
/// nothing but a time changes then. `None` if that cannot be said without looking at every field.
pub fn touched(
    managed: &Managed,
    live: &Value,
    object: &Value,
    by: (&str, Option<&str>),
    now: Timestamp,
) -> Option<Managed> {
    let (live, object) = (live.as_object()?, object.as_object()?);
    let mut tops = Vec::new();
    for ((key, before), (other, after)) in live.iter().zip(object) {
        if key != other || live.len() != object.len() || !is_same_shape(before, after) {
            return None;
        }
        if before != after {
            tops.push(key.as_str());
        }
    }
    managed.touched(by, &tops, written(now).as_str()?)
}

/// Whether two trees have the same fields, so that who owned those of the one owns those of the other.
fn is_same_shape(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let mut pairs = before.iter().zip(after);
            before.len() == after.len()
                && pairs.all(|((key, before), (other, after))| {
                    let is_one = ATOMIC.contains(&key.as_str());
                    key == other && (is_one || is_same_shape(before, after))
                })
        }
        (Value::Array(before), Value::Array(after)) => {
            let mut pairs = before.iter().zip(after);
            before.len() == after.len()
                && pairs.all(|(before, after)| is_same_element(before, after))
        }
        (Value::Object(_) | Value::Array(_) | Value::Null, _)
        | (_, Value::Object(_) | Value::Array(_) | Value::Null) => before == after,
        _ => before == after || !is_nothing(before),
    }
}

/// Elements are named by what they say: only conditions are known to say more than that.
fn is_same_element(before: &Value, after: &Value) -> bool {
    let (Some(one), Some(other)) = (before.as_object(), after.as_object()) else {
        return before == after;
    };
    let is_free = |key: &str| {
        let free = ["status", "reason", "message", "observedGeneration"];
        one.contains_key("type") && (free.contains(&key) || key.starts_with("last"))
    };
    let is_equal = |(key, value): (&String, &Value)| is_free(key) || other[key.as_str()] == *value;
    is_same_shape(before, after) && one.iter().all(is_equal)
}

/// Somebody must own something, else the object counts as untracked.
fn tracked(object: &Value, mut own: Vec<Value>) -> Value {
    own.push(json!({
        "manager": "sim", "operation": "Apply", "apiVersion": object["apiVersion"], "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {}},
    }));
    Value::Array(own)
}

/// As the causes of a conflict are listed in its status.
pub fn conflict_cause(conflict: &Conflict) -> Value {
    json!({
        "reason": "FieldManagerConflict",
        "message": format!("conflict with {}", conflict.manager_as_server_spells()),
        "field": conflict.path.as_server_spells(),
    })
}

/// Unknown fields of an update are dropped; in a strict one they are an error.
pub fn drop_unknown_fields(
    kind: &Kind,
    object: &mut Value,
    is_strict: bool,
) -> Result<(), Refusal> {
    if kind.is_custom {
        return Ok(());
    }
    let unknown = unknown_fields(schema().type_of_object(object), object);
    if unknown.is_empty() {
        return Ok(());
    }
    if is_strict {
        let said: Vec<String> = unknown
            .iter()
            .map(|path| format!("unknown field \"{path}\""))
            .collect();
        return Err(Refusal::bad_request(format!(
            "{name} in version \"{version}\" cannot be handled as a {name}: strict decoding error: {said}",
            name = kind.name,
            version = kind.version,
            said = said.join(", ")
        )));
    }
    for path in unknown {
        remove(object, &path);
    }
    Ok(())
}

/// Takes the field at `spec.containers[0].foo` away.
fn remove(object: &mut Value, path: &str) {
    let pointer: String = path.split(['.', '[']).fold(String::new(), |pointer, part| {
        format!("{pointer}/{}", part.trim_end_matches(']'))
    });
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return;
    };
    if let Some(members) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
        members.remove(last);
    }
}
