//! The API server's side: what an apply or an update makes of an object and of who owns its fields.
//!
//! Follows structured-merge-diff's `merge.Updater` and apimachinery's field managers. Objects are taken as they are
//! in JSON: defaulting, validation and admission are the caller's. All entries are taken to be of one version.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::check;
use super::managed::{self, Identity, Managers, Operation, Owned};
use super::path::Path;
use super::schema::{TypeRef, schema};
use super::set::FieldSet;
use super::spelling;
use super::typed::{self, Comparison};
use super::value;

/// A server-side apply.
#[derive(Clone, Copy, Debug)]
pub struct ApplyRequest<'a> {
    /// The object as it is stored; `None` if it is not there yet.
    pub live: Option<&'a Value>,
    /// The object as it was sent, with `apiVersion` and `kind`.
    pub sent: &'a Value,
    pub manager: &'a str,
    /// Takes fields over from other managers.
    pub force: bool,
    pub now: Timestamp,
    /// `None` for the object itself.
    pub subresource: Option<&'a str>,
}

/// What an apply made of the object.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// With the new `managedFields`; uid, resourceVersion and generation are those of the live object.
    pub object: Value,
    /// Whether anything is different, the owners of fields included; times alone are not.
    pub changed: bool,
}

/// A field that another manager owns and that the apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub path: Path,
    pub manager: String,
    /// Empty for the object itself.
    pub subresource: String,
    /// By which version the manager updated the field; `None` for managers that apply.
    pub updated_by: Option<String>,
}

/// Why an apply was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// HTTP 409; the message of the status is this error's `Display`, its causes are the conflicts.
    Conflicts(Vec<Conflict>),
    /// What was sent does not fit the type of the object.
    Invalid(String),
}

/// The manager that is noted for fields of an object that nobody tracked so far.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Applies `sent` to `live` as the API server does.
pub fn server_apply(request: ApplyRequest) -> Result<Applied, ApplyError> {
    let type_ref = schema().type_of_object(request.sent);
    refuse_misfits(type_ref, request.sent)?;
    let (live, mut managers) = live_side(type_ref, &request)?;
    let applied = Applying {
        type_ref,
        request,
        live: &live,
    }
    .run(&mut managers)?;
    let mut object = spelling::as_answered(type_ref, &applied);
    managed::write(&mut object, &managers);
    let changed = request.live.is_none_or(|live| is_changed(live, &object));
    let object = match request.live {
        Some(live) if !changed => live.clone(),
        _ => object,
    };
    Ok(Applied { object, changed })
}

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
    let before = live.map_or_else(|| type_ref.zero(), bare);
    let update = Update {
        type_ref,
        before: &before,
        after: &object,
        subresource,
    };
    update.note(&mut managers, manager, now);
    managed::fold_oldest(&mut managers);
    managed::write(&mut object, &managers);
    object
}

