//! One stored object: its JSON as bytes, and the little that is asked for without reading them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::kinds::{Kind, KindId};

/// Names one stored object. Sorts as the keys of etcd do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectId {
    pub kind: KindId,
    /// `namespace/name`, or `name` in the cluster's scope.
    key: Arc<str>,
}

/// One object as it was written last. Kept as bytes: a tree takes ten times as much. Kept in pieces:
/// most writes are of a status, and leave the largest piece alone.
#[derive(Debug)]
pub struct Stored {
    pub head: Head,
    /// Members of the metadata without `managedFields`.
    metadata: Bytes,
    /// The list `managedFields`, or nothing: half of an object, and of no interest to controllers.
    managed: Bytes,
    /// All other members but `kind`, `apiVersion` and `status`, each with a comma before it.
    rest: Bytes,
    status: Bytes,
}

/// What selectors and controllers ask of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    pub uid: Arc<str>,
    pub revision: u64,
    pub generation: i64,
    /// Exact, where `creationTimestamp` has whole seconds.
    pub created: Timestamp,
    pub deleting: bool,
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Uids of all owners, the controller first.
    pub owners: Vec<Arc<str>>,
    pub pod: Option<PodFacts>,
}

/// What a controller wants to know of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodFacts {
    pub phase: Phase,
    pub ready_since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl ObjectId {
    pub fn new(kind: KindId, namespace: Option<&str>, name: &str) -> Self {
        let key = match namespace {
            Some(namespace) => format!("{namespace}/{name}").into(),
            None => name.into(),
        };
        Self { kind, key }
    }

    /// The first possible object of a namespace, or of all.
    pub fn first(kind: KindId, namespace: Option<&str>) -> Self {
        let key = namespace.map_or_else(|| "".into(), |namespace| format!("{namespace}/").into());
        Self { kind, key }
    }

    pub fn from_key(kind: KindId, key: &str) -> Self {
        let key = key.into();
        Self { kind, key }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn namespace(&self) -> Option<&str> {
        self.key.split_once('/').map(|(namespace, _)| namespace)
    }

    pub fn name(&self) -> &str {
        self.key.split_once('/').map_or(&self.key, |(_, name)| name)
    }

    /// Another object of the same namespace.
    pub fn beside(&self, kind: KindId, name: &str) -> Self {
        Self::new(kind, self.namespace(), name)
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.0, self.key)
    }
}

impl Stored {
    pub fn new(value: &Value, created: Timestamp) -> Self {
        let mut rest = Vec::new();
        for (key, member) in value.as_object().into_iter().flatten() {
            if !["apiVersion", "kind", "metadata", "status"].contains(&key.as_str()) {
                rest.push(b',');
                write_member(&mut rest, key, member);
            }
        }
        Self::with_rest(value, created, bytes(rest))
    }

    /// The object after a change of metadata and status alone: all that `value` need have.
    pub fn with_status(&self, value: &Value) -> Self {
        Self::with_rest(value, self.head.created, self.rest.clone())
    }

    fn with_rest(value: &Value, created: Timestamp, rest: Bytes) -> Self {
        let mut metadata = Vec::new();
        for (key, member) in value["metadata"].as_object().into_iter().flatten() {
            if key != "managedFields" {
                if !metadata.is_empty() {
                    metadata.push(b',');
                }
                write_member(&mut metadata, key, member);
            }
        }
        Self {
            head: Head::of(value, created),
            metadata: bytes(metadata),
            managed: value["metadata"]
                .get("managedFields")
                .map_or_else(Bytes::new, json),
            rest,
            status: value.get("status").map_or_else(Bytes::new, json),
        }
    }

    /// The whole tree, read anew.
    pub fn value(&self, kind: &Kind) -> Value {
        self.read(kind, &[Piece::Managed, Piece::Rest, Piece::Status])
    }

    /// The tree without `managedFields`.
    pub fn bare(&self, kind: &Kind) -> Value {
        self.read(kind, &[Piece::Rest, Piece::Status])
    }

    /// Metadata and status alone.
    pub fn small(&self, kind: &Kind) -> Value {
        self.read(kind, &[Piece::Status])
    }

    pub fn managed(&self) -> Vec<Value> {
        if self.managed.is_empty() {
            return Vec::new();
        }
        serde_json::from_slice(&self.managed).expect("written by ourselves")
    }

