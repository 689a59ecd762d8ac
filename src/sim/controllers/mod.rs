//! The controllers of the control plane: they look at an object when it, or what it owns, has changed.

mod autoscaler;
mod claim;
mod conditions;
mod daemonset;
mod deployment;
mod events;
mod job;
mod namespace;
mod owned;
mod replicaset;
mod rolling;
mod small;
mod statefulset;

use std::time::Duration;

use jiff::Timestamp;

use super::object::{Head, ObjectId};
use super::pods;
use super::state::{State, later};
use super::stored::Stored;
use super::timers::{Task, What};

pub use claim::are_bound;
pub use events::{Event, tell};

/// How long a controller takes to see a change.
const REACTION: Duration = Duration::from_millis(50);
/// How long the autoscaler and the like take: they look at intervals.
const INTERVAL: Duration = Duration::from_secs(1);
/// Budgets are counted anew this long after a pod changed: once for all that change together.
const COUNTING: Duration = Duration::from_secs(3);

/// Does what is due for one object.
pub fn run(state: &mut State, task: &Task, now: Timestamp) {
    match task.what {
        What::Sync => sync(state, &task.object, now),
        What::Advance => pods::advance(state, &task.object, now),
        What::Collect => state.collect(&task.object, now),
        What::Expire => state.delete_by_controller(&task.object, now),
    }
}

/// An object was written: who should look?
pub fn changed(state: &mut State, id: &ObjectId, before: Option<&Stored>, now: Timestamp) {
    let Some(after) = state.store.find(id).cloned() else {
        return;
    };
    let kind = state.kind(id);
    let soon = later(now, REACTION);
    let is_news = before.is_none_or(|before| {
        before.head.generation != after.head.generation
            || before.head.deleting != after.head.deleting
    });
    match kind.name.as_str() {
        "Pod" => {
            let is_news = before.is_none_or(|before| {
                before.head.pod != after.head.pod || before.head.deleting != after.head.deleting
            });
            if before.is_none() {
                state.at(later(now, pods::BINDING), What::Advance, id);
            }
            if is_news {
                wake_owners(state, &after.head, soon);
                wake_all(
                    state,
                    "poddisruptionbudgets.policy",
                    id,
                    later(now, COUNTING),
                );
            }
        }
        "ReplicaSet" => {
            if is_news {
                state.at(soon, What::Sync, id);
            }
            wake_owners(state, &after.head, soon);
        }
        "Deployment" | "StatefulSet" if is_news => {
            state.at(soon, What::Sync, id);
            wake_all(
                state,
                "horizontalpodautoscalers.autoscaling",
                id,
                later(now, INTERVAL),
            );
        }
        "DaemonSet" | "Job" | "PodDisruptionBudget" if is_news => state.at(soon, What::Sync, id),
        "Node" => state.nodes.clear(),
        "HorizontalPodAutoscaler" => state.at(later(now, INTERVAL), What::Sync, id),
        "Namespace"
        | "PersistentVolumeClaim"
        | "Service"
        | "CustomResourceDefinition"
        | "ResourceQuota"
            if is_news =>
        {
            state.at(soon, What::Sync, id);
        }
        _ => {}
    }
}

/// An object has gone: who should look?
pub fn removed(state: &mut State, id: &ObjectId, gone: &Head, now: Timestamp) {
    let soon = later(now, REACTION);
    for dependant in state.store.dependants(&gone.uid) {
        state.at(soon, What::Collect, &dependant);
    }
    for owner in &gone.owners {
        state.release_owner(owner, now);
    }
    wake_owners(state, gone, soon);
    if let Some(namespace) = id.namespace() {
        let namespaces = state.built_in("namespaces");
        let namespace = ObjectId::new(namespaces, None, namespace);
        if state
            .store
            .find(&namespace)
            .is_some_and(|stored| stored.head.deleting)
        {
            state.at(soon, What::Sync, &namespace);
        }
    }
    let kind = state.kind(id);
    if kind.is("", "nodes") {
        state.nodes.clear();
    }
    if kind.is("", "pods") {
        wake_all(
            state,
            "poddisruptionbudgets.policy",
            id,
            later(now, COUNTING),
        );
        claim::wake_leaving(state, id, soon);
    }
}

fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    if state.store.find(id).is_none() {
        return;
    }
    match state.kind(id).name.as_str() {
        "Deployment" => deployment::sync(state, id, now),
        "ReplicaSet" => replicaset::sync(state, id, now),
        "StatefulSet" => statefulset::sync(state, id, now),
        "DaemonSet" => daemonset::sync(state, id, now),
        "Job" => job::sync(state, id, now),
        "HorizontalPodAutoscaler" => autoscaler::sync(state, id, now),
        "PersistentVolumeClaim" => claim::sync(state, id, now),
        "Namespace" => namespace::sync(state, id, now),
        "PodDisruptionBudget" => small::sync_budget(state, id, now),
        "Service" => small::sync_service(state, id, now),
        "ResourceQuota" => small::sync_quota(state, id, now),
        "CustomResourceDefinition" => small::sync_definition(state, id, now),
        _ => {}
    }
}

fn wake_owners(state: &mut State, head: &Head, at: Timestamp) {
    for owner in &head.owners {
        if let Some(id) = state.store.by_uid(owner).cloned() {
            state.at(at, What::Sync, &id);
        }
    }
}

/// Wakes all objects of a kind in the namespace of another.
fn wake_all(state: &mut State, resource: &str, beside: &ObjectId, at: Timestamp) {
    let kind = state.built_in(resource);
    let found: Vec<ObjectId> = state
        .store
        .list(kind, beside.namespace())
        .map(|(id, _)| id.clone())
        .collect();
    for id in found {
        state.at(at, What::Sync, &id);
    }
}
