//! Secrets: that a value changes is told, never the value, its length, or a hash of it.

use serde_json::Value;

use crate::diff::FieldChange;
use crate::fields::{self, Path, PathElement};

const HIDDEN: &str = "(hidden)";
/// The other side of a change of which both sides are hidden.
const HIDDEN_CHANGED: &str = "(hidden, changed)";

/// Copies of whole objects that tools keep in annotations.
const COPIES: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    "kapp.k14s.io/original",
];

/// Fields as people may see them.
pub fn told(object: &Value, changes: Vec<fields::FieldChange>) -> Vec<FieldChange> {
    let secrets = secret_paths(object);
    let tell = |change: fields::FieldChange| {
        let has_both = change.before.is_some() && change.after.is_some();
        let after_word = if has_both { HIDDEN_CHANGED } else { HIDDEN };
        FieldChange {
            path: change.path.to_string(),
            before: hide(&secrets, &change.path, change.before, HIDDEN),
            after: hide(&secrets, &change.path, change.after, after_word),
        }
    };
    changes.into_iter().map(tell).collect()
}

/// Where an object may hold what nobody should read.
fn secret_paths(object: &Value) -> Vec<Path> {
    let copies = COPIES
        .iter()
        .map(|copy| Path::of_fields(&["metadata", "annotations", copy]));
    let is_secret = object["kind"] == "Secret" && object["apiVersion"] == "v1";
    let data = ["data", "stringData"]
        .iter()
        .filter(|_| is_secret)
        .map(|field| Path::of_fields(&[field]));
    copies.chain(data).collect()
}

fn hide(secrets: &[Path], path: &Path, value: Option<Value>, word: &str) -> Option<Value> {
    let mut value = value?;
    for secret in secrets {
        if path.is_within(secret) {
            hide_leaves(&mut value, word);
        } else if secret.is_within(path) {
            let below = &secret.elements()[path.elements().len()..];
            if let Some(part) = part_at(&mut value, below) {
                hide_leaves(part, word);
            }
        }
    }
    Some(value)
}

fn part_at<'a>(value: &'a mut Value, below: &[PathElement]) -> Option<&'a mut Value> {
    below
        .iter()
        .try_fold(value, |value, element| match element {
            PathElement::Field(name) => value.get_mut(name),
            PathElement::Key(_) | PathElement::Value(_) | PathElement::Index(_) => None,
        })
}

/// The names of keys stay; whatever they hold goes.
fn hide_leaves(value: &mut Value, word: &str) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|part| *part = word.into()),
        _ => *value = word.into(),
    }
}
