//! To whom an object belongs, and the marks that say so on the object itself.

use serde_json::{Value, json};

use crate::manifest::{EPOCH, Live, MANAGER, Manifest, OWNER, ObjectRef, PART_OF};
use crate::record::applyset_id;

/// The tenant whose objects are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub environment: String,
    pub tenant: String,
    pub namespace: String,
}

/// Whose an object is, as its own mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    Ours,
    /// It has no mark.
    Nobodys,
    /// The mark names another object: a copy that somebody made of it.
    Copy,
    /// The mark names another environment or tenant.
    Others(String),
}

impl Owner {
    /// The mark of one object: `ENVIRONMENT/TENANT/GROUP/KIND/NAMESPACE/NAME`.
    pub fn mark(&self, object: &ObjectRef) -> String {
        format!("{}{}", self.prefix(), identity(object))
    }

    /// The manifest with everything that we add on applying.
    pub fn dress(&self, manifest: &Manifest, epoch: Option<&str>) -> Manifest {
        let mut dressed = manifest.clone();
        dressed.annotate(OWNER, &self.mark(manifest.object()));
        if let Some(epoch) = epoch {
            dressed.annotate(EPOCH, epoch);
        }
        dressed.label(PART_OF, &applyset_id(&self.namespace));
        dressed
    }

    pub(super) fn owns(&self, live: &Live) -> Ownership {
        let Some(mark) = live.annotation(OWNER) else {
            return Ownership::Nobodys;
        };
        if mark == self.mark(live.object()) {
            return Ownership::Ours;
        }
        match mark.strip_suffix(&identity(live.object())) {
            Some(prefix) => Ownership::Others(prefix.trim_end_matches('/').to_owned()),
            None => Ownership::Copy,
        }
    }

    fn prefix(&self) -> String {
        format!("{}/{}/", self.environment, self.tenant)
    }
}

/// What takes our marks and our ownership of fields off an object, as a merge patch. `None` if it is not ours.
pub fn unmarked(live: &Live, owner: &Owner) -> Option<Value> {
    if owner.owns(live) != Ownership::Ours {
        return None;
    }
    let others = live.managed_fields().iter();
    let others = others.filter(|entry| entry["manager"] != MANAGER);
    let mut others: Vec<Value> = others.cloned().collect();
    if others.is_empty() {
        // An empty list says nothing to an API server; this says that nobody owns anything.
        others.push(json!({}));
    }
    Some(json!({"metadata": {
        "annotations": {OWNER: null, EPOCH: null},
        "labels": {PART_OF: null},
        "managedFields": others,
    }}))
}

fn identity(object: &ObjectRef) -> String {
    let namespace = object.namespace.as_deref().unwrap_or_default();
    format!(
        "{}/{}/{namespace}/{}",
        object.group(),
        object.kind,
        object.name
    )
}
