//! `managedFields` of a stored object: who owns what, and since when.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::pool::{Members, Pool, write_member};
use super::routine::with;

/// What a change does to the entry of its writer: a change of status that was seen before.
#[derive(Clone, Debug)]
pub struct Routine {
    who: Arc<Members>,
    /// What it owns of the status then; a word stands for the address of the pod.
    status: Arc<Members>,
    is_dated: bool,
}

/// The entries of one object, in pieces that many objects have in common.
#[derive(Clone, Debug, Default)]
pub struct Managed(Vec<Entry>);

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    /// All its members but `fieldsV1` and `time`.
    who: Arc<Members>,
    /// The members of `fieldsV1`, each for itself: `"f:spec":{...}`.
    fields: Vec<Arc<Members>>,
    time: Option<Box<str>>,
}

impl Managed {
    /// Of the list in the metadata of a tree.
    pub fn of(tree: &Value, pool: &mut Pool) -> Self {
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
        self.0.iter().map(Entry::size).sum()
    }

    /// The same after a manager that does not apply gave other values to fields within these members, which it all
    /// owned before: only the time moves. `None` if anybody else owns a field in there.
    pub fn touched(&self, by: (&str, Option<&str>), tops: &[&str], time: &str) -> Option<Self> {
        let has_any = |entry: &&Entry| tops.iter().any(|top| entry.has(top));
        let mut owners = self.0.iter().filter(has_any);
        let owner = owners.next().filter(|entry| entry.is_of(by))?;
        if owners.next().is_some() || !tops.iter().all(|top| owner.has(top)) {
            return None;
        }
        let mut touched = self.clone();
        for entry in touched.0.iter_mut().filter(|entry| entry.is_of(by)) {
            entry.time = Some(time.into());
        }
        Some(touched.sorted())
    }

    /// What a writer owns of the status, as it is written; nothing, if it has not written it yet. `None` if anybody else
    /// owns parts of it.
    pub fn owned_status(&self, by: (&str, Option<&str>)) -> Option<&str> {
        let mut owners = self.0.iter().filter(|entry| entry.has("status"));
        match (owners.next(), owners.next()) {
            (None, _) => Some(""),
            (Some(owner), None) if owner.is_of(by) => owner.status().map(text),
            _ => None,
        }
    }

    /// What a change did that led from `before` to this, if that is what it owns of the status and nothing else.
    pub fn routine_since(
        &self,
        before: &Self,
        by: (&str, Option<&str>),
        address: (&str, &str),
        time: &str,
    ) -> Option<Routine> {
        let split = |managed: &Self| -> (Vec<Entry>, Vec<Entry>) {
            managed.0.iter().cloned().partition(|entry| entry.is_of(by))
        };
        let (own_after, others_after) = split(self);
        let (own_before, others_before) = split(before);
        let [after] = own_after.as_slice() else {
            return None;
        };
        let (rest, time) = match own_before.as_slice() {
            [] => (Vec::new(), None),
            // Whether the time moved cannot be told.
            [before] if before.time.as_deref() == Some(time) => return None,
            [before] => (before.without_status(), before.time.clone()),
            _ => return None,
        };
        let is_same =
            others_after.iter().eq(others_before.iter()) && after.without_status() == rest;
        let status = Members::of(
            with(text(after.status()?), address)
                .into_owned()
                .into_bytes(),
        );
        is_same.then(|| Routine {
            who: after.who.clone(),
            status: Arc::new(status),
            is_dated: after.time != time,
        })
    }

    /// The owners after a change of status that was seen before.
    pub fn after(
        &self,
        routine: &Routine,
        address: (&str, &str),
        time: &str,
        pool: &mut Pool,
    ) -> Self {
        let mut after = self.clone();
        let status = pool.one(
            with(text(&routine.status), address)
                .into_owned()
                .into_bytes(),
        );
        let own = after
            .0
            .iter()
            .position(|entry| entry.who.json == routine.who.json);
        let own = own.unwrap_or_else(|| {
            after.0.push(Entry {
                who: routine.who.clone(),
                fields: Vec::new(),
                time: None,
            });
            after.0.len() - 1
        });
        let entry = &mut after.0[own];
        match entry
            .fields
            .iter()
            .position(|field| is_member(&field.json, "status"))
        {
            Some(at) => entry.fields[at] = status,
            None => entry.fields.push(status),
        }
        if routine.is_dated {
            entry.time = Some(time.into());
        }
        after.sorted()
    }

