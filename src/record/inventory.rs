//! What a tenant owns on its cluster, and what our last write of each object looked like.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::{Digest, ObjectRef};

/// One object of a tenant. Everything but `object` comes from the response to our last write of
/// it, never from a later read: that is what makes tier 1 of the skip rule safe (`design.md` 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    pub object: ObjectRef,
    /// What we wrote; `None` while the write is only intended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
}

/// The response to a write, as far as we remember it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub uid: String,
    /// Digest (`o1:`) of the manifest that was sent.
    pub digest: Digest,
    pub resource_version: String,
    /// `None` for kinds that count no generations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// The time in our managedFields entry, to the second.
    pub written_at: Timestamp,
    /// Hash of our managedFields entry: apiVersion, time and fieldsV1.
    pub managed_fields_hash: String,
    /// Hash of what we own of the pod template, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_hash: Option<String>,
    /// Whether our first write made it: nobody else had written to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub created: bool,
}

/// The lines of one tenant, each object once, whatever version of its API a line spells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    lines: BTreeMap<Key, Line>,
}

/// An object without the version of its API: `apps/v1` and `apps/v1beta1` name one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
}

impl Inventory {
    pub fn new(lines: impl IntoIterator<Item = Line>) -> Self {
        let mut inventory = Self::default();
        for line in lines {
            inventory.insert(line);
        }
        inventory
    }

    /// Adds a line, in place of one of the same object.
    pub fn insert(&mut self, line: Line) {
        self.lines.insert(Key::of(&line.object), line);
    }

    pub fn remove(&mut self, object: &ObjectRef) -> Option<Line> {
        self.lines.remove(&Key::of(object))
    }

    pub fn find(&self, object: &ObjectRef) -> Option<&Line> {
        self.lines.get(&Key::of(object))
    }

    pub fn contains(&self, object: &ObjectRef) -> bool {
        self.lines.contains_key(&Key::of(object))
    }

    /// The lines, sorted by group, kind, namespace and name.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What must be stored before the first write: all that was there and all that may come, so
    /// that a crash in between leaves nothing that no record knows.
    #[must_use]
    pub fn union<'a>(&self, intended: impl IntoIterator<Item = &'a ObjectRef>) -> Self {
        let mut union = self.clone();
        for object in intended {
            let key = Key::of(object);
            union.lines.entry(key).or_insert_with(|| Line {
                object: object.clone(),
                written: None,
            });
        }
        union
    }
}

impl Key {
    fn of(object: &ObjectRef) -> Self {
        Self {
            group: object.group().to_owned(),
            kind: object.kind.clone(),
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        }
    }
}

impl Serialize for Inventory {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.lines())
    }
}

impl<'de> Deserialize<'de> for Inventory {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Line>::deserialize(deserializer).map(Self::new)
    }
}
