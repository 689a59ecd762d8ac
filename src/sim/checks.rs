//! What stands between a request and a write: types, names, versions, and which fields are the server's.

use serde_json::{Map, Value, json};

use crate::fields::ApplyError;

use super::kinds::Kind;
use super::ownership;
use super::refusal::{Cause, Refusal};
use super::request::Request;

/// `generation` counts changes of what is wanted, not of metadata or status.
pub fn count_generation(kind: &Kind, live: &Value, object: &mut Value) {
    if !kind.has_generation() {
        return;
    }
    let wanted = |value: &Value| -> Map<String, Value> {
        let members = value.as_object().into_iter().flatten();
        let members = members.filter(|(key, _)| !["metadata", "status"].contains(&key.as_str()));
        members
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let before = live["metadata"]["generation"].as_i64().unwrap_or(1);
    let changed = if kind.is_custom {
        wanted(live) != wanted(object)
    } else {
        live["spec"] != object["spec"]
    };
    object["metadata"]["generation"] = json!(before + i64::from(changed));
}

/// Whether two states differ in more than the times at which managers last wrote.
pub fn is_same(live: &Value, object: &Value) -> bool {
    let members = |value: &Value| value.as_object().map_or(0, Map::len);
    let is_equal = |(key, member): (&String, &Value)| {
        let other = &object[key];
        if key == "metadata" {
            is_same_metadata(member, other)
        } else {
            member == other
        }
    };
    members(live) == members(object) && live.as_object().into_iter().flatten().all(is_equal)
}

fn is_same_metadata(live: &Value, object: &Value) -> bool {
    let members = |value: &Value| -> Vec<(String, Value)> {
        let members = value.as_object().into_iter().flatten();
        let members = members.filter(|(key, _)| *key != "managedFields");
        members
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let entries = |value: &Value| -> Vec<Value> {
        let mut entries = value["managedFields"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        for entry in &mut entries {
            entry["time"] = Value::Null;
        }
        entries.sort_by_key(Value::to_string);
        entries
    };
    members(live) == members(object) && entries(live) == entries(object)
}

pub fn check_type(kind: &Kind, sent: &Value) -> Result<(), Refusal> {
    let (version, name) = (sent["apiVersion"].as_str(), sent["kind"].as_str());
    if version == Some(&kind.api_version()) && name == Some(&kind.name) {
        return Ok(());
    }
    let (group, version) = version
        .unwrap_or_default()
        .rsplit_once('/')
        .unwrap_or(("", version.unwrap_or_default()));
    let name = name.unwrap_or_default();
    Err(Refusal::bad_request(format!(
        "invalid object type: {group}/{version}, Kind={name}"
    )))
}

pub fn check_name(request: &Request, object: &Value) -> Result<(), Refusal> {
    let name = object["metadata"]["name"].as_str().unwrap_or(&request.name);
    if name == request.name {
        return Ok(());
    }
    Err(Refusal::bad_request(format!(
        "the name of the object ({name}) does not match the name on the URL ({})",
        request.name
    )))
}

/// A PUT carries the version and uid that its sender has seen; both may be left out.
pub fn check_preconditions(kind: &Kind, live: &Value, sent: &Value) -> Result<(), Refusal> {
    let name = live["metadata"]["name"].as_str().unwrap_or_default();
    let differs = |key: &str| {
        let sent = sent["metadata"][key].as_str().unwrap_or_default();
        !sent.is_empty() && live["metadata"][key] != sent
    };
    if differs("uid") {
        let (sent, found) = (&sent["metadata"]["uid"], &live["metadata"]["uid"]);
        let text = |uid: &Value| uid.as_str().unwrap_or_default().to_owned();
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{name}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {}, UID in object meta: {}",
            kind.plural,
            text(sent),
            text(found)
        );
        return Err(Refusal::conflict(kind, name, &why));
    }
    if differs("resourceVersion") {
        return Err(Refusal::modified(kind, name));
    }
    Ok(())
}

/// As measured: a stale version is refused even when forced; on a missing object it is ignored, a uid is not.
pub fn check_apply_version(
    kind: &Kind,
    name: &str,
    live: Option<&Value>,
    sent: &Value,
) -> Result<(), Refusal> {
    let text = |key: &str| {
        sent["metadata"][key]
            .as_str()
            .filter(|text| !text.is_empty())
    };
    let Some(live) = live else {
        let Some(uid) = text("uid") else {
            return Ok(());
        };
        let why = format!(
            "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        );
        return Err(Refusal::conflict(kind, name, &why));
    };
    if text("resourceVersion").is_some_and(|sent| live["metadata"]["resourceVersion"] != sent) {
        return Err(Refusal::modified(kind, name));
    }
    if text("uid").is_some_and(|sent| live["metadata"]["uid"] != sent) {
        let cause = Cause::invalid(
            "metadata.uid",
            &sent["metadata"]["uid"],
            "field is immutable",
        );
        return Err(Refusal::invalid(kind, name, &[cause.clone(), cause]));
    }
    Ok(())
}

pub fn forget_server_fields(sent: &mut Value) {
    if let Some(metadata) = sent["metadata"].as_object_mut() {
        for key in SERVER_FIELDS {
            metadata.remove(key);
        }
    }
}

pub fn keep_server_fields(live: &Value, object: &mut Value) {
    for key in SERVER_FIELDS.into_iter().chain([
        "namespace",
        "name",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ]) {
        keep(&live["metadata"], &mut object["metadata"], key);
    }
}

/// Makes a member of `object` what it is in `live`, also if it is absent there.
pub fn keep(live: &Value, object: &mut Value, key: &str) {
    match (live.get(key), object.as_object_mut()) {
        (Some(value), Some(members)) => {
            members.insert(key.to_owned(), value.clone());
        }
        (None, Some(members)) => {
            members.remove(key);
        }
        (_, None) => {}
    }
}

/// A null says the same as an absent field.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// What only the server sets.
const SERVER_FIELDS: [&str; 5] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "selfLink",
];

pub fn manager_required() -> Refusal {
    let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
    let cause = Cause {
        message: "Required value: is required for apply patch".to_owned(),
        ..Cause::required("fieldManager")
    };
    let mut refusal = Refusal::new(422, "Invalid", message);
    refusal.details =
        json!({"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause.to_value()]});
    refusal
}

pub fn refused(error: ApplyError) -> Refusal {
    let message = error.to_string();
    match error {
        ApplyError::Conflicts(conflicts) => {
            let causes: Vec<Value> = conflicts.iter().map(ownership::conflict_cause).collect();
            let mut refusal = Refusal::new(409, "Conflict", message);
            refusal.details = json!({"causes": causes});
            refusal
        }
        ApplyError::Invalid(why) if why.starts_with("metadata.managedFields") => {
            Refusal::bad_request(why)
        }
        // The real server answers so: a 500 without a reason.
        ApplyError::Invalid(why) => Refusal::new(500, "", why),
    }
}
