//! Where workloads hold containers.

use serde_json::Value;

use crate::manifest::Manifest;

/// A container of a pod.
pub struct Container<'a> {
    pub value: &'a Value,
}

impl Container<'_> {
    pub fn name(&self) -> &str {
        self.value["name"].as_str().unwrap_or("?")
    }
}

/// The pod that a manifest makes.
pub fn pod_spec(manifest: &Manifest) -> Option<&Value> {
    let path: &[&str] = match manifest.kind() {
        "Pod" => &["spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
            &["spec", "template", "spec"]
        }
        _ => return None,
    };
    path.iter()
        .try_fold(manifest.value(), |value, step| value.get(step))
}

/// All containers of a manifest that makes pods.
pub fn containers(manifest: &Manifest) -> Vec<Container<'_>> {
    let Some(pod) = pod_spec(manifest) else {
        return Vec::new();
    };
    let lists = ["initContainers", "containers"].map(|list| pod[list].as_array());
    let values = lists.into_iter().flatten().flatten();
    values.map(|value| Container { value }).collect()
}
