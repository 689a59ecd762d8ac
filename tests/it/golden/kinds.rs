//! Reads `tests/golden/kinds.yaml`: bodies, and how they may be altered.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub struct Kind {
    /// Path of the collection.
    pub resource: String,
    pub body: Value,
    pub knobs: BTreeMap<String, Vec<Value>>,
    pub spellings: BTreeMap<String, Vec<Value>>,
    pub lists: Vec<String>,
    pub empties: Vec<String>,
}

pub fn all() -> Vec<Kind> {
    serde_json::from_value(only_document(include_str!("../../golden/kinds.yaml")))
        .expect("kinds.yaml fits")
}

pub fn widget_definition() -> Value {
    only_document(include_str!("../../golden/widget.yaml"))
}

fn only_document(text: &str) -> Value {
    escale::yaml::read(text).expect("YAML")[0].to_value()
}
