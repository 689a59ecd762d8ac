//! DaemonSets: one pod on every node that fits, changed node by node.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::owned::{self, NewPod, Pod};
use super::rolling::share;
use super::statefulset::HASH;
use crate::sim::object::ObjectId;
use crate::sim::pods;
use crate::sim::state::State;
use crate::sim::view::View;

pub fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(set) = state.view(id) else { return };
    if !set["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    let hash = owned::template_hash(&set);
    let revision = format!("{}-{hash}", owned::name(&set));
    owned::keep_revision(state, id, &set, &revision, now);
    let selector = set.of_pod("nodeSelector").as_object();
    let nodes = pods::nodes(state, &selector.cloned().unwrap_or_default());
    let own = owned::pods_of(state, owned::uid(&set));
    for node in &nodes {
        if !own.iter().any(|pod| node_of(state, pod) == *node) {
            create(state, id, &set, (node, &hash), now);
        }
    }
    for pod in own.iter().filter(|pod| !pod.head().deleting) {
        if !pod.is_active() || !nodes.contains(&node_of(state, pod)) {
            state.delete_by_controller(&pod.id, now);
        }
    }
    if set["spec"]["updateStrategy"]["type"] == "RollingUpdate" {
        replace_old(state, &set, &own, (&hash, nodes.len()), now);
    }
    write_status(state, id, &set, (&hash, nodes.len()), now);
}

fn node_of(state: &State, pod: &Pod) -> String {
    let Some(pod) = state.view(&pod.id) else {
        return String::new();
    };
    let wanted = pod.of_pod("nodeSelector")["kubernetes.io/hostname"].as_str();
    let node = wanted.or(pod["spec"]["nodeName"].as_str());
    node.unwrap_or_default().to_owned()
}

fn create(
    state: &mut State,
    id: &ObjectId,
    set: &View,
    (node, hash): (&str, &str),
    now: Timestamp,
) {
    let mut template = set.template();
    // The real one writes an affinity that says the same.
    template["spec"]["nodeSelector"]["kubernetes.io/hostname"] = json!(node);
    let name = owned::generated_name(state, owned::name(set));
    let labels = vec![
        (HASH, hash.to_owned()),
        ("pod-template-generation", template_generation(set)),
    ];
    let new = NewPod {
        owner: set,
        template: &template,
        name,
        labels,
    };
    owned::create_pod(state, id, new, now);
}

fn template_generation(set: &View) -> String {
    let annotations = &set["metadata"]["annotations"];
    let annotation = annotations["deprecated.daemonset.template.generation"].as_str();
    annotation.unwrap_or("1").to_owned()
}

/// Old pods go, unavailable ones first, while no more than allowed are unavailable.
fn replace_old(
    state: &mut State,
    set: &View,
    pods: &[Pod],
    (hash, nodes): (&str, usize),
    now: Timestamp,
) {
    let nodes = i64::try_from(nodes).unwrap_or(i64::MAX);
    let allowed = share(
        &set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"],
        nodes,
        true,
    )
    .max(1);
    let least = owned::min_ready(set);
    let available = owned::count(pods.iter().filter(|pod| pod.is_available(least, now)));
    let mut room = allowed - (nodes - available);
    let old = || {
        pods.iter()
            .filter(|pod| pod.is_active() && pod.head().label(HASH) != Some(hash))
    };
    for pod in old().filter(|pod| !pod.is_available(least, now)) {
        state.delete_by_controller(&pod.id, now);
    }
    for pod in old().filter(|pod| pod.is_available(least, now)) {
        if room <= 0 {
            return;
        }
        room -= 1;
        state.delete_by_controller(&pod.id, now);
    }
}

fn write_status(
    state: &mut State,
    id: &ObjectId,
    set: &View,
    (hash, nodes): (&str, usize),
    now: Timestamp,
) {
    let all = owned::pods_of(state, owned::uid(set));
    let least = owned::min_ready(set);
    let pods: Vec<&Pod> = all.iter().filter(|pod| pod.is_active()).collect();
    let wanted = i64::try_from(nodes).unwrap_or(i64::MAX);
    let current = owned::count(pods.iter());
    let ready = owned::count(pods.iter().filter(|pod| pod.is_ready()));
    let available = owned::count(pods.iter().filter(|pod| pod.is_available(least, now)));
    let updated = owned::count(
        pods.iter()
            .filter(|pod| pod.head().label(HASH) == Some(hash)),
    );
    owned::look_when_available(state, id, &all, least, now);
    let counts = [
        ("desiredNumberScheduled", wanted),
        ("currentNumberScheduled", current),
        ("numberMisscheduled", 0),
        ("numberReady", ready),
        ("numberAvailable", available),
        ("numberUnavailable", wanted - available),
        ("updatedNumberScheduled", updated),
    ];
    let always = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberMisscheduled",
        "numberReady",
    ];
    let change = |object: &mut Value| {
        let generation = object["metadata"]["generation"].clone();
        owned::set_counts(&mut object["status"], &counts, &always);
        object["status"]["observedGeneration"] = generation;
    };
    owned::update_status(state, id, change, now);
}
