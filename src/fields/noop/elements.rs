//! Elements of merged lists: their keys in `fieldsV1`, and where they stand.

use serde_json::Value;

use super::Entries;
use crate::fields::path::PathElement;
use crate::fields::schema::{List, ListKind};
use crate::fields::typed::element_of;
use crate::fields::value;

/// The key of `fieldsV1` for an element of a merged list.
pub(super) fn element_key(list: &List, item: &Value) -> Option<String> {
    element_of(list, item)
        .ok()
        .map(|element| element.to_fields_v1())
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
