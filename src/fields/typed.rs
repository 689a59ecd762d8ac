//! Objects seen through their type: their field set, what two of them differ in, merging, removing.
//!
//! These are the operations of structured-merge-diff v6 (`typed` package) over JSON trees. A missing value and an
//! explicit null differ all the way: removing every entry of a map leaves null, as there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::path::{Path, PathElement};
use super::schema::{List, ListKind, Shape, TypeRef};
use super::set::FieldSet;
use super::value;

/// What leads from one object to another.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) removed: FieldSet,
    pub(super) modified: FieldSet,
    pub(super) added: FieldSet,
}

/// The path element of a list item; an error says why it can have none.
pub(super) fn element_of(list: &List, item: &Value) -> Result<PathElement, String> {
    match (list.kind, item) {
        (ListKind::Map, Value::Object(fields)) => element_by_keys(list, fields),
        (ListKind::Map, Value::Null) => {
            Err("associative list with keys may not have a null element".to_owned())
        }
        (ListKind::Map, _) => {
            Err("associative list with keys may not have non-map elements".to_owned())
        }
        (_, Value::Object(_)) => {
            Err("associative list without keys has an element that's a map type".to_owned())
        }
        (_, Value::Array(_)) => {
            Err("not supported: associative list with lists as elements".to_owned())
        }
        (_, Value::Null) => {
            Err("associative list without keys has an element that's an explicit null".to_owned())
        }
        (_, scalar) => Ok(PathElement::Value(scalar.clone())),
    }
}

fn element_by_keys(list: &List, fields: &Map<String, Value>) -> Result<PathElement, String> {
    let keys: BTreeMap<_, _> = list
        .keys
        .iter()
        .filter_map(|key| {
            let value = fields.get(&key.name).or(key.default.as_ref())?;
            Some((key.name.clone(), value.clone()))
        })
        .collect();
    if keys.is_empty() {
        let names: Vec<_> = list
            .keys
            .iter()
            .map(|key| format!("{:?}", key.name))
            .collect();
        let names = names.join(" ");
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{names}] (and doesn't have default values for any key fields)"
        ));
    }
    Ok(PathElement::Key(keys))
}

/// Every field that the object has: what applying it would own.
pub(super) fn field_set(type_ref: TypeRef, value: &Value) -> FieldSet {
    owned(type_ref, value).1
}

/// Whether the value is a field for itself, and the fields below it.
fn owned(type_ref: TypeRef, value: &Value) -> (bool, FieldSet) {
    let nothing = FieldSet::default();
    match type_ref.resolve().shape_of(value) {
        Shape::Scalar(_) => (true, nothing),
        Shape::List(list) if list.kind == ListKind::Atomic => (true, nothing),
        Shape::Map(map) if map.atomic => (true, nothing),
        Shape::List(list) => (
            false,
            owned_items(list, value.as_array().map_or(&[], Vec::as_slice)),
        ),
        Shape::Map(map) => {
            let mut set = nothing;
            for (name, value) in value.as_object().into_iter().flatten() {
                let (is_field, below) = owned(map.type_of(name).unwrap_or(TypeRef::DEDUCED), value);
                let is_hollow = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                let is_member = is_field || is_hollow || !map.fields.contains_key(name);
                set.put(PathElement::field(name), is_member, below);
            }
            (false, set)
        }
    }
}

fn owned_items(list: &List, items: &[Value]) -> FieldSet {
    let elements: Vec<_> = items
        .iter()
        .filter_map(|item| Some((element_of(list, item).ok()?, item)))
        .collect();
    let mut seen = BTreeSet::new();
    let doubles: BTreeSet<_> = elements
        .iter()
        .map(|(element, _)| element)
        .filter(|element| !seen.insert(*element))
        .collect();
    let mut set = FieldSet::default();
    for (element, item) in &elements {
        let below = if doubles.contains(element) {
            FieldSet::default()
        } else {
            owned(list.of, item).1
        };
        set.put(element.clone(), true, below);
    }
    set
}

/// Compares two objects field by field: list-maps by key, sets by value, atomics whole.
pub(super) fn comparison(type_ref: TypeRef, before: &Value, after: &Value) -> Comparison {
    let mut walk = Comparing {
        found: Comparison::default(),
        path: Path::root(),
    };
    walk.compare(type_ref, Some(before), Some(after));
    walk.found
}

struct Comparing {
    found: Comparison,
    path: Path,
}

/// Both sides of a merge or comparison at one place; at least one is there.
type Side<'a> = Option<&'a Value>;

