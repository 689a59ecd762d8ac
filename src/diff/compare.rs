//! Two sides of a tenant, or of one object → changes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::{Change, ChangeKind, FieldChange, hidden, immutable, restart};
use crate::fields;
use crate::manifest::{Bundle, Hook, Manifest, ObjectRef, without_marks};

/// A tenant's objects before and after; a side that does not exist is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    pub cluster: &'a str,
    pub tenant: &'a str,
    pub before: Option<&'a Bundle>,
    pub after: Option<&'a Bundle>,
}

/// How an object differs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub change: ChangeKind,
    pub restarts: bool,
    pub fields: Vec<FieldChange>,
}

/// What the API server fills in, and no manifest means.
const SET_BY_SERVER: &[&str] = &[
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Every object of either side, also the unchanged ones, by kind, namespace and name.
pub fn compare_bundles(sides: &Sides<'_>) -> Vec<Change> {
    let mut pairs: BTreeMap<Identity<'_>, (Option<&Manifest>, Option<&Manifest>)> = BTreeMap::new();
    for manifest in manifests(sides.before) {
        pairs.entry(identity(manifest)).or_default().0 = Some(manifest);
    }
    for manifest in manifests(sides.after) {
        pairs.entry(identity(manifest)).or_default().1 = Some(manifest);
    }
    let changes = pairs.into_values().filter_map(|(before, after)| {
        let object = after.or(before)?.object().clone();
        let difference = compare_manifests(before, after);
        Some(difference.of(sides, object))
    });
    changes.collect()
}

/// A hook is run, not kept in place: what counts is whether it runs, not which of its fields could change.
fn compare_manifests(before: Option<&Manifest>, after: Option<&Manifest>) -> Difference {
    let difference = compare_objects(before.map(Manifest::value), after.map(Manifest::value));
    let hook = |manifest: Option<&Manifest>| manifest.and_then(|one| Hook::of(one)?.ok());
    let change = match (hook(before), hook(after)) {
        (None, None) => return difference,
        (Some(older), Some(newer)) if older.key == newer.key => {
            difference.change.max(ChangeKind::Update)
        }
        (_, Some(_)) => ChangeKind::HookRuns,
        (Some(_), None) if after.is_some() => ChangeKind::Create,
        (Some(_), None) => ChangeKind::HookGone,
    };
    Difference {
        change,
        restarts: false,
        ..difference
    }
}

/// Compares two trees of one object: rendered, live, or answered by a dry-run. Our marks, the
/// status and what the server fills in do not count.
pub fn compare_objects(before: Option<&Value>, after: Option<&Value>) -> Difference {
    match (before, after) {
        (Some(before), Some(after)) if before == after => Difference::whole(ChangeKind::Unchanged),
        (Some(before), Some(after)) => compare_both(&meant(before), &meant(after)),
        (Some(_), None) => Difference::whole(ChangeKind::Delete),
        (None, Some(_)) => Difference::whole(ChangeKind::Create),
        (None, None) => Difference::whole(ChangeKind::Unchanged),
    }
}

fn compare_both(before: &Value, after: &Value) -> Difference {
    let changes = fields::compare(fields::schema().type_of_object(after), before, after);
    if changes.is_empty() {
        return Difference::whole(ChangeKind::Unchanged);
    }
    let is_immutable = immutable::is_changed(before, &changes);
    let change = if is_immutable {
        ChangeKind::NeedsRecreate
    } else {
        ChangeKind::Update
    };
    Difference {
        change,
        restarts: restart::is_caused(before, after, &changes, is_immutable),
        fields: hidden::told(after, changes),
    }
}

impl Difference {
    fn whole(change: ChangeKind) -> Self {
        Self {
            change,
            restarts: false,
            fields: Vec::new(),
        }
    }

    fn of(self, sides: &Sides<'_>, object: ObjectRef) -> Change {
        Change {
            cluster: sides.cluster.to_owned(),
            tenant: sides.tenant.to_owned(),
            object,
            change: self.change,
            restarts: self.restarts,
            fields: self.fields,
        }
    }
}

/// The version is a spelling, not an identity.
type Identity<'a> = (&'a str, &'a str, Option<&'a str>, &'a str);

fn identity(manifest: &Manifest) -> Identity<'_> {
    let object = manifest.object();
    let namespace = object.namespace.as_deref();
    (&object.kind, object.group(), namespace, &object.name)
}

fn manifests(bundle: Option<&Bundle>) -> &[Manifest] {
    bundle.map_or(&[], Bundle::manifests)
}

fn meant(object: &Value) -> Value {
    let mut meant = without_marks(object).into_owned();
    if let Some(fields) = meant.as_object_mut() {
        fields.remove("status");
    }
    let metadata = meant.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata {
        metadata.retain(|name, _| !SET_BY_SERVER.contains(&name.as_str()));
    }
    meant
}
