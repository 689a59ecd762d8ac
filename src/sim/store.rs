//! All objects of a cluster, by kind and key, with the indexes that keep requests cheap.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::KindId;
use super::managed::Managed;
use super::object::ObjectId;
use super::pool::Pool;
use super::stored::Stored;

/// Objects and the counter that all their versions come from.
#[derive(Debug, Default)]
pub struct Store {
    objects: BTreeMap<ObjectId, Arc<Stored>>,
    by_uid: BTreeMap<Arc<str>, ObjectId>,
    /// Owner's uid to its dependants.
    dependants: BTreeMap<Arc<str>, BTreeSet<ObjectId>>,
    revision: u64,
    pool: Pool,
}

impl Store {
    pub fn at_revision(revision: u64) -> Self {
        Self {
            revision,
            ..Self::default()
        }
    }

    /// The version of the last write.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn find(&self, id: &ObjectId) -> Option<&Arc<Stored>> {
        self.objects.get(id)
    }

    pub fn by_uid(&self, uid: &str) -> Option<&ObjectId> {
        self.by_uid.get(uid)
    }

    /// Everything of a kind, in one namespace or in all.
    pub fn list<'a>(
        &'a self,
        kind: KindId,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a ObjectId, &'a Arc<Stored>)> {
        let first = ObjectId::first(kind, namespace);
        let prefix = first.key().to_owned();
        let range = (Bound::Included(first), Bound::Unbounded);
        let objects = self.objects.range::<ObjectId, _>(range);
        objects.take_while(move |(id, _)| id.kind == kind && id.key().starts_with(&prefix))
    }

    pub fn all(&self) -> impl Iterator<Item = (&ObjectId, &Arc<Stored>)> {
        self.objects.iter()
    }

    pub fn dependants(&self, uid: &str) -> Vec<ObjectId> {
        let found = self.dependants.get(uid).into_iter().flatten();
        found.cloned().collect()
    }

    /// Writes an object under a new version, which the tree then carries.
    pub fn put(&mut self, id: &ObjectId, value: &mut Value, created: Timestamp) -> Arc<Stored> {
        self.revision += 1;
        value["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        self.restore(id, value, created)
    }

    /// As [`put`](Self::put), of an object whose owners are told apart from it.
    pub fn put_owned(
        &mut self,
        id: &ObjectId,
        (value, managed): (&mut Value, Managed),
        created: Timestamp,
    ) -> Arc<Stored> {
        self.revision += 1;
        value["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let stored = Stored::owned_as(value, created, managed, &mut self.pool);
        self.insert(id, stored)
    }

    /// The same, of an object that is there and of which only metadata and status changed.
    pub fn put_status(
        &mut self,
        id: &ObjectId,
        (value, managed): (&mut Value, Managed),
    ) -> Option<Arc<Stored>> {
        let before = self.find(id)?.clone();
        self.revision += 1;
        value["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        Some(self.insert(id, before.with_status(value, managed)))
    }

    /// What objects have in common.
    pub fn pool(&mut self) -> &mut Pool {
        &mut self.pool
    }

    /// Writes an object as it is, under the version that it carries.
    pub fn restore(&mut self, id: &ObjectId, value: &Value, created: Timestamp) -> Arc<Stored> {
        let stored = Stored::new(value, created, &mut self.pool);
        self.insert(id, stored)
    }

    fn insert(&mut self, id: &ObjectId, stored: Stored) -> Arc<Stored> {
        self.forget(id);
        let stored = Arc::new(stored);
        let head = &stored.head;
        self.by_uid.insert(head.uid.clone(), id.clone());
        for owner in &head.owners {
            let dependants = self.dependants.entry(owner.clone()).or_default();
            dependants.insert(id.clone());
        }
        self.objects.insert(id.clone(), stored.clone());
        stored
    }

    pub fn remove(&mut self, id: &ObjectId) {
        self.revision += 1;
        self.forget(id);
    }

    fn forget(&mut self, id: &ObjectId) {
        let Some(stored) = self.objects.remove(id) else {
            return;
        };
        self.by_uid.remove(&stored.head.uid);
        for owner in &stored.head.owners {
            if let Some(dependants) = self.dependants.get_mut(owner) {
                dependants.remove(id);
                if dependants.is_empty() {
                    self.dependants.remove(owner);
                }
            }
        }
    }
}
