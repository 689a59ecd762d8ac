//! What kubectl sees of a fleet: nothing that escale says is believed without it.

use std::collections::{BTreeMap, BTreeSet};

use crate::clusters::{CLUSTERS, kubectl};

/// What the tenants of [`Sites`](crate::sites::Sites) run.
pub const COMPONENT: &str = "site";

/// The tag of `web` in each tenant's namespace, as the pods of it that are ready say.
pub fn tags() -> BTreeMap<String, String> {
    tags_of(CLUSTERS, "web", |_| true)
}

/// The same of another component, in some namespaces: what runs elsewhere may be in the middle of a rollout.
pub fn tags_of<'a>(
    clusters: impl IntoIterator<Item = &'a str>,
    component: &str,
    is_meant: impl Fn(&str) -> bool,
) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for cluster in clusters {
        let images = images_of_ready_pods(cluster, component).into_iter();
        for (namespace, image) in images.filter(|(namespace, _)| is_meant(namespace)) {
            let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag).to_owned();
            let other = tags.insert(namespace.clone(), tag.clone());
            assert!(
                other.is_none_or(|other| other == tag),
                "{namespace} runs two versions"
            );
        }
    }
    tags
}

pub fn different_tags() -> BTreeSet<String> {
    tags().into_values().collect()
}

fn images_of_ready_pods(cluster: &str, component: &str) -> Vec<(String, String)> {
    let text = kubectl(
        cluster,
        &[
            "get",
            "pods",
            "-A",
            "-l",
            &format!("app.kubernetes.io/name={component}"),
            "-o",
            "json",
        ],
    );
    let list: serde_json::Value = serde_json::from_str(&text).expect("kubectl prints JSON");
    let pods = list["items"].as_array().expect("a list").iter();
    pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null() && is_ready(pod))
        .map(|pod| {
            (
                text_of(&pod["metadata"]["namespace"]),
                image_of(pod, component),
            )
        })
        .collect()
}

fn is_ready(pod: &serde_json::Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn image_of(pod: &serde_json::Value, component: &str) -> String {
    let ours = format!("registry.example.com/platform/{component}:");
    let containers = pod["spec"]["containers"]
        .as_array()
        .expect("a pod has containers");
    let images = containers
        .iter()
        .map(|container| text_of(&container["image"]));
    images
        .into_iter()
        .find(|image| image.starts_with(&ours))
        .expect("a container of ours")
}

fn text_of(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The pods of a namespace, by uid: a restart makes another.
pub fn pods(cluster: &str, namespace: &str) -> BTreeSet<String> {
    let uids = kubectl(
        cluster,
        &[
            "-n",
            namespace,
            "get",
            "pods",
            "-o",
            "jsonpath={.items[*].metadata.uid}",
        ],
    );
    uids.split(' ').map(str::to_owned).collect()
}

/// The pods of [`COMPONENT`] in the namespaces that begin with a prefix: their uids, and how often their containers
/// restarted.
pub fn pods_of<'a>(
    clusters: impl IntoIterator<Item = &'a str>,
    prefix: &str,
) -> BTreeMap<String, Vec<String>> {
    let label = format!("app.kubernetes.io/name={COMPONENT}");
    let line = r#"jsonpath={range .items[*]}{.metadata.namespace} {.metadata.uid} {.status.containerStatuses[*].restartCount}{"\n"}{end}"#;
    let mut pods: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for cluster in clusters {
        let told = kubectl(cluster, &["get", "pods", "-A", "-l", &label, "-o", line]);
        for line in told.lines().filter(|line| line.starts_with(prefix)) {
            let (namespace, pod) = line.split_once(' ').expect("two words");
            let pods = pods.entry(namespace.to_owned()).or_default();
            pods.push(pod.to_owned());
        }
    }
    for pods in pods.values_mut() {
        pods.sort();
    }
    pods
}