    pub fn to_json(&self, kind: &Kind) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        self.write(
            &[
                Piece::Kind(kind),
                Piece::Managed,
                Piece::Rest,
                Piece::Status,
            ],
            &mut out,
        );
        out
    }

    /// As an item of a list: built-in kinds go without `kind` and `apiVersion` there.
    pub fn write_item(&self, kind: &Kind, out: &mut Vec<u8>) {
        out.reserve(self.size());
        let said = kind.is_custom.then_some(Piece::Kind(kind));
        let pieces = [Piece::Managed, Piece::Rest, Piece::Status];
        let pieces: Vec<Piece> = said.into_iter().chain(pieces).collect();
        self.write(&pieces, out);
    }

    /// As `PartialObjectMetadata`.
    pub fn write_metadata(&self, out: &mut Vec<u8>) {
        self.write(&[Piece::Partial, Piece::Managed], out);
    }

    fn read(&self, kind: &Kind, pieces: &[Piece]) -> Value {
        let mut out = Vec::with_capacity(self.size());
        let pieces: Vec<Piece> = [&[Piece::Kind(kind)], pieces].concat();
        self.write(&pieces, &mut out);
        serde_json::from_slice(&out).expect("written by ourselves")
    }

    /// Metadata first, as the real server writes it, `managedFields` its last member; then the rest.
    fn write(&self, pieces: &[Piece], out: &mut Vec<u8>) {
        out.push(b'{');
        for piece in pieces {
            match piece {
                Piece::Kind(kind) => write_kind(out, &kind.name, &kind.api_version()),
                Piece::Partial => write_kind(out, "PartialObjectMetadata", "meta.k8s.io/v1"),
                Piece::Managed | Piece::Rest | Piece::Status => {}
            }
        }
        out.extend_from_slice(b"\"metadata\":{");
        out.extend_from_slice(&self.metadata);
        if pieces.contains(&Piece::Managed) && !self.managed.is_empty() {
            // Every object has a name, so there is a member before.
            out.extend_from_slice(b",\"managedFields\":");
            out.extend_from_slice(&self.managed);
        }
        out.push(b'}');
        if pieces.contains(&Piece::Rest) {
            out.extend_from_slice(&self.rest);
        }
        if pieces.contains(&Piece::Status) && !self.status.is_empty() {
            out.extend_from_slice(b",\"status\":");
            out.extend_from_slice(&self.status);
        }
        out.push(b'}');
    }

    fn size(&self) -> usize {
        const BETWEEN: usize = 128;
        let pieces = [&self.metadata, &self.managed, &self.rest, &self.status];
        pieces.iter().map(|piece| piece.len()).sum::<usize>() + BETWEEN
    }
}

/// What an object is written with besides its metadata.
#[derive(Clone, Copy, PartialEq)]
enum Piece<'a> {
    Kind(&'a Kind),
    Partial,
    Managed,
    Rest,
    Status,
}

impl Head {
    pub fn label(&self, key: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(known, _)| **known == *key);
        found.map(|(_, value)| &**value)
    }

    pub fn is_ready(&self) -> bool {
        !self.deleting && self.pod.is_some_and(|pod| pod.ready_since.is_some())
    }

    fn of(value: &Value, created: Timestamp) -> Self {
        let metadata = &value["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default();
        Self {
            uid: text("uid").into(),
            revision: text("resourceVersion").parse().unwrap_or_default(),
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            created,
            deleting: metadata.get("deletionTimestamp").is_some(),
            labels: labels(&metadata["labels"]),
            owners: owners(&metadata["ownerReferences"]),
            pod: (value["kind"] == "Pod").then(|| PodFacts::of(&value["status"])),
        }
    }
}

impl PodFacts {
    fn of(status: &Value) -> Self {
        let phase = match status["phase"].as_str() {
            Some("Running") => Phase::Running,
            Some("Succeeded") => Phase::Succeeded,
            Some("Failed") => Phase::Failed,
            _ => Phase::Pending,
        };
        let conditions = status["conditions"].as_array();
        let ready = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        let since = ready.and_then(|ready| ready["lastTransitionTime"].as_str()?.parse().ok());
        Self {
            phase,
            ready_since: since,
        }
    }
}

fn labels(labels: &Value) -> Vec<(Box<str>, Box<str>)> {
    let labels = labels.as_object().into_iter().flatten();
    labels
        .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())))
        .collect()
}

fn owners(references: &Value) -> Vec<Arc<str>> {
    let mut references: Vec<&Value> = references.as_array().into_iter().flatten().collect();
    references.sort_by_key(|reference| reference["controller"] != true);
    let uids = references
        .iter()
        .filter_map(|reference| reference["uid"].as_str());
    uids.map(Arc::from).collect()
}

fn write_kind(out: &mut Vec<u8>, name: &str, version: &str) {
    out.extend_from_slice(format!("\"kind\":\"{name}\",\"apiVersion\":\"{version}\",").as_bytes());
}

fn write_member(out: &mut Vec<u8>, key: &str, member: &Value) {
    write_json(out, &Value::from(key));
    out.push(b':');
    write_json(out, member);
}

fn write_json(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a JSON tree is written to memory");
}

fn json(value: &Value) -> Bytes {
    let mut out = Vec::new();
    write_json(&mut out, value);
    bytes(out)
}

/// Without what a growing vector keeps in reserve.
fn bytes(out: Vec<u8>) -> Bytes {
    out.into_boxed_slice().into()
}