    /// The same of an object that is new now, with one word in place of another.
    pub fn like(&self, words: (&str, &str), time: &str, pool: &mut Pool) -> Self {
        let mut like = self.clone();
        for entry in &mut like.0 {
            entry.time = Some(time.into());
            for field in &mut entry.fields {
                if let Cow::Owned(text) = with(text(field), words) {
                    *field = pool.one(text.into_bytes());
                }
            }
        }
        like
    }

    /// In the order in which the server lists entries.
    pub fn sorted(mut self) -> Self {
        self.0.sort_by_cached_key(Entry::rank);
        self
    }
}

impl Entry {
    fn of(entry: &Value, pool: &mut Pool) -> Self {
        let mut who = Vec::new();
        for (key, member) in entry.as_object().into_iter().flatten() {
            if key != "fieldsV1" && key != "time" {
                if !who.is_empty() {
                    who.push(b',');
                }
                write_member(&mut who, key, member);
            }
        }
        let fields = entry["fieldsV1"].as_object().into_iter().flatten();
        let fields = fields.map(|(top, owned)| {
            let mut member = Vec::new();
            write_member(&mut member, top, owned);
            pool.one(member)
        });
        Self {
            fields: fields.collect(),
            who: pool.one(who),
            time: entry["time"].as_str().map(Into::into),
        }
    }

    fn is_of(&self, (manager, subresource): (&str, Option<&str>)) -> bool {
        let who = self.who.tree();
        let said = |key: &str| who.get(key).and_then(Value::as_str);
        said("operation") == Some("Update")
            && said("manager") == Some(manager)
            && said("subresource") == subresource
    }

    fn has(&self, top: &str) -> bool {
        self.fields.iter().any(|field| is_member(&field.json, top))
    }

    fn status(&self) -> Option<&Arc<Members>> {
        let mut fields = self.fields.iter();
        fields.find(|field| is_member(&field.json, "status"))
    }

    fn without_status(&self) -> Vec<Arc<Members>> {
        let others = self.fields.iter();
        let others = others.filter(|field| !is_member(&field.json, "status"));
        others.cloned().collect()
    }

    /// Appliers first, then by time and names.
    fn rank(&self) -> [Option<String>; 4] {
        let who = self.who.tree();
        let said = |key: &str| who.get(key)?.as_str().map(str::to_owned);
        let time = self.time.as_deref().map(str::to_owned);
        [
            said("operation"),
            time,
            said("manager"),
            said("subresource"),
        ]
    }

    fn size(&self) -> usize {
        const BETWEEN: usize = 64;
        let fields = self.fields.iter().map(|field| field.json.len() + 1);
        self.who.json.len() + fields.sum::<usize>() + BETWEEN
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"fieldsV1\":{");
        for (index, field) in self.fields.iter().enumerate() {
            if 0 < index {
                out.push(b',');
            }
            out.extend_from_slice(&field.json);
        }
        out.extend_from_slice(b"},");
        out.extend_from_slice(&self.who.json);
        if let Some(time) = &self.time {
            out.extend_from_slice(b",\"time\":\"");
            out.extend_from_slice(time.as_bytes());
            out.push(b'"');
        }
        out.push(b'}');
    }
}

fn is_member(json: &[u8], top: &str) -> bool {
    let rest = json.strip_prefix(b"\"f:").unwrap_or_default();
    let rest = rest.strip_prefix(top.as_bytes());
    rest.is_some_and(|rest| rest.starts_with(b"\":"))
}

fn text(members: &Arc<Members>) -> &str {
    std::str::from_utf8(&members.json).expect("JSON is text")
}
