//! Renames what no two runs have in common: uids, versions, times, random names. The same thing gets the same
//! name within a scenario, so that "this one again" can still be told from "another one".

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub struct Mask {
    namespace: String,
    names: BTreeMap<String, String>,
    counts: BTreeMap<&'static str, usize>,
    versions: Vec<String>,
}

impl Mask {
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            names: BTreeMap::new(),
            counts: BTreeMap::new(),
            versions: Vec::new(),
        }
    }

    pub fn value(&mut self, value: &Value) -> Value {
        let mut value = value.clone();
        if let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) {
            self.put_in_order(items);
        }
        put_managers_in_order(&mut value);
        self.learn(&value);
        self.renamed(&value)
    }

    /// Objects are listed by their names: in a random order where those have a hash in them. Those of a younger
    /// revision come last: its hash may be seen here for the first time.
    fn put_in_order(&self, items: &mut [Value]) {
        let has_hash = |item: &Value| item["metadata"]["labels"]["pod-template-hash"].is_string();
        if items.iter().all(has_hash) {
            items.sort_by_key(|item| {
                let name = item["metadata"]["name"].as_str().unwrap_or_default();
                (revision(item), self.text(name))
            });
        }
    }

    /// Replaces everything that has been renamed so far, the longest first.
    pub fn text(&self, text: &str) -> String {
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort_by_key(|(random, _)| std::cmp::Reverse(random.len()));
        let mut text = text.to_owned();
        for (random, name) in names {
            text = text.replace(random.as_str(), name);
        }
        for version in &self.versions {
            text = text.replace(
                &format!("({version})"),
                &format!("({})", self.version(version)),
            );
        }
        text.replace(&self.namespace, "NAMESPACE")
    }

    fn learn(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                self.learn_generated_name(map);
                self.learn_version(map);
                for (key, child) in map {
                    if let Some(kind) = random_kind(key, child) {
                        self.name(kind, child.as_str().unwrap_or_default());
                    }
                    self.learn(child);
                }
            }
            Value::Array(list) => list.iter().for_each(|child| self.learn(child)),
            _ => {}
        }
    }

    fn learn_generated_name(&mut self, map: &Map<String, Value>) {
        let prefix = map.get("generateName").and_then(Value::as_str);
        let name = map.get("name").and_then(Value::as_str);
        if let (Some(_), Some(name)) = (prefix, name) {
            self.name("POD", name);
        }
    }

    fn learn_version(&mut self, map: &Map<String, Value>) {
        let Some(version) = map.get("resourceVersion").and_then(Value::as_str) else {
            return;
        };
        if map.contains_key("uid") && !self.versions.iter().any(|known| known == version) {
            self.versions.push(version.to_owned());
        }
    }

    fn name(&mut self, kind: &'static str, random: &str) {
        if random.is_empty() || self.names.contains_key(random) {
            return;
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        self.names
            .insert(random.to_owned(), format!("{kind}-{count}"));
    }

    fn renamed(&self, value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let is_list = map.contains_key("items");
                let children = map.iter().map(|(key, child)| {
                    let child = self.member(key, child);
                    let child = if is_list && key == "metadata" {
                        of_list(child)
                    } else {
                        child
                    };
                    (self.text(key), child)
                });
                Value::Object(children.collect())
            }
            Value::Array(list) => list.iter().map(|child| self.renamed(child)).collect(),
            Value::String(text) if is_time(text) => Value::from("TIME"),
            Value::String(text) => Value::from(without_hash(&self.text(text))),
            other => other.clone(),
        }
    }

    fn member(&self, key: &str, child: &Value) -> Value {
        match (key, child.as_str()) {
            // Short numbers, which also occur in other texts: looked up as a whole.
            ("resourceVersion", Some(version)) => Value::from(self.version(version)),
            // Where a pod lands is up to the scheduler.
            ("nodeName", Some(_)) => Value::from("NODE"),
            ("currentRevision" | "updateRevision", Some(_)) => Value::from("REVISION"),
            ("topology.kubernetes.io/zone", Some(_)) => Value::from("ZONE"),
            ("podIP" | "hostIP" | "ip", Some(_)) => Value::from("IP"),
            _ => self.renamed(child),
        }
    }

    fn version(&self, version: &str) -> String {
        let known = self.versions.iter().position(|known| known == version);
        known.map_or("VERSION".to_owned(), |index| {
            format!("VERSION-{}", index + 1)
        })
    }
}

/// Servers list who owns fields by the second of their last write, then by name: which of two writes fell into another
/// second is chance. Here all go by name.
pub fn put_managers_in_order(value: &mut Value) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(key, child)| match child {
            Value::Array(entries) if key == "managedFields" => entries.sort_by_key(|entry| {
                let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
                (word("operation"), word("manager"), word("subresource"))
            }),
            child => put_managers_in_order(child),
        }),
        Value::Array(list) => list.iter_mut().for_each(put_managers_in_order),
        _ => {}
    }
}

/// Which generation of its owner an object belongs to, where it says so.
fn revision(item: &Value) -> Option<u64> {
    let revision = &item["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
    revision.as_str()?.parse().ok()
}

/// What kind of random thing is found under this key, if it is one.
fn random_kind(key: &str, child: &Value) -> Option<&'static str> {
    child.as_str()?;
    match key {
        "uid" | "controller-uid" | "batch.kubernetes.io/controller-uid" => Some("UID"),
        "pod-template-hash" | "controller-revision-hash" => Some("HASH"),
        "continue" => Some("CONTINUE"),
        // The volume with the token of a service account.
        "name" if child.as_str()?.starts_with("kube-api-access-") => Some("TOKEN"),
        _ => None,
    }
}

/// `ReplicaSet "web-5c6cfd998c" has ...`: the hash may be told before any object shows it.
fn without_hash(text: &str) -> String {
    let Some((before, rest)) = text
        .split_once("eplicaSet \"")
        .or_else(|| text.split_once("eplica set \""))
    else {
        return text.to_owned();
    };
    let (name, after) = rest.split_once('"').unwrap_or((rest, ""));
    let (stem, _) = name.rsplit_once('-').unwrap_or((name, ""));
    format!("{before}eplicaSet \"{stem}-HASH\"{after}")
}

fn of_list(mut metadata: Value) -> Value {
    // It counts what happened in the whole cluster.
    metadata["resourceVersion"] = Value::from("VERSION");
    metadata
}

fn is_time(text: &str) -> bool {
    text.len() >= 20 && text.parse::<jiff::Timestamp>().is_ok()
}