fn refuse_misfits(type_ref: TypeRef, sent: &Value) -> Result<(), ApplyError> {
    let managed = sent.pointer("/metadata/managedFields");
    if managed.is_some_and(|fields| !fields.is_null()) {
        return Err(ApplyError::Invalid(
            "metadata.managedFields must be nil".to_owned(),
        ));
    }
    let problems = check::problems(type_ref, sent);
    if problems.is_empty() {
        return Ok(());
    }
    let text = |pointer: &str| {
        sent.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let problems = match problems.as_slice() {
        [one] => one.clone(),
        several => format!("errors:\n  {}", several.join("\n  ")),
    };
    Err(ApplyError::Invalid(format!(
        "failed to create typed patch object ({}/{}; {}, Kind={}): {problems}",
        text("/metadata/namespace"),
        text("/metadata/name"),
        text("/apiVersion"),
        text("/kind"),
    )))
}

/// The object to merge into, and who owns its fields.
fn live_side(type_ref: TypeRef, request: &ApplyRequest) -> Result<(Value, Managers), ApplyError> {
    let Some(live) = request.live else {
        let mut empty = type_ref.zero();
        for field in ["apiVersion", "kind"] {
            empty[field] = request.sent[field].clone();
        }
        return Ok((empty, Managers::new()));
    };
    let mut managers = managed::read(live)
        .map_err(|why| ApplyError::Invalid(format!("failed to decode managed fields: {why}")))?;
    let live = bare(live);
    if managers.is_empty() {
        let zero = type_ref.zero();
        let update = Update {
            type_ref,
            before: &zero,
            after: &live,
            subresource: request.subresource,
        };
        update.note(&mut managers, BEFORE_FIRST_APPLY, request.now);
    }
    Ok((live, managers))
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

/// The object without its `managedFields`.
fn bare(object: &Value) -> Value {
    let mut object = object.clone();
    remove_managed_fields(&mut object);
    object
}

fn remove_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// Fields that a request to this endpoint cannot set, so that it does not come to own them.
fn reset_fields(type_ref: TypeRef, subresource: Option<&str>) -> FieldSet {
    let fields: &[&[&str]] = match subresource {
        None if type_ref.is_custom() => &[],
        None => &[&["status"]],
        Some("status") if type_ref.is_custom() => &[&["spec"], &["metadata"]],
        Some("status") => &[&["spec"], &["metadata", "labels"]],
        Some(_) => &[],
    };
    let paths: Vec<_> = fields.iter().map(|names| Path::of_fields(names)).collect();
    paths.iter().collect()
}

fn filtered(comparison: &Comparison, reset: &FieldSet) -> Comparison {
    Comparison {
        removed: comparison.removed.recursive_difference(reset),
        modified: comparison.modified.recursive_difference(reset),
        added: comparison.added.recursive_difference(reset),
    }
}

/// The fields that a change touches in what others own.
fn touched(managers: &Managers, own: Option<&Identity>, comparison: &Comparison) -> Managers {
    let changed = comparison.modified.union(&comparison.added);
    let others = managers
        .iter()
        .filter(|(identity, _)| Some(*identity) != own);
    let touched = others.filter_map(|(identity, owned)| {
        let fields = owned.fields.intersection(&changed);
        (!fields.is_empty()).then(|| {
            (
                identity.clone(),
                Owned {
                    fields,
                    ..owned.clone()
                },
            )
        })
    });
    touched.collect()
}

/// Takes fields that changed or went away from all others; who owns nothing more is forgotten.
fn take_away(managers: &mut Managers, own: Option<&Identity>, comparison: &Comparison) {
    let gone = comparison
        .modified
        .union(&comparison.added)
        .union(&comparison.removed);
    for (identity, owned) in managers.iter_mut() {
        if Some(identity) != own {
            owned.fields = owned.fields.difference(&gone);
        }
    }
    managers.retain(|_, owned| !owned.fields.is_empty());
}

/// A create, update or patch of an object.
struct Update<'a> {
    type_ref: TypeRef,
    before: &'a Value,
    after: &'a Value,
    subresource: Option<&'a str>,
}

impl Update<'_> {
    fn note(&self, managers: &mut Managers, manager: &str, now: Timestamp) {
        let reset = reset_fields(self.type_ref, self.subresource);
        let comparison = filtered(
            &typed::comparison(self.type_ref, self.before, self.after),
            &reset,
        );
        take_away(managers, None, &comparison);
        let gained = managed::without_identity(&comparison.modified.union(&comparison.added));
        if gained.is_empty() {
            return;
        }
        let api_version = self.after["apiVersion"].as_str().unwrap_or_default();
        let identity = Identity::updater(manager, api_version, self.subresource);
        let fields = match managers.get(&identity) {
            Some(previous) => previous.fields.union(&gained),
            None => gained,
        };
        let time = Some(managed::time_of(now));
        managers.insert(
            identity,
            Owned {
                api_version: api_version.to_owned(),
                fields,
                time,
            },
        );
    }
}

/// A server-side apply to a live object.
struct Applying<'a> {
    type_ref: TypeRef,
    request: ApplyRequest<'a>,
    /// Without `managedFields`.
    live: &'a Value,
}

