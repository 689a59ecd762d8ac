//! A manifest and the name by which it is known.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::canonical::Digest;
use super::order::Stage;

/// Names one object on a cluster: what `kubectl get` needs to find it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    pub api_version: String,
    pub kind: String,
    /// `None` for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
}

/// Where a manifest came from, for messages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Path of the template below the repository's root.
    pub file: String,
    /// Line of the document within the *rendered* file, 1-based.
    pub line: usize,
}

/// One object as we mean it to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    object: ObjectRef,
    value: Value,
    pub origin: Option<Origin>,
}

/// Why a JSON tree is not a Kubernetes object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnObject(pub &'static str);

impl Manifest {
    /// Reads the identity out of a JSON tree.
    pub fn from_value(value: Value) -> Result<Self, NotAnObject> {
        let text = |pointer: &str| {
            let found = value.pointer(pointer).and_then(Value::as_str);
            found.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        if !value.is_object() {
            return Err(NotAnObject("it is not a mapping"));
        }
        let object = ObjectRef {
            api_version: text("/apiVersion").ok_or(NotAnObject("`apiVersion` is missing"))?,
            kind: text("/kind").ok_or(NotAnObject("`kind` is missing"))?,
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name").ok_or(NotAnObject("`metadata.name` is missing"))?,
        };
        Ok(Self {
            object,
            value,
            origin: None,
        })
    }

    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    pub fn into_value(self) -> Value {
        self.value
    }

    pub fn kind(&self) -> &str {
        &self.object.kind
    }

    /// The object's digest: its canonical form without our marks.
    pub fn digest(&self) -> Digest {
        Digest::of_object(&self.value)
    }

    pub fn stage(&self) -> Stage {
        Stage::of(&self.object)
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        let annotations = self.value.pointer("/metadata/annotations")?.as_object()?;
        annotations.get(key).and_then(Value::as_str)
    }

    /// Sets an annotation, creating the map where there is none.
    pub fn annotate(&mut self, key: &str, value: &str) {
        self.metadata_map("annotations")
            .insert(key.to_owned(), value.into());
    }

    /// Sets a label, creating the map where there is none.
    pub fn label(&mut self, key: &str, value: &str) {
        self.metadata_map("labels")
            .insert(key.to_owned(), value.into());
    }

    fn metadata_map(&mut self, name: &str) -> &mut Map<String, Value> {
        let map = &mut self.value["metadata"][name];
        if !map.is_object() {
            *map = Value::Object(Map::new());
        }
        map.as_object_mut().expect("made an object just above")
    }
}

impl ObjectRef {
    /// The version is a spelling, not an identity: `apps/v1` and `apps/v1beta1` name one object.
    pub fn is_same(&self, other: &Self) -> bool {
        self.group() == other.group()
            && self.kind == other.kind
            && self.namespace == other.namespace
            && self.name == other.name
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    pub fn version(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or(&self.api_version, |(_, version)| version)
    }
}

/// `Deployment/web`, the short form people type; the namespace is said by the context.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl fmt::Display for NotAnObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotAnObject {}
