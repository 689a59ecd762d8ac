//! One config file: text → YAML → checked against its schema → typed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::did_you_mean;
use crate::fleet::config::{Document, Kind, schema_of};
use crate::fleet::finding::{Finding, Place};
use crate::fleet::words;
use crate::yaml::{Mark, Node, read};

/// A document that fits its kind, and where each part of it was written.
pub struct Read<Spec> {
    pub file: String,
    node: Node,
    pub document: Document<Spec>,
}

impl<Spec> Read<Spec> {
    pub fn name(&self) -> &str {
        &self.document.metadata.name
    }

    pub fn spec(&self) -> &Spec {
        &self.document.spec
    }

    /// Where the value at a JSON pointer is written, or the nearest thing around it.
    pub fn place(&self, pointer: &str) -> Place {
        place(&self.file, nearest(&self.node, pointer))
    }
}

/// The schemas of all kinds, compiled.
pub struct Schemas {
    kinds: BTreeMap<Kind, (Value, Validator)>,
}

impl Schemas {
    /// Compiled at most once in a process: it takes longer than reading a small fleet.
    pub fn compiled() -> &'static Self {
        static COMPILED: LazyLock<Schemas> = LazyLock::new(Schemas::compile);
        &COMPILED
    }

    fn compile() -> Self {
        let compiled = |kind| {
            let schema = schema_of(kind);
            let validator = jsonschema::validator_for(&schema)
                .expect("the schemas are derived from our own types");
            (kind, (schema, validator))
        };
        Self {
            kinds: Kind::ALL.map(compiled).into(),
        }
    }

    /// Types a document, or says everything that is wrong with it.
    pub fn typed<Spec: DeserializeOwned>(
        &self,
        kind: Kind,
        file: &str,
        node: Node,
    ) -> Result<Read<Spec>, Vec<Finding>> {
        check_kind(kind, file, &node).map_err(|finding| vec![finding])?;
        let value = node.to_value();
        let (schema, validator) = &self.kinds[&kind];
        let findings: Vec<Finding> = validator
            .iter_errors(&value)
            .flat_map(|error| words::findings(&error, schema))
            .map(|complaint| complaint.at(file, &node))
            .collect();
        if !findings.is_empty() {
            return Err(findings);
        }
        match serde_json::from_value(value) {
            Ok(document) => Ok(Read {
                file: file.to_owned(),
                node,
                document,
            }),
            Err(error) => Err(vec![Finding::error(
                place(file, node.mark),
                format!("not a {kind}: {error}"),
            )]),
        }
    }
}

/// The documents of a file.
pub fn documents(file: &str, text: &str) -> Result<Vec<Node>, Finding> {
    read(text)
        .map_err(|error| Finding::error(place(file, error.mark), error.message).hint(error.hint))
}

pub fn place(file: &str, mark: Mark) -> Place {
    Place {
        file: file.to_owned(),
        line: mark.line,
        column: mark.column,
    }
}

/// Where a JSON pointer leads, or as far as it does.
pub fn nearest(node: &Node, pointer: &str) -> Mark {
    if let Some(found) = node.at(pointer) {
        return found.mark;
    }
    match pointer.rsplit_once('/') {
        Some((parent, _)) => nearest(node, parent),
        None => node.mark,
    }
}

/// The kind first: against the schema of another kind, every field would be unknown.
fn check_kind(kind: Kind, file: &str, node: &Node) -> Result<(), Finding> {
    let Some(found) = node.at("/kind") else {
        return Err(Finding::error(place(file, node.mark), "`kind` is missing")
            .hint(format!("a file here begins with `kind: {kind}`")));
    };
    let value = found.to_value();
    match value.as_str() {
        Some(name) if name == kind.name() => Ok(()),
        Some(name) if Kind::parse(name).is_some() => Err(Finding::error(
            place(file, found.mark),
            format!("a {name} where a {kind} belongs"),
        )
        .hint("the path of a file says what it holds: see docs/formats.md".to_owned())),
        _ => {
            let known = Kind::ALL.map(Kind::name);
            let near = did_you_mean(value.as_str().unwrap_or_default(), known);
            let hint = near.map_or(format!("`kind: {kind}` belongs here"), |near| {
                format!("did you mean `{near}`?")
            });
            let message = format!("unknown kind {}", words::shown(&value));
            Err(Finding::error(place(file, found.mark), message).hint(hint))
        }
    }
}
