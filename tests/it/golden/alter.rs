//! Alters bodies as `kinds.yaml` allows.

use serde_json::{Map, Value, json};

use super::dice::Dice;
use super::kinds::Kind;

/// Sets what a JSON pointer names, making the maps above it; takes it out for `None`.
pub fn set(object: &mut Value, pointer: &str, value: Option<Value>) {
    let (above, last) = pointer
        .rsplit_once('/')
        .expect("a pointer begins with a slash");
    let last = last.replace("~1", "/");
    let Some(parent) = descend(object, above) else {
        return;
    };
    match (parent, value) {
        (Value::Array(items), value) => {
            let at: usize = last.parse().expect("an index");
            match value {
                Some(value) if at < items.len() => items[at] = value,
                Some(value) => items.push(value),
                None if at < items.len() => drop(items.remove(at)),
                None => {}
            }
        }
        (Value::Object(entries), Some(value)) => drop(entries.insert(last, value)),
        (Value::Object(entries), None) => drop(entries.remove(&last)),
        _ => {}
    }
}

fn descend<'a>(object: &'a mut Value, pointer: &str) -> Option<&'a mut Value> {
    pointer.split('/').skip(1).try_fold(object, |value, step| {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        match value {
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
            Value::Object(entries) => Some(
                entries
                    .entry(step.replace("~1", "/"))
                    .or_insert(Value::Null),
            ),
            _ => None,
        }
    })
}

/// A real change.
pub fn turn_a_knob(kind: &Kind, dice: &mut Dice, object: &mut Value) {
    let knobs: Vec<_> = kind.knobs.iter().collect();
    let Some((pointer, values)) = dice.pick(&knobs) else {
        return;
    };
    let value = dice.pick(values).filter(|value| !value.is_null());
    set(object, pointer, value.cloned());
}

/// The same, written otherwise.
pub fn respell(kind: &Kind, dice: &mut Dice, object: &mut Value) {
    let spellings: Vec<_> = kind.spellings.iter().collect();
    let Some((pointer, values)) = dice.pick(&spellings) else {
        return;
    };
    let value = dice.pick(values).filter(|value| !value.is_null());
    set(object, pointer, value.cloned());
}

pub fn reverse_a_list(kind: &Kind, dice: &mut Dice, object: &mut Value) {
    if let Some(items) = a_list(kind, dice, object) {
        items.reverse();
    }
}

pub fn drop_an_element(kind: &Kind, dice: &mut Dice, object: &mut Value) {
    if let Some(items) = a_list(kind, dice, object).filter(|items| items.len() > 1) {
        items.remove(dice.below(items.len()));
    }
}

fn a_list<'a>(kind: &Kind, dice: &mut Dice, object: &'a mut Value) -> Option<&'a mut Vec<Value>> {
    object.pointer_mut(dice.pick(&kind.lists)?)?.as_array_mut()
}

/// Something sent as null, `[]` or `{}`.
pub fn empty_something(kind: &Kind, dice: &mut Dice, object: &mut Value) {
    let Some(pointer) = dice.pick(&kind.empties) else {
        return;
    };
    let is_list = object.pointer(pointer).is_some_and(Value::is_array)
        || [
            "s/env",
            "args",
            "command",
            "finalizers",
            "tolerations",
            "IPs",
            "Ranges",
            "ownerReferences",
            "volumes",
        ]
        .iter()
        .any(|end| pointer.ends_with(end));
    let empty = match dice.below(2) {
        0 => Value::Null,
        _ if is_list => json!([]),
        _ => json!({}),
    };
    set(object, pointer, Some(empty));
}

/// A body of one's own for a few fields of the whole: list elements keep what names them.
pub fn fragment(kind: &Kind, dice: &mut Dice, name: &str) -> Value {
    let knobs: Vec<_> = kind.knobs.iter().collect();
    let mut fragment = json!({"apiVersion": kind.body["apiVersion"], "kind": kind.body["kind"]});
    for _ in 0..=dice.below(2) {
        let Some((pointer, values)) = dice.pick(&knobs) else {
            continue;
        };
        let value = match dice
            .chance(50)
            .then(|| kind.body.pointer(pointer))
            .flatten()
        {
            Some(as_it_is) => as_it_is.clone(),
            None => dice.pick(values).cloned().unwrap_or(Value::Null),
        };
        if !value.is_null() && !through_an_atomic_list(pointer) {
            graft(&mut fragment, &kind.body, pointer, value);
        }
    }
    fragment["metadata"]["name"] = json!(name);
    fragment
}

fn through_an_atomic_list(pointer: &str) -> bool {
    [
        "/rules/",
        "/tolerations/",
        "/metrics/",
        "/ingress/",
        "/egress/",
        "/args/",
        "/list/",
    ]
    .iter()
    .any(|list| pointer.contains(list))
}

/// Copies the way to `pointer` from the body, with `value` at its end.
fn graft(fragment: &mut Value, body: &Value, pointer: &str, value: Value) {
    let steps: Vec<_> = pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/"))
        .collect();
    let (mut to, mut from) = (fragment, body);
    for step in &steps {
        from = match from {
            Value::Array(items) => items
                .get(step.parse::<usize>().expect("an index"))
                .unwrap_or(&Value::Null),
            other => &other[step],
        };
        to = if step.parse::<usize>().is_ok() {
            if !to.is_array() {
                *to = json!([]);
            }
            let items = to.as_array_mut().expect("made one just above");
            let names = names_of(from);
            let at = items
                .iter()
                .position(|item| names_of(item) == names)
                .unwrap_or_else(|| {
                    items.push(names);
                    items.len() - 1
                });
            &mut items[at]
        } else {
            &mut to[step]
        };
    }
    *to = value;
}

fn names_of(element: &Value) -> Value {
    let keys = ["name", "containerPort", "port", "protocol", "mountPath"];
    let entries = element.as_object().into_iter().flatten();
    let named = entries.filter(|(key, value)| keys.contains(&key.as_str()) && !value.is_object());
    Value::Object(
        named
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}
