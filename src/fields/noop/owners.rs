//! Whose fields they are, as far as an apply of ours minds.

use serde_json::Value;

use super::Entries;
use crate::fields::path::{Path, PathElement};

/// The entries of `managedFields`.
pub(super) struct Owners<'a> {
    pub(super) own: &'a Entries,
    others: Vec<&'a Entries>,
    /// Whether an apply that moves our time leaves the order of the entries as it is.
    own_is_last_applier: bool,
}

impl<'a> Owners<'a> {
    pub(super) fn of(live: &'a Value, manager: &str) -> Result<Self, String> {
        let entries = live
            .pointer("/metadata/managedFields")
            .and_then(Value::as_array);
        let entries: Vec<_> = entries.into_iter().flatten().collect();
        let is_applier = |entry: &Value| entry["operation"] == "Apply";
        let is_own = |entry: &Value| {
            is_applier(entry) && entry["manager"] == manager && entry.get("subresource").is_none()
        };
        let mut own_entries = entries.iter().filter(|entry| is_own(entry));
        let (Some(own), None) = (own_entries.next(), own_entries.next()) else {
            return Err(format!("`{manager}` has not applied it yet"));
        };
        // An entry of another version would be converted, or dropped if that is served no more.
        if entries
            .iter()
            .any(|entry| entry["apiVersion"] != live["apiVersion"])
        {
            return Err("fields are owned by another version".to_owned());
        }
        if has_doubles(&entries) {
            return Err("a manager has two entries".to_owned());
        }
        let fields = |entry: &'a Value| entry.get("fieldsV1").and_then(Value::as_object);
        let (Some(own), Some(last)) =
            (fields(own), entries.iter().rfind(|entry| is_applier(entry)))
        else {
            return Err("the owned fields cannot be read".to_owned());
        };
        let others = entries.iter().filter(|entry| !is_own(entry));
        Ok(Self {
            own,
            others: others.filter_map(|entry| fields(entry)).collect(),
            own_is_last_applier: is_own(last),
        })
    }

    /// Fields that we spell otherwise: the server notes them as changed by us.
    pub(super) fn mind(&self, spelt_otherwise: &[Vec<String>]) -> Result<(), String> {
        if !spelt_otherwise.is_empty() && !self.own_is_last_applier {
            return Err("fields are spelt otherwise, and others have applied since".to_owned());
        }
        let shared = spelt_otherwise
            .iter()
            .find(|path| self.others.iter().any(|fields| owns(fields, path)));
        match shared {
            Some(path) => Err(format!(
                "{} is spelt otherwise, and another manager owns it",
                path_of(path)
            )),
            None => Ok(()),
        }
    }
}

/// A write to `scale` may leave a manager two entries, which the next write makes one.
fn has_doubles(entries: &[&Value]) -> bool {
    let fields = ["manager", "operation", "subresource"];
    let is_double = |left: &Value, right: &Value| {
        fields
            .iter()
            .all(|field| left.get(field) == right.get(field))
    };
    let mut rest = entries;
    while let [first, others @ ..] = rest {
        if others.iter().any(|other| is_double(first, other)) {
            return true;
        }
        rest = others;
    }
    false
}

fn owns(fields: &Entries, path: &[String]) -> bool {
    let found = path
        .iter()
        .try_fold(fields, |fields, step| fields.get(step)?.as_object());
    found.is_some_and(is_member)
}

/// Whether the field at this node of `fieldsV1` is itself owned.
pub(super) fn is_member(node: &Entries) -> bool {
    node.is_empty() || node.contains_key(".")
}

fn path_of(keys: &[String]) -> Path {
    keys.iter()
        .filter_map(|key| PathElement::from_fields_v1(key))
        .collect()
}
