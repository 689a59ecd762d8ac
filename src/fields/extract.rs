//! The part of an object that a set of fields names.

use serde_json::{Map, Value};

use super::path::PathElement;
use super::schema::{List, ListKind, Shape, TypeRef};
use super::set::FieldSet;
use super::typed::element_of;

/// Every field that the object has: what applying it would own.
pub fn field_set(object: &Value, type_ref: TypeRef) -> FieldSet {
    super::typed::field_set(type_ref, object)
}

/// What is left of a value if nothing but the fields of a set stays. A map that is in the set with nothing below it stays
/// as an empty one; elements of lists keep the fields that name them.
pub fn extract(type_ref: TypeRef, value: &Value, set: &FieldSet) -> Value {
    match (type_ref.resolve().shape_of(value), value) {
        (Shape::Map(map), Value::Object(fields)) if !map.atomic => {
            let kept = fields.iter().filter_map(|(name, value)| {
                let below = map.type_of(name).unwrap_or(TypeRef::DEDUCED);
                let kept = part(below, value, set, &PathElement::field(name))?;
                Some((name.clone(), kept))
            });
            Value::Object(kept.collect())
        }
        (Shape::List(list), Value::Array(items)) if list.kind != ListKind::Atomic => {
            let kept = items.iter().filter_map(|item| {
                let element = element_of(list, item).ok()?;
                let kept = part(list.of, item, set, &element)?;
                Some(named(list, kept, item))
            });
            Value::Array(kept.collect())
        }
        _ => value.clone(),
    }
}

fn part(type_ref: TypeRef, value: &Value, set: &FieldSet, element: &PathElement) -> Option<Value> {
    match set.below(element) {
        Some(below) => Some(extract(type_ref, value, below)),
        None => set
            .has(element)
            .then(|| extract(type_ref, value, &FieldSet::default())),
    }
}

/// The element with the fields that its list tells elements apart by.
fn named(list: &List, mut kept: Value, item: &Value) -> Value {
    if let (Some(kept), Some(item)) = (kept.as_object_mut(), item.as_object()) {
        let keys = list.keys.iter().map(|key| &key.name);
        let missing: Map<String, Value> = keys
            .filter(|key| !kept.contains_key(*key))
            .filter_map(|key| Some((key.clone(), item.get(key)?.clone())))
            .collect();
        kept.extend(missing);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::schema;
    use serde_json::json;

    fn live() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app": "web", "chart": "web-1"}},
            "spec": {"replicas": 3, "template": {"spec": {"dnsPolicy": "ClusterFirst", "containers": [
                {"name": "web", "image": "web:1", "imagePullPolicy": "Always", "args": ["a", "b"],
                 "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]},
                {"name": "proxy", "image": "proxy:1"},
            ]}}},
        })
    }

    #[test]
    fn what_an_object_says_of_another_is_what_stands_there() {
        let said = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "other"}},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [
                {"name": "web", "image": "web:2", "args": ["x"], "ports": [{"containerPort": 80}]},
                {"name": "gone", "image": "gone:1"},
            ]}}},
        });
        let type_ref = schema().type_of_object(&said);
        let set = field_set(&said, type_ref);
        assert_eq!(
            extract(type_ref, &live(), &set),
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
                "spec": {"replicas": 3, "template": {"spec": {"containers": [
                    {"name": "web", "image": "web:1", "args": ["a", "b"], "ports": [{"containerPort": 80, "protocol": "TCP"}]},
                ]}}},
            })
        );
    }

    #[test]
    fn all_of_an_object_is_the_object_and_nothing_of_it_is_empty() {
        let type_ref = schema().type_of_object(&live());
        let all = field_set(&live(), type_ref);
        assert_eq!(extract(type_ref, &live(), &all), live());
        let nothing = extract(type_ref, &live(), &FieldSet::default());
        assert_eq!(nothing, json!({}));
    }

    #[test]
    fn whoever_says_an_empty_map_says_nothing_of_what_is_in_it() {
        let said = json!({"metadata": {"labels": {}}, "spec": {"template": {"spec": {"containers": [{"name": "web"}]}}}});
        let type_ref = schema().type_of_object(&live());
        let set = field_set(&said, type_ref);
        assert_eq!(extract(type_ref, &live(), &set), said);
    }
}
