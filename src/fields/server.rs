//! The API server's side: what an apply or an update makes of an object and of who owns its fields.
//!
//! Follows structured-merge-diff's `merge.Updater` and apimachinery's field managers. Objects are taken as they are
//! in JSON: defaulting, validation and admission are the caller's. All entries are taken to be of one version.

mod conflict;
mod update;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use self::conflict::{ApplyError, Conflict};
pub use self::update::server_update;

use self::conflict::spelt_conflicts;
use self::update::Update;
use super::check;
use super::managed::{self, Identity, Managers, Owned};
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
    let is_same_object = request.live.is_some() && value::same(&live, &object);
    managed::write(&mut object, &managers);
    match request.live {
        Some(live) if is_same_object && has_same_owners(live, &object) => Ok(Applied {
            object: live.clone(),
            changed: false,
        }),
        _ => Ok(Applied {
            object,
            changed: true,
        }),
    }
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
    let live = bare(type_ref, live);
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

/// The object as the server knows it, without its `managedFields`, which are most of it and not worth a copy.
fn bare(type_ref: TypeRef, object: &Value) -> Value {
    let mut shallow = Map::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        let value = match value {
            Value::Object(metadata) if name == "metadata" => {
                let kept = metadata.iter().filter(|(name, _)| *name != "managedFields");
                kept.map(|(name, value)| (name.clone(), value.clone()))
                    .collect()
            }
            other => other.clone(),
        };
        shallow.insert(name.clone(), value);
    }
    spelling::as_answered(type_ref, &Value::Object(shallow))
}

fn remove_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// Fields that a request to this endpoint cannot set, so that it does not come to own them.
fn reset_fields(type_ref: TypeRef, kind: &str, subresource: Option<&str>) -> FieldSet {
    let fields: &[&[&str]] = match (subresource, kind) {
        (None, _) => &[&["status"]],
        (Some("status"), _) if type_ref.is_custom() => &[&["spec"], &["metadata"]],
        (Some("status"), "Deployment") => &[&["spec"], &["metadata", "labels"]],
        (Some("status"), "Pod") => &[
            &["spec"],
            &["metadata", "deletionTimestamp"],
            &["metadata", "ownerReferences"],
        ],
        (Some("status"), _) => &[&["spec"]],
        (Some(_), _) => &[],
    };
    let paths: Vec<_> = fields.iter().map(|names| Path::of_fields(names)).collect();
    paths.iter().collect()
}

fn filtered(mut comparison: Comparison, reset: &FieldSet) -> Comparison {
    comparison.removed.subtract_recursively(reset);
    comparison.modified.subtract_recursively(reset);
    comparison.added.subtract_recursively(reset);
    comparison
}

/// The fields that a change touches in what others own.
fn touched(managers: &Managers, own: &Identity, comparison: &Comparison) -> Managers {
    let changed = comparison.modified.union(&comparison.added);
    let others = managers
        .iter()
        .filter(|(identity, owned)| *identity != own && owned.fields.overlaps(&changed));
    let touched = others.map(|(identity, owned)| {
        let fields = owned.fields.intersection(&changed);
        (
            identity.clone(),
            Owned {
                fields,
                api_version: owned.api_version.clone(),
                time: None,
            },
        )
    });
    touched.collect()
}

/// Takes fields that changed or went away from all others; who owns nothing more is forgotten.
fn take_away(managers: &mut Managers, own: Option<&Identity>, comparison: &Comparison) {
    let others = managers
        .iter_mut()
        .filter(|(identity, _)| Some(*identity) != own);
    for (_, owned) in others {
        owned.fields.subtract(&comparison.modified);
        owned.fields.subtract(&comparison.added);
        owned.fields.subtract(&comparison.removed);
    }
    managers.retain(|_, owned| !owned.fields.is_empty());
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
        let kind = self.request.sent["kind"].as_str().unwrap_or_default();
        let reset = reset_fields(self.type_ref, kind, self.request.subresource);
        let mut fields = typed::field_set(self.type_ref, self.request.sent);
        fields.subtract_recursively(&reset);
        let last = managers.remove(&identity);
        let api_version = self.request.sent["apiVersion"].as_str().unwrap_or_default();
        let own = Owned {
            api_version: api_version.to_owned(),
            fields,
            time: last.as_ref().and_then(|last| last.time.clone()),
        };
        let merged = typed::merged(self.type_ref, Some(self.live), Some(self.request.sent));
        let mut merged = merged.unwrap_or(Value::Null);
        // Whoever still applies all that he owned takes nothing out.
        let gone = last.filter(|last| !last.fields.is_within(&own.fields));
        managers.insert(identity.clone(), own);
        if let Some(last) = gone {
            merged = self.pruned(&merged, managers, &last);
        }

        let is_changed = !value::same(self.live, &merged);
        // Only what changed can be anybody else's, and only if there is anybody else.
        if is_changed && managers.len() > 1 {
            let comparison = typed::comparison(self.type_ref, self.live, &merged);
            self.settle_others(managers, &identity, &filtered(comparison, &reset))?;
        }
        self.settle_own(managers, &identity, is_changed);
        Ok(merged)
    }

    fn settle_others(
        &self,
        managers: &mut Managers,
        own: &Identity,
        comparison: &Comparison,
    ) -> Result<(), ApplyError> {
        let conflicts = touched(managers, own, comparison);
        if !self.request.force && !conflicts.is_empty() {
            return Err(ApplyError::Conflicts(spelt_conflicts(&conflicts)));
        }
        take_away(managers, Some(own), comparison);
        Ok(())
    }

    /// Nobody owns an object's identity, and the time moves only with the object.
    fn settle_own(&self, managers: &mut Managers, identity: &Identity, is_changed: bool) {
        let Some(own) = managers.get_mut(identity) else {
            return;
        };
        managed::forget_identity(&mut own.fields);
        if is_changed {
            own.time = Some(managed::time_of(self.request.now));
        }
        if own.fields.is_empty() {
            managers.remove(identity);
        }
    }

    /// Removes what this manager applied last time and not this time, unless anybody else claims it.
    fn pruned(&self, merged: &Value, managers: &Managers, last: &Owned) -> Value {
        let named = |fields: &FieldSet| fields.with_named_fields(self.type_ref);
        let fields_of = |object: &Value| named(&typed::field_set(self.type_ref, object));
        let last = named(&last.fields);
        let all = fields_of(merged);

        let pruned = typed::without(self.type_ref, merged, &last);
        let claimed = managers
            .values()
            .fold(FieldSet::default(), |all, owned| all.union(&owned.fields));
        let kept = fields_of(&pruned).union(&named(&claimed));
        let pruned = typed::without(self.type_ref, merged, &all.difference(&kept));

        // What stood below a removed field and was never this manager's comes back.
        let removed = all.difference(&fields_of(&pruned)).intersection(&last);
        typed::without(self.type_ref, merged, &removed)
    }
}

/// The same owners of the same fields in the same order; times alone do not count.
fn has_same_owners(live: &Value, object: &Value) -> bool {
    let none = Vec::new();
    let left = live
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .unwrap_or(&none);
    let right = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .unwrap_or(&none);
    let fields = [
        "manager",
        "operation",
        "apiVersion",
        "subresource",
        "fieldsV1",
    ];
    let is_same = |left: &Value, right: &Value| {
        fields
            .iter()
            .all(|field| left.get(field) == right.get(field))
    };
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| is_same(left, right))
}