/// The shapes by which to handle two sides; the second is the one that counts.
fn shapes(type_ref: TypeRef, left: Side, right: Side) -> (Option<Shape>, Shape) {
    let kind = type_ref.resolve();
    let (left_shape, right_shape) = (
        left.map(|left| kind.shape_of(left)),
        right.map(|right| kind.shape_of(right)),
    );
    match (left_shape, right_shape) {
        (left, Some(right)) => (left.filter(|left| !left.is_same_sort(&right)), right),
        (Some(left), None) => (None, left),
        (None, None) => (None, Shape::Scalar(None)),
    }
}

impl Comparing {
    fn compare(&mut self, type_ref: TypeRef, before: Side, after: Side) {
        let (other_shape, shape) = shapes(type_ref, before, after);
        if let Some(other_shape) = other_shape {
            self.compare_as(other_shape, before, after);
        }
        let was_leaf = self.compare_as(shape, before, after);
        match (was_leaf, before, after) {
            (false, None, _) => self.found.added.insert(&self.path),
            (false, _, None) => self.found.removed.insert(&self.path),
            _ => {}
        }
    }

    /// Says whether the value was compared whole.
    fn compare_as(&mut self, shape: Shape, before: Side, after: Side) -> bool {
        match shape {
            Shape::List(list)
                if list.kind != ListKind::Atomic && !is_hollow_list(before, after) =>
            {
                self.compare_items(list, items(before), items(after));
                false
            }
            Shape::Map(map) if !map.atomic && !is_hollow_map(before, after) => {
                for name in names(before, after) {
                    let type_ref = map.type_of(name).unwrap_or(TypeRef::DEDUCED);
                    self.descend(
                        PathElement::field(name),
                        type_ref,
                        entry(before, name),
                        entry(after, name),
                    );
                }
                false
            }
            _ => {
                self.compare_whole(before, after);
                true
            }
        }
    }

    fn compare_whole(&mut self, before: Side, after: Side) {
        match (before, after) {
            (None, _) => self.found.added.insert(&self.path),
            (_, None) => self.found.removed.insert(&self.path),
            (Some(before), Some(after)) if !value::same(before, after) => {
                self.found.modified.insert(&self.path);
            }
            _ => {}
        }
    }

    /// Elements that stand twice are compared as one whole; there may be such in live objects only.
    fn compare_items(&mut self, list: &List, before: &[Value], after: &[Value]) {
        let (before, after) = (by_element(list, before), by_element(list, after));
        let all: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let none = Vec::new();
        for element in all {
            let lefts = before.get(element).unwrap_or(&none);
            let rights = after.get(element).unwrap_or(&none);
            let path = self.path.join(element.clone());
            let one = |values: &Vec<&'_ Value>| values.len() <= 1;
            match (one(lefts), one(rights)) {
                (true, true) => {
                    self.descend(
                        element.clone(),
                        list.of,
                        lefts.first().copied(),
                        rights.first().copied(),
                    );
                }
                (false, false) => {
                    let equal = lefts.len() == rights.len()
                        && lefts
                            .iter()
                            .zip(rights)
                            .all(|(left, right)| value::same(left, right));
                    if !equal {
                        self.found.modified.insert(&path);
                    }
                }
                (false, true) => {
                    if let Some(right) = rights.first() {
                        self.descend(element.clone(), list.of, None, Some(right));
                    }
                    self.found.removed.insert(&path);
                }
                (true, false) => {
                    if let Some(left) = lefts.first() {
                        self.descend(element.clone(), list.of, Some(left), None);
                    }
                    self.found.added.insert(&path);
                }
            }
        }
    }

    fn descend(&mut self, element: PathElement, type_ref: TypeRef, before: Side, after: Side) {
        self.path.push(element);
        self.compare(type_ref, before, after);
        self.path.pop();
    }
}

fn by_element<'a>(list: &List, items: &'a [Value]) -> BTreeMap<PathElement, Vec<&'a Value>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for item in items {
        if let Ok(element) = element_of(list, item) {
            found.entry(element).or_default().push(item);
        }
    }
    found
}

fn items(side: Side<'_>) -> &[Value] {
    side.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn entry<'a>(side: Side<'a>, name: &str) -> Side<'a> {
    side.and_then(Value::as_object)
        .and_then(|map| map.get(name))
}

fn names<'a>(left: Side<'a>, right: Side<'a>) -> BTreeSet<&'a String> {
    let keys = |side: Side<'a>| {
        side.and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
    };
    keys(left).chain(keys(right)).collect()
}

/// Where both sides are empty or null the difference between the two is kept by handling them whole.
fn is_hollow_list(left: Side, right: Side) -> bool {
    items(left).is_empty() && items(right).is_empty()
}

fn is_hollow_map(left: Side, right: Side) -> bool {
    let is_hollow = |side: Side| side.and_then(Value::as_object).is_none_or(Map::is_empty);
    is_hollow(left) && is_hollow(right)
}

