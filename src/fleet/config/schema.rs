//! The JSON Schemas of the six kinds, derived from the types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{
    API_VERSION, ClusterSpec, Document, EnvironmentSpec, Kind, PlatformSpec, StrategySpec,
    TenantSpec, VersionsSpec,
};

/// The JSON Schema (draft 2020-12) of files of a kind.
pub fn schema_of(kind: Kind) -> Value {
    match kind {
        Kind::Environment => document::<EnvironmentSpec>(kind),
        Kind::Versions => document::<VersionsSpec>(kind),
        Kind::Strategy => document::<StrategySpec>(kind),
        Kind::Cluster => document::<ClusterSpec>(kind),
        Kind::Tenant => document::<TenantSpec>(kind),
        Kind::Platform => document::<PlatformSpec>(kind),
    }
}

/// The fields that the schema allows at a place of a file (a JSON pointer), for "did you mean".
pub fn properties_at<'a>(schema: &'a Value, pointer: &str) -> Vec<&'a str> {
    let mut steps = pointer.split('/').skip(1);
    let found = steps.try_fold(schema, |place, step| {
        let place = resolved(schema, place);
        match place.pointer("/properties").and_then(|all| all.get(step)) {
            Some(property) => Some(property),
            None if place["type"] == "array" => place.get("items"),
            None => place.get("additionalProperties"),
        }
    });
    let properties = found.and_then(|place| resolved(schema, place).get("properties"));
    let names = properties.and_then(Value::as_object);
    names
        .map(|map| map.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

/// Follows `$ref`s, also those inside of `anyOf` with null (an optional field).
fn resolved<'a>(schema: &'a Value, place: &'a Value) -> &'a Value {
    if let Some(reference) = place["$ref"].as_str() {
        let target = schema.pointer(reference.trim_start_matches('#'));
        return target.map_or(place, |target| resolved(schema, target));
    }
    let alternatives = place["anyOf"].as_array();
    let meant = alternatives.and_then(|all| all.iter().find(|one| one["type"] != "null"));
    meant.map_or(place, |meant| resolved(schema, meant))
}

fn document<Spec: JsonSchema>(kind: Kind) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator
        .into_root_schema_for::<Document<Spec>>()
        .to_value();
    schema["title"] = json!(kind.name());
    schema["properties"]["apiVersion"]["const"] = json!(API_VERSION);
    schema["properties"]["kind"]["const"] = json!(kind.name());
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_names_its_fields_at_any_depth() {
        let strategy = schema_of(Kind::Strategy);
        assert_eq!(
            properties_at(&strategy, "/spec/waves/0"),
            [
                "approval", "cover", "name", "onBreach", "role", "select", "size", "soak", "spread"
            ]
        );
        let tenant = schema_of(Kind::Tenant);
        assert_eq!(
            properties_at(&tenant, "/spec/platforms/carbone/tls"),
            ["secretName", "secretRef"]
        );
    }
}
