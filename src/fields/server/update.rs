//! Creates, updates and patches: what they make of who owns the fields.

use jiff::Timestamp;
use serde_json::Value;

use super::{bare, filtered, remove_managed_fields, reset_fields, take_away};
use crate::fields::managed::{self, Identity, Managers, Owned};
use crate::fields::scale::{self, Scaling};
use crate::fields::schema::{TypeRef, schema};
use crate::fields::{spelling, typed};

/// Notes who owns what after a create, update or patch: `new` is the whole object after it, defaults included.
///
/// A manager's entry gains the fields that changed and loses those that went; its time moves only if it gained any.
pub fn server_update(
    live: Option<&Value>,
    new: &Value,
    manager: &str,
    now: Timestamp,
    subresource: Option<&str>,
) -> Value {
    let type_ref = schema().type_of_object(new);
    let mut managers = managers_of_update(live, new, subresource);
    let mut object = spelling::as_answered(type_ref, new);
    remove_managed_fields(&mut object);
    if live.is_some() && managers.is_empty() {
        return object;
    }
    let before = live.map_or_else(|| type_ref.zero(), |live| bare(type_ref, live));
    let update = Update {
        type_ref,
        before: &before,
        after: &object,
        subresource,
    };
    if subresource == Some("scale") {
        let entries = update.note_scale(managers, manager);
        managed::write(
            &mut object,
            entries.iter().map(|(identity, owned)| (identity, owned)),
        );
        return object;
    }
    update.note(&mut managers, manager, now);
    managed::fold_oldest(&mut managers);
    managed::write(&mut object, &managers);
    object
}

/// An update may carry the list itself, to edit it or, with an empty one, to have it forgotten.
fn managers_of_update(live: Option<&Value>, new: &Value, subresource: Option<&str>) -> Managers {
    if subresource.is_some() {
        return managed::read_or_none(live);
    }
    let sent = new
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let is_reset = sent.is_some_and(|entries| match entries.as_slice() {
        [] => true,
        [entry] => entry.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    });
    if is_reset {
        return Managers::new();
    }
    match managed::read(new) {
        Ok(managers) if !managers.is_empty() => managers,
        _ => managed::read_or_none(live),
    }
}

/// A create, update or patch of an object.
pub(super) struct Update<'a> {
    pub(super) type_ref: TypeRef,
    pub(super) before: &'a Value,
    pub(super) after: &'a Value,
    pub(super) subresource: Option<&'a str>,
}

impl Update<'_> {
    pub(super) fn note(&self, managers: &mut Managers, manager: &str, now: Timestamp) {
        let kind = self.after["kind"].as_str().unwrap_or_default();
        let reset = reset_fields(self.type_ref, kind, self.subresource);
        let comparison = typed::comparison(self.type_ref, self.before, self.after);
        let comparison = filtered(comparison, &reset);
        take_away(managers, None, &comparison);
        let mut gained = comparison.modified.union(&comparison.added);
        managed::forget_identity(&mut gained);
        if gained.is_empty() {
            return;
        }
        let identity = self.identity(manager);
        let fields = match managers.get(&identity) {
            Some(previous) => previous.fields.union(&gained),
            None => gained,
        };
        let owned = Owned {
            api_version: identity.api_version.clone(),
            fields,
            time: Some(managed::time_of(now)),
        };
        managers.insert(identity, owned);
    }

    fn note_scale(&self, managers: Managers, manager: &str) -> Vec<(Identity, Owned)> {
        let replicas = |object: &Value| object.pointer("/spec/replicas").and_then(Value::as_i64);
        let scaling = match (replicas(self.before), replicas(self.after)) {
            (before, after) if before == after => Scaling::Unchanged,
            (_, None | Some(0)) => Scaling::ToZero,
            _ => Scaling::To,
        };
        scale::owners_after(managers, &self.identity(manager), scaling)
    }

    fn identity(&self, manager: &str) -> Identity {
        let api_version = self.after["apiVersion"].as_str().unwrap_or_default();
        Identity::updater(manager, api_version, self.subresource)
    }
}
