//! `managedFields` of a stored object: who owns what, and since when.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::pool::Pool;

/// The entries of one object. All but their times is shared with the objects that have the same.
#[derive(Clone, Debug, Default)]
pub struct Managed(Vec<Entry>);

#[derive(Clone, Debug)]
struct Entry {
    claim: Arc<Claim>,
    /// `time`, the last member of an entry, as it is written.
    time: Option<Box<str>>,
}

/// What an entry says besides its time.
#[derive(Debug)]
pub struct Claim {
    /// Its members, without braces.
    members: Bytes,
    /// A manager that does not apply.
    is_update: bool,
    manager: Box<str>,
    subresource: Option<Box<str>>,
    /// `f:metadata`, `f:spec`: the members of the object of which it owns something.
    tops: Vec<Box<str>>,
}

impl Managed {
    /// Of the list in the metadata of a tree.
    pub fn of(tree: &Value, pool: &mut Pool<Claim>) -> Self {
        let entries = tree["metadata"]["managedFields"].as_array();
        let entries = entries.into_iter().flatten();
        Self(entries.map(|entry| Entry::of(entry, pool)).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, entry) in self.0.iter().enumerate() {
            if 0 < index {
                out.push(b',');
            }
            entry.write(out);
        }
        out.push(b']');
    }

    pub fn values(&self) -> Vec<Value> {
        let value = |entry: &Entry| {
            let mut out = Vec::new();
            entry.write(&mut out);
            serde_json::from_slice(&out).expect("written by ourselves")
        };
        self.0.iter().map(value).collect()
    }

    pub fn size(&self) -> usize {
        const TIME: usize = 40;
        let sizes = self.0.iter().map(|entry| entry.claim.members.len() + TIME);
        sizes.sum()
    }

    /// The same after a manager that does not apply gave other values to fields within these members, which it all
    /// owned before: only the time moves. `None` if anybody else owns a field in there.
    pub fn touched(&self, by: (&str, Option<&str>), tops: &[&str], time: &str) -> Option<Self> {
        let has_any = |entry: &&Entry| tops.iter().any(|top| entry.claim.has(top));
        let mut owners = self.0.iter().filter(has_any);
        let owner = owners.next().filter(|entry| entry.claim.is_of(by))?;
        if owners.next().is_some() || !tops.iter().all(|top| owner.claim.has(top)) {
            return None;
        }
        let mut touched = self.clone();
        for entry in touched.0.iter_mut().filter(|entry| entry.claim.is_of(by)) {
            entry.time = Some(time.into());
        }
        Some(touched.sorted())
    }

    /// In the order in which the server lists entries.
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|one, other| one.rank().cmp(&other.rank()));
        self
    }
}

impl Entry {
    fn of(entry: &Value, pool: &mut Pool<Claim>) -> Self {
        let mut members = entry.as_object().cloned().unwrap_or_default();
        let time = members.remove("time");
        let members = Value::Object(members);
        let mut written = Vec::new();
        serde_json::to_writer(&mut written, &members).expect("a JSON tree is written to memory");
        let inner = written[1..written.len() - 1].to_vec();
        Self {
            claim: pool.one(inner, |bytes| Claim::of(&members, bytes)),
            time: time.and_then(|time| Some(time.as_str()?.into())),
        }
    }

    /// Appliers first, then by time and names.
    fn rank(&self) -> (bool, Option<&str>, &str, Option<&str>) {
        let claim = &self.claim;
        let (manager, subresource) = (&*claim.manager, claim.subresource.as_deref());
        (claim.is_update, self.time.as_deref(), manager, subresource)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        out.extend_from_slice(&self.claim.members);
        if let Some(time) = &self.time {
            out.extend_from_slice(b",\"time\":\"");
            out.extend_from_slice(time.as_bytes());
            out.push(b'"');
        }
        out.push(b'}');
    }
}

impl Claim {
    fn of(entry: &Value, members: Bytes) -> Self {
        let tops = entry["fieldsV1"].as_object().map(Map::keys);
        Self {
            members,
            is_update: entry["operation"] == "Update",
            manager: entry["manager"].as_str().unwrap_or_default().into(),
            subresource: entry["subresource"].as_str().map(Into::into),
            tops: tops
                .into_iter()
                .flatten()
                .map(|top| top.as_str().into())
                .collect(),
        }
    }

    fn is_of(&self, (manager, subresource): (&str, Option<&str>)) -> bool {
        self.is_update && *self.manager == *manager && self.subresource.as_deref() == subresource
    }

    fn has(&self, top: &str) -> bool {
        self.tops
            .iter()
            .any(|own| own.strip_prefix("f:") == Some(top))
    }
}
