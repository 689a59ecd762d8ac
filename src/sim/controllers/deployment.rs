//! Deployments: a ReplicaSet for each template, moved from the old to the new one.

mod status;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::owned::{self, Pod};
use super::rolling;
use crate::sim::object::ObjectId;
use crate::sim::state::State;
use crate::sim::view::View;

/// The annotation of Deployments and ReplicaSets that counts rollouts.
pub const REVISION: &str = "deployment.kubernetes.io/revision";

/// One ReplicaSet of a Deployment, with its pods.
pub struct Set {
    pub id: ObjectId,
    pub value: View,
    pub pods: Vec<Pod>,
}

impl Set {
    pub fn wanted(&self) -> i64 {
        self.value["spec"]["replicas"].as_i64().unwrap_or_default()
    }

    pub fn active(&self) -> i64 {
        owned::count(self.pods.iter().filter(|pod| pod.is_active()))
    }

    pub fn available(&self, least: SignedDuration, now: Timestamp) -> i64 {
        owned::count(self.pods.iter().filter(|pod| pod.is_available(least, now)))
    }

    fn revision(&self) -> i64 {
        let revision = self.value["metadata"]["annotations"][REVISION].as_str();
        revision
            .and_then(|revision| revision.parse().ok())
            .unwrap_or_default()
    }

    fn hash(&self) -> &str {
        self.value["metadata"]["labels"]["pod-template-hash"]
            .as_str()
            .unwrap_or_default()
    }
}

pub fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(deployment) = state.view(id) else {
        return;
    };
    if !deployment["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    let is_paused = deployment["spec"]["paused"] == true;
    let hash = owned::template_hash(&deployment);
    let mut sets = sets_of(state, &deployment);
    let reason = if is_paused {
        None
    } else {
        choose_set(state, id, &deployment, &sets, &hash, now)
    };
    if reason.is_some() {
        sets = sets_of(state, &deployment);
    }
    if !is_paused && rolling::step(state, &deployment, &sets, &hash, now) {
        sets = sets_of(state, &deployment);
    }
    forget_old(state, &deployment, &sets, &hash, now);
    status::write(state, id, &deployment, &sets, (&hash, reason), now);
}

fn sets_of(state: &State, deployment: &View) -> Vec<Set> {
    let kind = state.built_in("replicasets.apps");
    let dependants = state.store.dependants(owned::uid(deployment)).into_iter();
    let sets = dependants.filter(|id| id.kind == kind).filter_map(|id| {
        let value = state.view(&id)?;
        let pods = owned::pods_of(state, owned::uid(&value));
        Some(Set { id, value, pods })
    });
    sets.collect()
}

/// Makes sure that the template has its ReplicaSet, an old one if it had one before; says what was done.
fn choose_set(
    state: &mut State,
    id: &ObjectId,
    deployment: &View,
    sets: &[Set],
    hash: &str,
    now: Timestamp,
) -> Option<&'static str> {
    let newest = sets.iter().map(Set::revision).max().unwrap_or_default();
    let Some(known) = sets.iter().find(|set| set.hash() == hash) else {
        create_set(state, id, deployment, (sets, hash, newest + 1), now);
        return Some("NewReplicaSetCreated");
    };
    if known.revision() == newest {
        return None;
    }
    let change = |set: &mut Value| {
        set["metadata"]["annotations"][REVISION] = json!((newest + 1).to_string());
    };
    owned::update(state, &known.id, None, change, now);
    Some("FoundNewReplicaSet")
}

fn create_set(
    state: &mut State,
    id: &ObjectId,
    deployment: &View,
    (old, hash, revision): (&[Set], &str, i64),
    now: Timestamp,
) {
    let kind = state.built_in("replicasets.apps");
    let name = format!("{}-{hash}", owned::name(deployment));
    let mut template = deployment.template();
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"]["pod-template-hash"] = json!(hash);
    let mut annotations = deployment["metadata"]["annotations"].clone();
    annotations[REVISION] = json!(revision.to_string());
    let mut spec = json!({"selector": selector, "template": template});
    if let least @ Value::Number(_) = &deployment["spec"]["minReadySeconds"] {
        spec["minReadySeconds"] = least.clone();
    }
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": id.namespace(), "labels": spec["template"]["metadata"]["labels"],
            "annotations": annotations, "ownerReferences": owned::owner_reference(deployment),
        },
        "spec": spec,
    });
    rolling::size_first(&mut object, deployment, old, now);
    owned::create(state, &id.beside(kind, &name), object, now);
}

/// Deletes the oldest empty ReplicaSets beyond what is kept for undoing.
fn forget_old(state: &mut State, deployment: &View, sets: &[Set], hash: &str, now: Timestamp) {
    let kept = deployment["spec"]["revisionHistoryLimit"]
        .as_u64()
        .unwrap_or(10);
    let kept = usize::try_from(kept).unwrap_or(usize::MAX);
    let mut old: Vec<&Set> = sets.iter().filter(|set| set.hash() != hash).collect();
    old.sort_by_key(|set| set.revision());
    let surplus = old.len().saturating_sub(kept);
    for set in old
        .into_iter()
        .take(surplus)
        .filter(|set| set.wanted() == 0 && set.pods.is_empty())
    {
        state.delete_by_controller(&set.id, now);
    }
}
