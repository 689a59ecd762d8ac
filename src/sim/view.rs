//! A stored object as controllers see it.

use std::cell::OnceCell;
use std::ops::Index;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::pool::{Members, Tree};

/// An object without `managedFields`. Is read like a tree, `view["spec"]["replicas"]`, but for what it says of pods.
#[derive(Clone, Debug)]
pub struct View {
    pub tree: Value,
    /// What is not in the tree: members of the spec of the pod, or of the pods that it is a template for.
    pod: Arc<Members>,
    pod_tree: OnceCell<Tree>,
}

/// Members of a pod's spec that are its own: all others it has from a template.
pub const OWN: [&str; 2] = ["hostname", "nodeName"];

/// Where an object has the spec of a pod, if it has one.
pub fn path_of_pod(object: &Value) -> &'static [&'static str] {
    let path = usual_path(object);
    let spec = path.iter().fold(object, |inner, key| &inner[*key]);
    if spec.is_object() { path } else { &[] }
}

fn usual_path(object: &Value) -> &'static [&'static str] {
    match object["kind"].as_str() {
        Some("Pod") => &["spec"],
        Some("CronJob") => &["spec", "jobTemplate", "spec", "template", "spec"],
        Some("ControllerRevision") => &["data", "spec", "template", "spec"],
        Some("Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job") => {
            &["spec", "template", "spec"]
        }
        _ => &[],
    }
}

impl View {
    pub fn new(tree: Value, pod: Arc<Members>) -> Self {
        Self {
            tree,
            pod,
            pod_tree: OnceCell::new(),
        }
    }

    /// What a pod has from its template, as it is kept.
    pub fn pod_json(&self) -> &[u8] {
        &self.pod.json
    }

    /// A member of the pod's spec, or of that of the template.
    pub fn of_pod(&self, key: &str) -> &Value {
        self.pod_tree().get(key).unwrap_or(&Value::Null)
    }

    /// The template in the spec.
    pub fn template(&self) -> Value {
        let mut template = self.tree["spec"]["template"].clone();
        self.complete(&mut template["spec"]);
        template
    }

    pub fn into_tree(mut self) -> Value {
        let path = path_of_pod(&self.tree);
        if !path.is_empty() {
            let mut tree = std::mem::take(&mut self.tree);
            let spec = path.iter().fold(&mut tree, |inner, key| &mut inner[*key]);
            self.complete(spec);
            self.tree = tree;
        }
        self.tree
    }

    fn pod_tree(&self) -> &Tree {
        self.pod_tree.get_or_init(|| self.pod.tree())
    }

    fn complete(&self, spec: &mut Value) {
        if !spec.is_object() {
            *spec = Value::Object(Map::new());
        }
        if let Some(members) = spec.as_object_mut() {
            let shared = self.pod_tree().iter();
            members.extend(shared.map(|(key, member)| (key.clone(), member.clone())));
        }
    }
}

impl Index<&str> for View {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        &self.tree[key]
    }
}

/// For tests, which have trees.
#[cfg(test)]
impl From<Value> for View {
    fn from(tree: Value) -> Self {
        let pod = tree["spec"].as_object().cloned().unwrap_or_default();
        Self {
            tree,
            pod: Arc::default(),
            pod_tree: OnceCell::from(Arc::new(pod)),
        }
    }
}
