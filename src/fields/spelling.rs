//! How the API server spells what it was sent: quantities in canonical form, nothing that is null or empty.
//!
//! Objects of built-in kinds pass through Go structs, where a null, an empty list and an empty free map are the same
//! as nothing. Custom resources keep what they were sent, except null.

use serde_json::{Map, Value};

use super::quantity;
use super::schema::{Scalar, Shape, TypeRef};

/// The object as the API server would answer it, defaults apart.
pub(super) fn as_answered(type_ref: TypeRef, value: &Value) -> Value {
    match (type_ref.resolve().shape_of(value), value) {
        (Shape::Scalar(Some(Scalar::Quantity)), value) => canonical_quantity(value),
        (Shape::List(list), Value::Array(items)) => Value::Array(
            items
                .iter()
                .map(|item| as_answered(list.of, item))
                .collect(),
        ),
        (Shape::Map(map), Value::Object(entries)) => {
            let answered = entries.iter().filter_map(|(name, value)| {
                let type_ref = map.type_of(name).unwrap_or(TypeRef::DEDUCED);
                let value = as_answered(type_ref, value);
                (!is_dropped(type_ref, &value)).then(|| (name.clone(), value))
            });
            let mut answered: Map<_, _> = answered.collect();
            for (name, default) in &map.defaults {
                answered
                    .entry(name.clone())
                    .or_insert_with(|| default.clone());
            }
            for (name, _) in map.zero.iter().filter(|(_, zero)| zero.is_null()) {
                answered.entry(name.clone()).or_insert(Value::Null);
            }
            Value::Object(answered)
        }
        (_, value) => value.clone(),
    }
}

fn is_dropped(type_ref: TypeRef, value: &Value) -> bool {
    match (type_ref.resolve().shape_of(value), value) {
        (_, Value::Null) => true,
        (Shape::List(_), Value::Array(items)) => items.is_empty() && !type_ref.is_deduced(),
        // Structs are written even if nothing in them is set: `emptyDir: {}` says something.
        (Shape::Map(map), Value::Object(entries)) => {
            entries.is_empty() && map.is_free() && !type_ref.is_deduced()
        }
        _ => false,
    }
}

fn canonical_quantity(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        other => return other.clone(),
    };
    quantity::canonical(&text)
        .map_or_else(|| value.clone(), |spelt| Value::from(spelt.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::schema;
    use serde_json::json;

    #[test]
    fn built_in_kinds_lose_what_is_empty_and_custom_resources_only_what_is_null() {
        let sent = json!({
            "metadata": {"labels": {}, "annotations": null},
            "spec": {"volumes": [{"name": "a", "emptyDir": {}}], "tolerations": [], "nodeSelector": {},
                     "containers": [{"name": "a", "resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}]}
        });
        let answered = json!({
            "metadata": {},
            "spec": {"volumes": [{"name": "a", "emptyDir": {}}],
                     "containers": [{"name": "a", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}]}
        });
        assert_eq!(as_answered(schema().type_of("v1", "Pod"), &sent), answered);
        let widget = json!({"spec": {"empty": {}, "none": [], "null": null}});
        let kept = json!({"spec": {"empty": {}, "none": []}});
        assert_eq!(
            as_answered(schema().type_of("example.com/v1", "Widget"), &widget),
            kept
        );
    }
}
