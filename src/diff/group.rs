//! The same change in many tenants, told once.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diff::names::NamesByTenant;
use crate::diff::{Change, ChangeKind, FieldChange, Names};
use crate::manifest::ObjectRef;

/// One change and all tenants that get it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Sorted.
    pub tenants: Vec<String>,
    /// Names that differ between the tenants are placeholders: `{tenant}`, `{platform}`, `{domain}`.
    pub object: ObjectRef,
    pub change: ChangeKind,
    pub restarts: bool,
    pub fields: Vec<FieldChange>,
    /// How many objects: a tenant may have several that read alike.
    pub objects: usize,
}

/// What changes the same way, with names replaced.
type Key = String;

/// Groups changes: what people must hear of first comes first, then what reaches most tenants.
pub fn grouped(changes: &[Change], names: &NamesByTenant) -> Vec<Group> {
    let nameless = Names::default();
    let mut groups: BTreeMap<Key, Group> = BTreeMap::new();
    for change in changes {
        let names = names.get(&change.tenant).unwrap_or(&nameless);
        let (object, fields) = names.neutral(change);
        match groups.get_mut(&key(change, &object, &fields)) {
            Some(group) => group.add(change, object, fields),
            None => {
                groups.insert(key(change, &object, &fields), Group::of(change));
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| a.rank().cmp(&b.rank()));
    groups
}

fn key(change: &Change, object: &ObjectRef, fields: &[FieldChange]) -> Key {
    let parts = (change.change, change.restarts, object, fields);
    serde_json::to_string(&parts).expect("plain data becomes JSON")
}

impl Group {
    fn of(change: &Change) -> Self {
        Self {
            tenants: vec![change.tenant.clone()],
            object: change.object.clone(),
            change: change.change,
            restarts: change.restarts,
            fields: change.fields.clone(),
            objects: 1,
        }
    }

    /// Placeholders are shown only where tenants differ.
    fn add(&mut self, change: &Change, object: ObjectRef, fields: Vec<FieldChange>) {
        self.objects += 1;
        if let Err(place) = self.tenants.binary_search(&change.tenant) {
            self.tenants.insert(place, change.tenant.clone());
        }
        if self.object != change.object {
            self.object = object;
        }
        if self.fields != change.fields {
            self.fields = fields;
        }
    }

    /// Errors, deletes and recreations first; restarts before what nobody notices.
    fn rank(&self) -> impl Ord + '_ {
        let stays = !self.restarts;
        let fewest = usize::MAX - self.tenants.len();
        let path = self.fields.first().map(|field| field.path.as_str());
        (
            self.change.min(ChangeKind::Update),
            stays,
            self.change,
            fewest,
            &self.object,
            path,
            &self.tenants,
        )
    }
}
