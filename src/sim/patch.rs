//! PATCH without field ownership in mind: JSON merge patches and JSON patches.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::request::{PatchType, Request};
use super::service::Answer;
use super::state::State;
use super::write::Write;

impl State {
    pub fn patch(&mut self, request: &Request, now: Timestamp) -> Result<Answer, Refusal> {
        let kind = self.kinds.of(request.kind).clone();
        let id = request.object();
        let live = self
            .value(&id)
            .ok_or_else(|| Refusal::not_found(&kind, &request.name))?;
        let patch = request.json()?;
        let mut object = live.clone();
        match request.patch {
            Some(PatchType::Json) => patch_json(&mut object, &patch)?,
            // Without lists both say the same; with lists only the real server knows how to merge.
            Some(PatchType::Strategic) if has_list(&patch) => {
                return Err(Refusal::new(
                    415,
                    "UnsupportedMediaType",
                    "strategic merge patches with lists are not simulated",
                ));
            }
            _ => merge(&mut object, &patch),
        }
        let stale = patch["metadata"]["resourceVersion"].as_str();
        if stale.is_some_and(|version| live["metadata"]["resourceVersion"] != version) {
            return Err(Refusal::modified(&kind, &request.name));
        }
        self.replace(&Write { id, request, now }, &live, object)
    }
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let members = target.as_object_mut().expect("made an object above");
    for (key, value) in patch {
        if value.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// RFC 6902 without `move` and `copy`.
fn patch_json(object: &mut Value, patch: &Value) -> Result<(), Refusal> {
    let operations = patch
        .as_array()
        .ok_or_else(|| Refusal::bad_request("a JSON patch is a list"))?;
    for operation in operations {
        let done = operate(object, operation);
        done.ok_or_else(|| {
            let message = format!(
                "the server rejected our request due to an error in our request: {operation}"
            );
            Refusal::new(422, "Invalid", message)
        })?;
    }
    Ok(())
}

fn operate(object: &mut Value, operation: &Value) -> Option<()> {
    let path = operation["path"].as_str()?;
    let value = &operation["value"];
    match operation["op"].as_str()? {
        "test" => (object.pointer(path)? == value).then_some(()),
        "replace" => {
            *object.pointer_mut(path)? = value.clone();
            Some(())
        }
        "add" => put(object, path, value),
        "remove" => take(object, path),
        _ => None,
    }
}

fn put(object: &mut Value, path: &str, value: &Value) -> Option<()> {
    let (parent, last) = path.rsplit_once('/')?;
    match object.pointer_mut(parent)? {
        Value::Object(members) => {
            members.insert(unescaped(last), value.clone());
        }
        Value::Array(items) if last == "-" => items.push(value.clone()),
        Value::Array(items) => {
            let index = last.parse().ok().filter(|index| *index <= items.len())?;
            items.insert(index, value.clone());
        }
        _ => return None,
    }
    Some(())
}

fn take(object: &mut Value, path: &str) -> Option<()> {
    let (parent, last) = path.rsplit_once('/')?;
    match object.pointer_mut(parent)? {
        Value::Object(members) => members.remove(&unescaped(last)).map(|_| ()),
        Value::Array(items) => {
            let index = last.parse().ok().filter(|index| *index < items.len())?;
            items.remove(index);
            Some(())
        }
        _ => None,
    }
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

fn has_list(patch: &Value) -> bool {
    match patch {
        Value::Array(_) => true,
        Value::Object(members) => members
            .iter()
            .any(|(key, value)| key.starts_with('$') || has_list(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_patch_sets_merges_and_removes() {
        let mut object = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(
            &mut object,
            &json!({"a": {"b": null, "e": {"f": 1}}, "d": [2]}),
        );
        assert_eq!(object, json!({"a": {"c": 2, "e": {"f": 1}}, "d": [2]}));
    }

    #[test]
    fn a_json_patch_tests_adds_and_removes() {
        let mut object = json!({"a": [1, 3], "m": {"x/y": 1}});
        let patch = json!([
            {"op": "test", "path": "/a/0", "value": 1},
            {"op": "add", "path": "/a/1", "value": 2},
            {"op": "remove", "path": "/m/x~1y"},
        ]);
        patch_json(&mut object, &patch).expect("fits");
        assert_eq!(object, json!({"a": [1, 2, 3], "m": {}}));
        let refused = patch_json(
            &mut object,
            &json!([{"op": "test", "path": "/a/0", "value": 9}]),
        );
        assert_eq!(refused.expect_err("differs").code, 422);
    }
}