impl Applying<'_> {
    /// The merged object; the managers are left as they are after it.
    fn run(&self, managers: &mut Managers) -> Result<Value, ApplyError> {
        let identity = Identity::applier(self.request.manager, self.request.subresource);
        let reset = reset_fields(self.type_ref, self.request.subresource);
        let fields =
            typed::field_set(self.type_ref, self.request.sent).recursive_difference(&reset);
        let last = managers.get(&identity).cloned();
        let api_version = self.request.sent["apiVersion"].as_str().unwrap_or_default();
        let own = Owned {
            api_version: api_version.to_owned(),
            fields,
            time: last.as_ref().and_then(|last| last.time.clone()),
        };
        managers.insert(identity.clone(), own);
        let merged = typed::merged(self.type_ref, Some(self.live), Some(self.request.sent));
        let merged = self.pruned(merged.unwrap_or(Value::Null), managers, last.as_ref());

        let comparison = filtered(
            &typed::comparison(self.type_ref, self.live, &merged),
            &reset,
        );
        let conflicts = touched(managers, Some(&identity), &comparison);
        if !self.request.force && !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(spelt_conflicts(&conflicts)));
        }
        take_away(managers, Some(&identity), &comparison);
        self.settle_own(managers, &identity, !value::same(self.live, &merged));
        Ok(merged)
    }

    /// Nobody owns an object's identity, and the time moves only with the object.
    fn settle_own(&self, managers: &mut Managers, identity: &Identity, is_changed: bool) {
        let Some(own) = managers.get_mut(identity) else {
            return;
        };
        own.fields = managed::without_identity(&own.fields);
        if is_changed {
            own.time = Some(managed::time_of(self.request.now));
        }
        if own.fields.is_empty() {
            managers.remove(identity);
        }
    }

    /// Removes what this manager applied last time and not this time, unless anybody else claims it.
    fn pruned(&self, merged: Value, managers: &Managers, last: Option<&Owned>) -> Value {
        let Some(last) = last.filter(|last| !last.fields.is_empty()) else {
            return merged;
        };
        let named = |fields: &FieldSet| fields.with_named_fields(self.type_ref);
        let fields_of = |object: &Value| named(&typed::field_set(self.type_ref, object));
        let last = named(&last.fields);
        let all = fields_of(&merged);

        let pruned = typed::without(self.type_ref, &merged, &last);
        let claimed = managers
            .values()
            .fold(FieldSet::default(), |all, owned| all.union(&owned.fields));
        let kept = fields_of(&pruned).union(&named(&claimed));
        let pruned = typed::without(self.type_ref, &merged, &all.difference(&kept));

        // What stood below a removed field and was never this manager's comes back.
        let removed = all.difference(&fields_of(&pruned)).intersection(&last);
        typed::without(self.type_ref, &merged, &removed)
    }
}

fn spelt_conflicts(conflicts: &Managers) -> Vec<Conflict> {
    let mut spelt = Vec::new();
    for (identity, owned) in conflicts {
        let is_update = identity.operation == Operation::Update;
        spelt.extend(owned.fields.paths().into_iter().map(|path| Conflict {
            path,
            manager: identity.manager.clone(),
            subresource: identity.subresource.clone(),
            updated_by: is_update.then(|| owned.api_version.clone()),
        }));
    }
    spelt
}

/// Different but for the times in `managedFields`.
fn is_changed(live: &Value, object: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        let entries = object
            .pointer_mut("/metadata/managedFields")
            .and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            entry["time"] = json!(null);
        }
        object
    };
    !value::same(&timeless(live), &timeless(object))
}

impl Conflict {
    /// The manager as the API server names it: `"kubectl-edit" using apps/v1`.
    pub fn manager_as_server_spells(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut text = quoted(&self.manager);
        if !self.subresource.is_empty() {
            text.extend([" with subresource ", &quoted(&self.subresource)]);
        }
        if let Some(version) = &self.updated_by {
            text.extend([" using ", version]);
        }
        text
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => f.write_str(why),
            Self::Conflicts(conflicts) => write_conflicts(f, conflicts),
        }
    }
}

fn write_conflicts(f: &mut fmt::Formatter<'_>, conflicts: &[Conflict]) -> fmt::Result {
    if let [one] = conflicts {
        let path = one.path.as_server_spells();
        return write!(
            f,
            "Apply failed with 1 conflict: conflict with {}: {path}",
            one.manager_as_server_spells()
        );
    }
    write!(f, "Apply failed with {} conflicts: ", conflicts.len())?;
    let mut previous = None;
    for conflict in conflicts {
        let manager = conflict.manager_as_server_spells();
        if previous.as_ref() != Some(&manager) {
            let separator = if previous.is_some() { "\n" } else { "" };
            write!(f, "{separator}conflicts with {manager}:")?;
        }
        write!(f, "\n- {}", conflict.path.as_server_spells())?;
        previous = Some(manager);
    }
    Ok(())
}

impl std::error::Error for ApplyError {}
