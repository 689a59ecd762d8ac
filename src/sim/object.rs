//! One stored object: its JSON as bytes, and the little that is asked for without reading them.

use std::fmt;
use std::ops::Range;
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

/// One object as it was written last. Kept as bytes: a tree takes ten times as much.
#[derive(Debug)]
pub struct Stored {
    pub head: Head,
    /// The members of the object without `kind` and `apiVersion`, and without the braces: items of a
    /// list are sent so, a single object with both put before.
    members: Bytes,
    metadata: Range<usize>,
    /// The member `managedFields` of the metadata, with the comma before it: most of an object, and of no interest to
    /// controllers.
    managed: Range<usize>,
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
        let (members, metadata, managed) = write_members(value);
        Self {
            head: Head::of(value, created),
            members: members.into(),
            metadata,
            managed,
        }
    }

    /// The whole tree, read anew.
    pub fn value(&self, kind: &Kind) -> Value {
        serde_json::from_slice(&self.to_json(kind)).expect("written by ourselves")
    }

    /// The tree without `managedFields`.
    pub fn bare(&self, kind: &Kind) -> Value {
        let mut out = Vec::with_capacity(self.members.len() + 80 - self.managed.len());
        let members = &self.members;
        Self::write(
            kind,
            [&members[..self.managed.start], &members[self.managed.end..]],
            &mut out,
        );
        serde_json::from_slice(&out).expect("written by ourselves")
    }

    pub fn to_json(&self, kind: &Kind) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.members.len() + 80);
        Self::write(kind, [&self.members, &[]], &mut out);
        out
    }

    fn write(kind: &Kind, members: [&[u8]; 2], out: &mut Vec<u8>) {
        let (name, version) = (&kind.name, kind.api_version());
        out.extend_from_slice(
            format!("{{\"kind\":\"{name}\",\"apiVersion\":\"{version}\",").as_bytes(),
        );
        for part in members {
            out.extend_from_slice(part);
        }
        out.push(b'}');
    }

    /// As an item of a list: built-in kinds go without `kind` and `apiVersion` there.
    pub fn write_item(&self, kind: &Kind, out: &mut Vec<u8>) {
        if kind.is_custom {
            out.extend_from_slice(&self.to_json(kind));
        } else {
            out.push(b'{');
            out.extend_from_slice(&self.members);
            out.push(b'}');
        }
    }

    /// As `PartialObjectMetadata`.
    pub fn write_metadata(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":",
        );
        out.extend_from_slice(&self.members[self.metadata.clone()]);
        out.push(b'}');
    }
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

/// Metadata first, as the real server writes it, `managedFields` its last member; then the rest in their order.
fn write_members(value: &Value) -> (Vec<u8>, Range<usize>, Range<usize>) {
    let mut out = Vec::with_capacity(2048);
    out.extend_from_slice(b"\"metadata\":");
    let start = out.len();
    let managed = write_metadata(&mut out, &value["metadata"]);
    let metadata = start..out.len();
    let others = value.as_object().into_iter().flatten();
    for (key, member) in others {
        if !["apiVersion", "kind", "metadata"].contains(&key.as_str()) {
            out.push(b',');
            write_json(&mut out, &Value::from(key.as_str()));
            out.push(b':');
            write_json(&mut out, member);
        }
    }
    out.shrink_to_fit();
    (out, metadata, managed)
}

/// Returns where `managedFields` stands.
fn write_metadata(out: &mut Vec<u8>, metadata: &Value) -> Range<usize> {
    out.push(b'{');
    let members = metadata.as_object().into_iter().flatten();
    for (index, (key, member)) in members
        .filter(|(key, _)| *key != "managedFields")
        .enumerate()
    {
        if index > 0 {
            out.push(b',');
        }
        write_json(out, &Value::from(key.as_str()));
        out.push(b':');
        write_json(out, member);
    }
    let start = out.len();
    if let Some(managed) = metadata.get("managedFields") {
        // Every object has a name, so there is a member before.
        out.extend_from_slice(b",\"managedFields\":");
        write_json(out, managed);
    }
    let end = out.len();
    out.push(b'}');
    start..end
}

fn write_json(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a JSON tree is written to memory");
}
