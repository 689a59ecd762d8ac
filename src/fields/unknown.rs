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
