//! The name of a stored object, and the little that is asked of it without reading it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::kinds::KindId;

/// Names one stored object. Sorts as the keys of etcd do.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectId {
    pub kind: KindId,
    /// `namespace/name`, or `name` in the cluster's scope.
    key: Arc<str>,
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
    /// Keys and values, each with a line of its own.
    labels: Box<str>,
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

impl Head {
    pub fn label(&self, key: &str) -> Option<&str> {
        let mut lines = self.labels.lines();
        while let (Some(known), Some(value)) = (lines.next(), lines.next()) {
            if known == key {
                return Some(value);
            }
        }
        None
    }

    pub fn is_ready(&self) -> bool {
        !self.deleting && self.pod.is_some_and(|pod| pod.ready_since.is_some())
    }

    pub fn of(value: &Value, created: Timestamp) -> Self {
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

fn labels(labels: &Value) -> Box<str> {
    let labels = labels.as_object().into_iter().flatten();
    let lines = labels.filter_map(|(key, value)| Some(format!("{key}\n{}\n", value.as_str()?)));
    lines.collect::<String>().into()
}

fn owners(references: &Value) -> Vec<Arc<str>> {
    let mut references: Vec<&Value> = references.as_array().into_iter().flatten().collect();
    references.sort_by_key(|reference| reference["controller"] != true);
    let uids = references
        .iter()
        .filter_map(|reference| reference["uid"].as_str());
    uids.map(Arc::from).collect()
}
