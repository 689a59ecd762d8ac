//! Rendered text → manifests: read as kubectl reads, each in the tenant's namespace unless it says otherwise.

use serde_json::{Value, json};

use crate::fleet::{Finding, Place};
use crate::manifest::{
    Manifest, ObjectRef, Origin, is_cluster_scoped, is_secret, misplaced_secret,
};
use crate::render::secret;
use crate::yaml::{Mark, Node, YamlError, read};

/// The manifests in the text that a template rendered, or every mistake in it.
pub fn read_all(
    template: &str,
    text: &str,
    namespace: &str,
) -> Result<Vec<Manifest>, Vec<Finding>> {
    let nodes = read(text).map_err(|error| vec![not_yaml(template, text, &error)])?;
    let mut manifests = Vec::with_capacity(nodes.len());
    let mut findings = Vec::new();
    for node in nodes {
        match manifest(template, &node, namespace) {
            Ok(manifest) => manifests.push(manifest),
            Err(mistakes) => findings.extend(mistakes),
        }
    }
    if findings.is_empty() {
        Ok(manifests)
    } else {
        Err(findings)
    }
}

fn manifest(template: &str, node: &Node, namespace: &str) -> Result<Manifest, Vec<Finding>> {
    let mut value = node.to_value();
    let mistake = |pointer: &str, message: &str| {
        let at = node.at(pointer).map_or(node.mark, |found| found.mark);
        Finding::error(
            Place::of_file(template),
            format!("{message} (line {} of what it renders)", at.line),
        )
    };
    let named = |what: &Value| {
        let text = |pointer| what.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        format!("{}/{}", text("/kind"), text("/metadata/name"))
    };
    if is_secret(&value) {
        let wrong = secret::fold(&mut value);
        if !wrong.is_empty() {
            let told = |(pointer, why): (String, &str)| {
                mistake(
                    &pointer,
                    &format!("`{}` at `{pointer}`: {why}", named(&value)),
                )
            };
            return Err(wrong.into_iter().map(told).collect());
        }
    }
    if let Some(pointer) = misplaced_secret(&value) {
        let message = format!(
            "`{}` holds a secret reference at `{pointer}`",
            named(&value)
        );
        let finding = mistake(&pointer, &message);
        return Err(vec![
            finding.hint("only `data` and `stringData` of a Secret may".to_owned()),
        ]);
    }
    fill_namespace(&mut value, namespace);
    let origin = Origin {
        file: template.to_owned(),
        line: node.mark.line,
    };
    let read = Manifest::from_value(value);
    read.map(|manifest| manifest.with_origin(origin))
        .map_err(|why| {
            vec![mistake(
                "",
                &format!("a document is no Kubernetes object: {why}"),
            )]
        })
}

/// As `kubectl -n` does for namespaced kinds. Left alone if there is no metadata to fill it into.
fn fill_namespace(value: &mut Value, namespace: &str) {
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let object = ObjectRef {
        api_version: text("apiVersion"),
        kind: text("kind"),
        namespace: None,
        name: String::new(),
    };
    let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    if !is_cluster_scoped(&object) && !metadata.contains_key("namespace") {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
}

/// The place is in the rendered text, which nobody has at hand: its line is shown.
fn not_yaml(template: &str, text: &str, error: &YamlError) -> Finding {
    let message = format!(
        "what it renders is not YAML at {}, `{}`: {}",
        error.mark,
        line(text, error.mark),
        error.message
    );
    Finding::error(Place::of_file(template), message).hint(error.hint.clone())
}

fn line(text: &str, mark: Mark) -> String {
    /// Longer lines say no more about the mistake.
    const SHOWN: usize = 60;
    let line = text
        .lines()
        .nth(mark.line.saturating_sub(1))
        .unwrap_or_default()
        .trim();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