/// Lays `sent` over `live`. `None` where nothing is left.
pub(super) fn merged(type_ref: TypeRef, live: Side, sent: Side) -> Option<Value> {
    match shapes(type_ref, live, sent).1 {
        Shape::List(list) if list.kind != ListKind::Atomic && !is_hollow_list(live, sent) => {
            let merged = merged_items(list, items(live), items(sent));
            (!merged.is_empty()).then_some(Value::Array(merged))
        }
        Shape::Map(map) if !map.atomic && !is_hollow_map(live, sent) => {
            let entries = names(live, sent).into_iter().filter_map(|name| {
                let type_ref = map.type_of(name).unwrap_or(TypeRef::DEDUCED);
                Some((
                    name.clone(),
                    merged(type_ref, entry(live, name), entry(sent, name))?,
                ))
            });
            let entries: Map<_, _> = entries.collect();
            (!entries.is_empty()).then_some(Value::Object(entries))
        }
        _ => sent.or(live).cloned(),
    }
}

/// Merges two lists by element. Order is that of `sent`; what is only in `live` keeps its place between the elements
/// that both have, as far as those stand in the same order.
fn merged_items(list: &List, live: &[Value], sent: &[Value]) -> Vec<Value> {
    let lefts: Vec<_> = live
        .iter()
        .filter_map(|item| Some((element_of(list, item).ok()?, item)))
        .collect();
    let rights: Vec<_> = sent
        .iter()
        .filter_map(|item| element_of(list, item).ok())
        .collect();
    let left_values = by_element(list, live);
    let right_values = by_element(list, sent);
    // An element that stands twice in the live list cannot be merged: what was sent replaces it.
    let left_value = |element: &PathElement| match left_values.get(element).map(Vec::as_slice) {
        None => None,
        Some([one]) => Some(*one),
        Some(_) => Some(&Value::Null),
    };
    let right_value = |element: &PathElement| {
        right_values
            .get(element)
            .and_then(|values| values.first().copied())
    };
    let mut shared = rights
        .iter()
        .filter(|element| left_values.contains_key(element))
        .peekable();
    let mut done: BTreeSet<&PathElement> = BTreeSet::new();
    let mut out = Vec::with_capacity(lefts.len().max(rights.len()));
    let (mut at_left, mut at_right) = (0, 0);
    while at_left < lefts.len() || at_right < rights.len() {
        if let (Some((left, _)), Some(right)) = (lefts.get(at_left), rights.get(at_right)) {
            if left == right {
                done.insert(left);
                out.extend(merged(list.of, left_value(left), right_value(left)));
                (at_left, at_right) = (at_left + 1, at_right + 1);
                shared.next();
                continue;
            }
            if right_values.contains_key(left) && shared.peek().is_some_and(|next| *next != left) {
                // Both have it, but it is not its turn yet in the order that was sent.
                at_left += 1;
                continue;
            }
        }
        if let Some((left, item)) = lefts.get(at_left) {
            if !right_values.contains_key(left) {
                out.extend(merged(list.of, Some(item), None));
                at_left += 1;
                continue;
            }
            if done.contains(left) {
                at_left += 1;
            }
        }
        if let Some(right) = rights.get(at_right) {
            done.insert(right);
            out.extend(merged(list.of, left_value(right), right_value(right)));
            at_right += 1;
            if shared.peek() == Some(&right) {
                shared.next();
            }
        }
    }
    out
}

/// The object without the given fields; a map or list of which nothing is left becomes null.
pub(super) fn without(type_ref: TypeRef, value: &Value, fields: &FieldSet) -> Value {
    match (type_ref.resolve().shape_of(value), value) {
        (Shape::Scalar(_), value) => value.clone(),
        (Shape::List(list), Value::Array(items)) if list.kind != ListKind::Atomic => {
            let kept = items
                .iter()
                .filter_map(|item| match element_of(list, item) {
                    Ok(element) if fields.has(&element) => None,
                    Ok(element) => Some(without_below(list.of, item, fields.below(&element))),
                    Err(_) => Some(item.clone()),
                });
            let kept: Vec<_> = kept.collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Array(kept)
            }
        }
        (Shape::Map(map), Value::Object(entries)) if !map.atomic => {
            let kept = entries.iter().filter_map(|(name, value)| {
                let element = PathElement::field(name);
                let type_ref = map.type_of(name).unwrap_or(TypeRef::DEDUCED);
                (!fields.has(&element)).then(|| {
                    (
                        name.clone(),
                        without_below(type_ref, value, fields.below(&element)),
                    )
                })
            });
            let kept: Map<_, _> = kept.collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        _ => Value::Null,
    }
}

fn without_below(type_ref: TypeRef, value: &Value, fields: Option<&FieldSet>) -> Value {
    match fields {
        Some(fields) => without(type_ref, value, fields),
        None => value.clone(),
    }
}
