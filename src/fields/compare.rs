//! What differs between two objects, for people: list-maps by key, sets by value, atomics whole.

use serde_json::Value;

use super::path::{Path, PathElement};
use super::quantity;
use super::schema::{List, ListKind, Scalar, Shape, TypeRef};
use super::typed::element_of;
use super::value;

/// One field that differs; a side that does not have it is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    pub path: Path,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Compares two objects of a type. Quantities are compared by value; null is the same as nothing; what only one side
/// has is told once, whole. Changes come in the order of their paths.
pub fn compare(type_ref: TypeRef, before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut comparing = Comparing {
        path: Path::root(),
        changes: Vec::new(),
    };
    comparing.compare(type_ref, Some(before), Some(after));
    comparing.changes
}

struct Comparing {
    path: Path,
    changes: Vec<FieldChange>,
}

type Side<'a> = Option<&'a Value>;

impl Comparing {
    fn compare(&mut self, type_ref: TypeRef, before: Side, after: Side) {
        let before = before.filter(|before| !before.is_null());
        let after = after.filter(|after| !after.is_null());
        let (Some(left), Some(right)) = (before, after) else {
            return self.tell_one_sided(before, after);
        };
        match (type_ref.resolve().shape_of(right), left, right) {
            (Shape::Scalar(Some(Scalar::Quantity)), left, right)
                if quantity::equal_values(left, right) => {}
            (Shape::Map(map), Value::Object(lefts), Value::Object(rights)) if !map.atomic => {
                let names: std::collections::BTreeSet<_> =
                    lefts.keys().chain(rights.keys()).collect();
                for name in names {
                    let below = map.type_of(name).unwrap_or(TypeRef::DEDUCED);
                    self.descend(
                        PathElement::field(name),
                        below,
                        lefts.get(name),
                        rights.get(name),
                    );
                }
            }
            (Shape::List(list), Value::Array(lefts), Value::Array(rights))
                if list.kind != ListKind::Atomic =>
            {
                self.compare_items(list, lefts, rights);
            }
            (_, left, right) if value::same(left, right) => {}
            _ => self.tell(before, after),
        }
    }

    /// By key where every element has one of its own, else whole; the order counts only if nothing else differs.
    fn compare_items(&mut self, list: &List, lefts: &[Value], rights: &[Value]) {
        let (Some(lefts_by_key), Some(rights_by_key)) = (by_key(list, lefts), by_key(list, rights))
        else {
            if !(lefts.len() == rights.len()
                && lefts
                    .iter()
                    .zip(rights)
                    .all(|(left, right)| value::same(left, right)))
            {
                self.tell(Some(&Value::from(lefts)), Some(&Value::from(rights)));
            }
            return;
        };
        let known = self.changes.len();
        let find = |side: &[(PathElement, &'_ Value)], key: &PathElement| {
            side.iter().position(|(other, _)| other == key)
        };
        for (key, left) in &lefts_by_key {
            let right = find(&rights_by_key, key).map(|at| rights_by_key[at].1);
            self.descend(key.clone(), list.of, Some(left), right);
        }
        for (key, right) in &rights_by_key {
            if find(&lefts_by_key, key).is_none() {
                self.descend(key.clone(), list.of, None, Some(right));
            }
        }
        let is_reordered = lefts_by_key
            .iter()
            .map(|(key, _)| key)
            .ne(rights_by_key.iter().map(|(key, _)| key));
        if self.changes.len() == known && is_reordered {
            self.tell(Some(&Value::from(lefts)), Some(&Value::from(rights)));
        }
    }

    fn descend(&mut self, element: PathElement, type_ref: TypeRef, before: Side, after: Side) {
        self.path.push(element);
        self.compare(type_ref, before, after);
        self.path.pop();
    }

    fn tell_one_sided(&mut self, before: Side, after: Side) {
        if before.is_some() || after.is_some() {
            self.tell(before, after);
        }
    }

    fn tell(&mut self, before: Side, after: Side) {
        self.changes.push(FieldChange {
            path: self.path.clone(),
            before: before.cloned(),
            after: after.cloned(),
        });
    }
}

/// The items with their keys; `None` if one has no key or two share one.
fn by_key<'a>(list: &List, items: &'a [Value]) -> Option<Vec<(PathElement, &'a Value)>> {
    let keyed: Option<Vec<_>> = items
        .iter()
        .map(|item| Some((element_of(list, item).ok()?, item)))
        .collect();
    let keyed = keyed?;
    let unique: std::collections::BTreeSet<_> = keyed.iter().map(|(key, _)| key).collect();
    (unique.len() == keyed.len()).then_some(keyed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::schema;
    use serde_json::json;

    fn told(kind: (&str, &str), before: &Value, after: &Value) -> Vec<String> {
        let side = |side: &Option<Value>| side.as_ref().map_or("-".to_owned(), Value::to_string);
        let changes = compare(schema().type_of(kind.0, kind.1), before, after);
        changes
            .iter()
            .map(|change| {
                format!(
                    "{} {} {}",
                    change.path,
                    side(&change.before),
                    side(&change.after)
                )
            })
            .collect()
    }

    const POD: (&str, &str) = ("v1", "Pod");

    #[test]
    fn containers_are_compared_by_name_and_quantities_by_value() {
        let before = json!({"spec": {"containers": [
            {"name": "web", "image": "a:1", "resources": {"limits": {"cpu": "500m"}}},
            {"name": "old", "image": "b"}
        ]}});
        let after = json!({"spec": {"containers": [
            {"name": "new", "image": "c"},
            {"name": "web", "image": "a:2", "resources": {"limits": {"cpu": "0.5"}}}
        ]}});
        assert_eq!(
            told(POD, &before, &after),
            [
                r#".spec.containers[name="web"].image "a:1" "a:2""#,
                r#".spec.containers[name="old"] {"image":"b","name":"old"} -"#,
                r#".spec.containers[name="new"] - {"image":"c","name":"new"}"#,
            ]
        );
    }

    #[test]
    fn an_order_that_changed_is_told_only_if_nothing_else_did() {
        let before = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}});
        let after = json!({"spec": {"containers": [{"name": "b"}, {"name": "a"}]}});
        assert_eq!(
            told(POD, &before, &after),
            [r#".spec.containers [{"name":"a"},{"name":"b"}] [{"name":"b"},{"name":"a"}]"#]
        );
    }

    #[test]
    fn a_port_without_protocol_is_the_tcp_port() {
        let before = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP", "name": "a"}]}});
        let after = json!({"spec": {"ports": [{"port": 80, "protocol": "TCP", "name": "b"}]}});
        assert_eq!(
            told(("v1", "Service"), &before, &after),
            [r#".spec.ports[port=80,protocol="TCP"].name "a" "b""#]
        );
    }

    #[test]
    fn atomics_are_told_whole_and_null_is_nothing() {
        let before = json!({"spec": {"selector": {"matchLabels": {"a": "1"}}, "paused": null}});
        let after = json!({"spec": {"selector": {"matchLabels": {"a": "2"}}}});
        assert_eq!(
            told(("apps/v1", "Deployment"), &before, &after),
            [r#".spec.selector {"matchLabels":{"a":"1"}} {"matchLabels":{"a":"2"}}"#]
        );
    }
}
