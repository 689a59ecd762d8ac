//! What decides which fields an object has: its shape, without the values that name nothing.

use std::fmt::Write as _;

use serde_json::Value;

use super::schema::{List, ListKind, Shape, TypeRef, schema};

/// Two new objects of one outline have the same fields, so whoever creates them owns the same of them.
pub fn outline(object: &Value) -> String {
    let mut out = String::new();
    let type_ref = schema().type_of_object(object);
    for key in ["apiVersion", "kind"] {
        write!(out, "{}\0", object[key]).expect("text grows");
    }
    write_value(type_ref, object, &mut out);
    out
}

fn write_value(type_ref: TypeRef, value: &Value, out: &mut String) {
    match type_ref.resolve().shape_of(value) {
        Shape::List(list) if list.kind != ListKind::Atomic => {
            out.push('[');
            for item in value.as_array().into_iter().flatten() {
                write_item(list, item, out);
                out.push(',');
            }
            out.push(']');
        }
        Shape::Map(map) if !map.atomic => {
            out.push('{');
            for (name, member) in value.as_object().into_iter().flatten() {
                out.push_str(name);
                out.push('\0');
                let type_ref = map.type_of(name).unwrap_or(TypeRef::DEDUCED);
                write_value(type_ref, member, out);
                out.push(',');
            }
            out.push('}');
        }
        _ => out.push(if is_nothing(value) { '0' } else { '1' }),
    }
}

/// Elements are named by what they say.
fn write_item(list: &List, item: &Value, out: &mut String) {
    if list.kind == ListKind::Map {
        for key in &list.keys {
            let named = item.get(&key.name).or(key.default.as_ref());
            write!(out, "{}\0", named.unwrap_or(&Value::Null)).expect("text grows");
        }
        write_value(list.of, item, out);
    } else {
        write!(out, "{item}").expect("text grows");
    }
}

/// What Go writes where nobody set anything may be nobody's.
pub fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(image: &str, port: u16, replicas: u16) -> String {
        outline(&json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": image}},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [
                {"name": "web", "image": image, "args": [image], "ports": [{"containerPort": port}]}
            ]}}}
        }))
    }

    #[test]
    fn values_do_not_count_but_those_that_name_elements_or_say_nothing() {
        let one = deployment("web:1", 80, 2);
        assert_eq!(one, deployment("web:2", 80, 3));
        assert_ne!(one, deployment("web:1", 81, 2));
        assert_ne!(one, deployment("web:1", 80, 0));
    }
}
