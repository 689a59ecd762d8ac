//! The examples in docs/formats.md are files that the program reads, and they show every field.

use std::collections::BTreeSet;

use escale::fleet::config::{
    ClusterSpec, Document, EnvironmentSpec, Kind, PlatformSpec, StrategySpec, TenantSpec,
    VersionsSpec, schema_of,
};
use escale::yaml;
use serde_json::Value;

/// The examples by kind.
fn examples() -> Vec<(Kind, Value)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/formats.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let blocks = page.split("```yaml\n").skip(1);
    let texts = blocks.map(|block| block.split("```").next().unwrap_or_default());
    let documents =
        texts.flat_map(|text| yaml::read(text).unwrap_or_else(|error| panic!("{error}:\n{text}")));
    let values = documents.map(|document| document.to_value());
    values
        .map(|value| {
            (
                Kind::parse(value["kind"].as_str().unwrap_or_default()).expect("a kind of ours"),
                value,
            )
        })
        .collect()
}

#[test]
fn every_kind_has_an_example_that_fits_its_schema() {
    let examples = examples();
    let kinds: BTreeSet<Kind> = examples.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, BTreeSet::from(Kind::ALL));
    for (kind, example) in examples {
        let validator = jsonschema::validator_for(&schema_of(kind)).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&example)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{kind}");
    }
}

#[test]
fn the_example_of_a_kind_shows_every_field() {
    for (kind, example) in examples() {
        let read = serde_json::to_value(typed(kind, &example)).unwrap();
        let missing: Vec<String> = missing(&read["spec"], &example["spec"], "spec");
        assert_eq!(missing, Vec::<String>::new(), "{kind}");
    }
}

/// Read and written again: with all fields that have defaults.
fn typed(kind: Kind, example: &Value) -> Value {
    fn through<Spec: serde::de::DeserializeOwned + serde::Serialize>(value: &Value) -> Value {
        let document: Document<Spec> =
            serde_json::from_value(value.clone()).expect("an example that fits");
        serde_json::to_value(document).expect("JSON")
    }
    match kind {
        Kind::Environment => through::<EnvironmentSpec>(example),
        Kind::Versions => through::<VersionsSpec>(example),
        Kind::Strategy => through::<StrategySpec>(example),
        Kind::Cluster => through::<ClusterSpec>(example),
        Kind::Tenant => through::<TenantSpec>(example),
        Kind::Platform => through::<PlatformSpec>(example),
    }
}

/// Fields of structs that the example leaves out. One level deep is what the page promises.
fn missing(read: &Value, example: &Value, path: &str) -> Vec<String> {
    let fields = read.as_object().into_iter().flatten();
    let absent = fields.filter(|(name, _)| example.get(name.as_str()).is_none());
    absent.map(|(name, _)| format!("{path}.{name}")).collect()
}
