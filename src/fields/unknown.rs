//! Fields that no version of the kind knows: typing mistakes, found without asking a server.

use serde_json::Value;

use super::schema::{Shape, TypeRef};

/// The fields of an object that its type does not declare, as the API server's strict validation spells them:
/// `unknown field "spec.template.spec.containers[0].imagee"`. Custom resources take anything.
pub fn unknown_fields(type_ref: TypeRef, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(type_ref, object, &mut String::new(), &mut found);
    found
}

/// The fields that the type declares at a path as [`unknown_fields`] spells it (`spec.containers[0]`), sorted; for
/// suggestions.
pub fn known_fields(type_ref: TypeRef, object: &Value, path: &str) -> Vec<&'static str> {
    let mut here = (type_ref, object);
    let steps = path.split(['.', '[']).filter(|step| !step.is_empty());
    for step in steps {
        let below = match here.0.resolve().shape_of(here.1) {
            Shape::Map(map) => map.type_of(step).zip(here.1.get(step)),
            Shape::List(list) => {
                let at = step.trim_end_matches(']').parse::<usize>().ok();
                at.and_then(|at| Some((list.of, here.1.get(at)?)))
            }
            Shape::Scalar(_) => None,
        };
        let Some(below) = below else {
            return Vec::new();
        };
        here = below;
    }
    match here.0.resolve().shape_of(here.1) {
        Shape::Map(map) => map.fields.keys().map(String::as_str).collect(),
        Shape::List(_) | Shape::Scalar(_) => Vec::new(),
    }
}

fn collect(type_ref: TypeRef, value: &Value, path: &mut String, found: &mut Vec<String>) {
    let length = path.len();
    match (type_ref.resolve().shape_of(value), value) {
        (Shape::Map(map), Value::Object(entries)) => {
            for (name, value) in entries {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                match map.type_of(name) {
                    Some(type_ref) => collect(type_ref, value, path, found),
                    None => found.push(format!("unknown field {}", Value::from(path.as_str()))),
                }
                path.truncate(length);
            }
        }
        (Shape::List(list), Value::Array(items)) => {
            for (at, item) in items.iter().enumerate() {
                path.extend(["[", &at.to_string(), "]"]);
                collect(list.of, item, path, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::schema;
    use serde_json::json;

    #[test]
    fn typing_mistakes_are_found_at_any_depth() {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "label": {}},
            "spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b", "imagee": "x"}]}}, "foo": 1}
        });
        assert_eq!(
            unknown_fields(schema().type_of_object(&deployment), &deployment),
            [
                r#"unknown field "metadata.label""#,
                r#"unknown field "spec.foo""#,
                r#"unknown field "spec.template.spec.containers[1].imagee""#,
            ]
        );
    }

    #[test]
    fn free_maps_and_custom_resources_take_anything() {
        let config = json!({"metadata": {"labels": {"a.b/c": "d"}}, "data": {"x": "y"}});
        assert!(unknown_fields(schema().type_of("v1", "ConfigMap"), &config).is_empty());
        let widget = json!({"spec": {"anything": [{"at": "all"}]}});
        assert!(unknown_fields(schema().type_of("example.com/v1", "Widget"), &widget).is_empty());
    }
}
