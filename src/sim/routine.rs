//! Writes of controllers that were seen before: thousands of pods are made and go through the same few changes of
//! status, and what each does to the fields that its writer owns is worked out once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::fields::{is_nothing, outline};

use super::managed::{Managed, Routine};
use super::ownership::ATOMIC;
use super::pool::{Pool, write_json};

/// What is known by now.
#[derive(Debug, Default)]
pub struct Routines {
    changes: BTreeMap<Vec<u8>, Routine>,
    /// The owners of new objects, by manager and outline.
    new: BTreeMap<String, Managed>,
}

/// With so many known it begins anew: there are only so many kinds of workloads.
const MOST: usize = 4096;
/// Stands for the address of a pod, which is a key in its status; for the uid of an owner, which is one in the
/// metadata of what it owns.
const ADDRESS: &str = "@";

/// A change of status and of nothing else, by the one who owned it.
#[derive(Debug)]
pub struct Change<'a> {
    /// The writer, what it owned, and the shapes of the status before and after: all but what may differ from object
    /// to object.
    key: Vec<u8>,
    by: (&'a str, Option<&'a str>),
    address: &'a str,
}

impl Routines {
    /// The owners after a change that was seen before.
    pub fn after(
        &self,
        before: &Managed,
        change: &Change<'_>,
        time: &str,
        pool: &mut Pool,
    ) -> Option<Managed> {
        let routine = self.changes.get(&change.key)?;
        Some(before.after(routine, (ADDRESS, change.address), time, pool))
    }

    /// Keeps what a change did, if it did it to its writer's fields of the status alone.
    pub fn keep(&mut self, change: Change<'_>, before: &Managed, after: &Managed, time: &str) {
        let address = (change.address, ADDRESS);
        if let Some(routine) = after.routine_since(before, change.by, address, time) {
            remember(&mut self.changes, change.key, routine);
        }
    }

    /// The owners of a new object of which one like it was seen before.
    pub fn of_new(&self, new: &New<'_>, time: &str, pool: &mut Pool) -> Option<Managed> {
        let like = self.new.get(&new.key)?;
        Some(like.like((ADDRESS, new.owner), time, pool))
    }

    pub fn keep_new(&mut self, new: New<'_>, owners: &Managed, time: &str, pool: &mut Pool) {
        let like = owners.like((new.owner, ADDRESS), time, pool);
        remember(&mut self.new, new.key, like);
    }
}

impl<'a> Change<'a> {
    /// `None` if more than the status changed, or others own parts of it.
    pub fn of(
        before: &Managed,
        live: &Value,
        object: &'a Value,
        by: (&'a str, Option<&'a str>),
    ) -> Option<Self> {
        let (old, new) = (live.as_object()?, object.as_object()?);
        let of_others = |(key, _): &(&String, &Value)| *key != "status";
        if !old
            .iter()
            .filter(of_others)
            .eq(new.iter().filter(of_others))
        {
            return None;
        }
        let old = old.get("status").unwrap_or(&Value::Null);
        let new = new.get("status")?;
        let address = new["podIP"].as_str().unwrap_or_default();
        let owned = before.owned_status(by)?;
        let words = [
            object["kind"].as_str()?,
            by.0,
            by.1.unwrap_or_default(),
            &with(owned, (address, ADDRESS)),
        ];
        let mut key = words.join("\0").into_bytes();
        let shape = Shape { address };
        key.push(0);
        shape.write(&mut key, old, None, false);
        key.push(0);
        shape.write(&mut key, new, Some(old), false);
        Some(Self { key, by, address })
    }
}

fn remember<K: Ord, V>(known: &mut BTreeMap<K, V>, key: K, value: V) {
    if known.len() == MOST {
        known.clear();
    }
    known.insert(key, value);
}

/// A new object, as its creator sends it.
#[derive(Debug)]
pub struct New<'a> {
    key: String,
    /// The uid of the one object that owns it, if any does.
    owner: &'a str,
}

impl<'a> New<'a> {
    pub fn of(object: &'a Value, manager: &str) -> Self {
        let owner = object.pointer("/metadata/ownerReferences/0/uid");
        let owner = owner.and_then(Value::as_str).unwrap_or_default();
        let outline = outline(object);
        let key = format!("{manager}\0{}", with(&outline, (owner, ADDRESS)));
        Self { key, owner }
    }
}

/// The text with one word in place of another.
pub fn with<'a>(text: &'a str, (word, instead): (&str, &str)) -> Cow<'a, str> {
    if word.is_empty() || !text.contains(word) {
        return text.into();
    }
    text.replace(word, instead).into()
}

/// A tree without its values, but for those that name elements of lists.
struct Shape<'a> {
    address: &'a str,
}

impl Shape<'_> {
    /// `before`: what stood there. Who gives another value owns it anew, so that a changed leaf is a shape of its own.
    fn write(&self, out: &mut Vec<u8>, value: &Value, before: Option<&Value>, is_name: bool) {
        match value {
            Value::Object(members) => {
                out.push(b'{');
                // Elements of lists are named by what they say; conditions by their type alone.
                let is_condition = members.contains_key("type");
                for (key, member) in members {
                    let before = before.and_then(|before| before.get(key));
                    out.extend_from_slice(key.as_bytes());
                    out.push(b':');
                    if ATOMIC.contains(&key.as_str()) {
                        out.push(change(member, before));
                    } else {
                        let is_name = is_name && (!is_condition || key == "type");
                        self.write(out, member, before, is_name);
                    }
                    out.push(b',');
                }
                out.push(b'}');
            }
            Value::Array(items) => {
                out.push(b'[');
                for item in items {
                    let before = before.and_then(|before| same_element(before, item));
                    self.write(out, item, before, true);
                    out.push(b',');
                }
                out.push(b']');
            }
            Value::String(text) if is_name && !self.address.is_empty() && text == self.address => {
                out.extend_from_slice(ADDRESS.as_bytes());
            }
            _ if is_name => write_json(out, value),
            _ => {
                out.push(if is_nothing(value) { b'0' } else { b'1' });
                out.push(change(value, before));
            }
        }
    }
}

fn change(value: &Value, before: Option<&Value>) -> u8 {
    match before {
        None => b'+',
        Some(before) if before == value => b'=',
        Some(_) => b'~',
    }
}

/// Conditions are told apart by their type, all others by all that they say.
fn same_element<'a>(before: &'a Value, item: &Value) -> Option<&'a Value> {
    let is_same = |other: &&Value| match item.get("type") {
        Some(name) => other.get("type") == Some(name),
        None => *other == item,
    };
    before.as_array()?.iter().find(is_same)
}
