//! Whether an object fits its type, in the words of the API server.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::path::{Path, PathElement};
use super::schema::{self, List, ListKind, Scalar, Shape, TypeRef};
use super::typed::element_of;

/// What is wrong with an object that is to be applied: undeclared fields, wrong sorts of values, double list keys.
pub(super) fn problems(type_ref: TypeRef, object: &Value) -> Vec<String> {
    let mut checking = Checking {
        path: Path::root(),
        problems: Vec::new(),
    };
    checking.check(type_ref, object);
    checking.problems
}

struct Checking {
    path: Path,
    problems: Vec<String>,
}

impl Checking {
    fn check(&mut self, type_ref: TypeRef, value: &Value) {
        match (type_ref.resolve().shape_of(value), value) {
            (_, Value::Null) => {}
            (Shape::Scalar(scalar), value) => self.check_scalar(scalar, value),
            (Shape::List(list), Value::Array(items)) => self.check_items(list, items),
            (Shape::Map(map), Value::Object(entries)) => self.check_entries(map, entries),
            (Shape::List(_), value) => self.say(&format!("expected list, got {}", go_value(value))),
            (Shape::Map(_), value) => self.say(&format!("expected map, got {}", go_value(value))),
        }
    }

    fn check_scalar(&mut self, scalar: Option<Scalar>, value: &Value) {
        match (scalar, value) {
            (Some(Scalar::Number), Value::Number(_))
            | (Some(Scalar::Text | Scalar::Bytes), Value::String(_))
            | (Some(Scalar::Boolean), Value::Bool(_)) => {}
            (Some(Scalar::Number), other) => {
                self.say(&format!(
                    "expected numeric (int or float), got {}",
                    go_type(other)
                ));
            }
            (Some(Scalar::Text | Scalar::Bytes), other) => {
                self.say(&format!(
                    "expected string, got &value.valueUnstructured{{Value:{}}}",
                    go_plain(other)
                ));
            }
            (Some(Scalar::Boolean), other) => {
                self.say(&format!("expected boolean, got {}", go_value(other)));
            }
            (_, Value::Array(_) | Value::Object(_)) => {
                self.say(&format!("expected any scalar, got {}", go_value(value)));
            }
            _ => {}
        }
    }

    fn check_items(&mut self, list: &List, items: &[Value]) {
        let mut seen = BTreeSet::new();
        for (at, item) in items.iter().enumerate() {
            let element = match list.kind {
                ListKind::Atomic => PathElement::Index(at),
                ListKind::Set | ListKind::Map => match element_of(list, item) {
                    Ok(element) => element,
                    Err(why) => return self.say(&format!("element {at}: {why}")),
                },
            };
            if !seen.insert(element.clone()) {
                let spelt: Path = [element.clone()].into_iter().collect();
                self.say(&format!(
                    "duplicate entries for key {}",
                    spelt.as_server_spells()
                ));
            }
            self.descend(element, list.of, item);
        }
    }

    fn check_entries(&mut self, map: &schema::Map, entries: &Map<String, Value>) {
        for (name, value) in entries {
            let element = PathElement::field(name);
            if let Some(type_ref) = map.type_of(name) {
                self.descend(element, type_ref, value);
            } else {
                self.path.push(element);
                self.say("field not declared in schema");
                self.path.pop();
            }
        }
    }

    fn descend(&mut self, element: PathElement, type_ref: TypeRef, value: &Value) {
        self.path.push(element);
        self.check(type_ref, value);
        self.path.pop();
    }

    fn say(&mut self, what: &str) {
        let path = self.path.as_server_spells();
        self.problems.push(if path.is_empty() {
            what.to_owned()
        } else {
            format!("{path}: {what}")
        });
    }
}

/// The name of a value's type in Go.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A value as Go prints it with `%v` inside structured-merge-diff's own wrapper.
fn go_value(value: &Value) -> String {
    format!("&{{{}}}", go_plain(value))
}

fn go_plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(go_plain).collect::<Vec<_>>().join(" ")
        ),
        Value::Object(entries) => {
            let entries = entries
                .iter()
                .map(|(name, value)| format!("{name}:{}", go_plain(value)));
            format!("map[{}]", entries.collect::<Vec<_>>().join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::schema;
    use serde_json::json;

    fn said(api_version: &str, kind: &str, object: &Value) -> Vec<String> {
        problems(schema().type_of(api_version, kind), object)
    }

    #[test]
    fn every_mistake_is_named_with_its_path() {
        let service = json!({
            "metadata": {"labels": {"a": 1}},
            "spec": {"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}], "colour": "red", "type": {}}
        });
        let said = said("v1", "Service", &service);
        assert_eq!(
            said[1..],
            [
                ".spec.colour: field not declared in schema".to_owned(),
                r#".spec.ports: duplicate entries for key [port=80,protocol="TCP"]"#.to_owned(),
                ".spec.type: expected string, got &value.valueUnstructured{Value:map[]}".to_owned(),
            ]
        );
    }

    #[test]
    fn null_fits_everywhere_and_custom_resources_take_anything() {
        assert!(
            said(
                "apps/v1",
                "Deployment",
                &json!({"spec": {"replicas": null, "template": null}})
            )
            .is_empty()
        );
        assert!(
            said(
                "example.com/v1",
                "Widget",
                &json!({"spec": {"a": [1, {"b": null}]}})
            )
            .is_empty()
        );
    }
}
