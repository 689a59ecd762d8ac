//! Elements of merged lists: their keys in `fieldsV1`, and where they stand.

use serde_json::Value;

use super::Entries;
use crate::fields::path::PathElement;
use crate::fields::schema::{List, ListKind};
use crate::fields::value;

/// The key of `fieldsV1` for an element of a merged list.
pub(super) fn element_key(list: &List, item: &Value) -> Option<String> {
    match (list.kind, item) {
        (ListKind::Map, Value::Object(fields)) => key_by_fields(list, fields),
        (ListKind::Set, Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
            Some(["v:", &value::go_json(item)].concat())
        }
        _ => None,
    }
}

/// Written straight into the text: this runs for every element of every object of a fleet.
fn key_by_fields(list: &List, fields: &Entries) -> Option<String> {
    let mut keys: Vec<_> = list
        .keys
        .iter()
        .filter_map(|key| {
            Some((
                key.name.as_str(),
                fields.get(&key.name).or(key.default.as_ref())?,
            ))
        })
        .collect();
    keys.sort_unstable_by_key(|(name, _)| *name);
    let mut text = String::with_capacity(40);
    for (name, value) in &keys {
        let opening = if text.is_empty() { "k:{\"" } else { ",\"" };
        text.extend([opening, name, "\":", &value::go_json(value)]);
    }
    text.push('}');
    (!keys.is_empty()).then_some(text)
}

/// Where the element stands; `None` if it stands nowhere, or twice.
pub(super) fn only_position(list: &List, wanted: &Value, items: &[Value]) -> Option<usize> {
    let is_it = |item: &&Value| match list.kind {
        ListKind::Map => list.keys.iter().all(|key| {
            let wanted = wanted.get(&key.name).or(key.default.as_ref());
            let found = item.get(&key.name).or(key.default.as_ref());
            match (wanted, found) {
                (Some(wanted), Some(found)) => value::same(wanted, found),
                (None, None) => true,
                _ => false,
            }
        }),
        _ => value::same(wanted, item),
    };
    let mut found = items
        .iter()
        .enumerate()
        .filter(|(_, item)| is_it(item))
        .map(|(at, _)| at);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The keys of a list as they show in what is owned of it; `None` if they are not the same throughout.
pub(super) fn deduced_keys(own: &Entries) -> Option<List> {
    let elements: Option<Vec<_>> = own
        .keys()
        .map(|key| PathElement::from_fields_v1(key))
        .collect();
    let elements = elements?;
    let names = |element: &PathElement| match element {
        PathElement::Key(keys) => Some(keys.keys().cloned().collect::<Vec<_>>()),
        PathElement::Value(_) => Some(Vec::new()),
        PathElement::Field(_) | PathElement::Index(_) => None,
    };
    let first = names(elements.first()?)?;
    let all_alike = elements
        .iter()
        .all(|element| names(element).as_ref() == Some(&first));
    all_alike.then(|| List::deduced(first))
}
