//! What all controllers of pods do: find theirs, make more, write status.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::sim::object::{Head, ObjectId, Phase};
use crate::sim::random;
use crate::sim::state::{State, later};
use crate::sim::stored::Stored;
use crate::sim::view::View;

/// The manager under which controllers write.
pub const CONTROLLER: &str = "kube-controller-manager";

/// One pod of a controller.
#[derive(Clone, Debug)]
pub struct Pod {
    pub id: ObjectId,
    stored: Arc<Stored>,
}

/// A pod to be made from a template.
pub struct NewPod<'a> {
    pub owner: &'a View,
    pub template: &'a Value,
    pub name: String,
    pub labels: Vec<(&'static str, String)>,
}

impl Pod {
    pub fn head(&self) -> &Head {
        &self.stored.head
    }

    pub fn phase(&self) -> Phase {
        self.head().pod.map_or(Phase::Pending, |pod| pod.phase)
    }

    /// Neither ended nor ending.
    pub fn is_active(&self) -> bool {
        !self.head().deleting && matches!(self.phase(), Phase::Pending | Phase::Running)
    }

    pub fn is_ready(&self) -> bool {
        self.head().is_ready()
    }

    /// Ready for long enough.
    pub fn is_available(&self, least: SignedDuration, now: Timestamp) -> bool {
        let since = self.head().pod.and_then(|pod| pod.ready_since);
        self.is_ready() && since.is_some_and(|since| least <= now.duration_since(since))
    }
}

/// The pods that an object controls, by name.
pub fn pods_of(state: &State, uid: &str) -> Vec<Pod> {
    let pods = state.built_in("pods");
    let dependants = state
        .store
        .dependants(uid)
        .into_iter()
        .filter(|id| id.kind == pods);
    let found = dependants.filter_map(|id| {
        let stored = state.store.find(&id)?.clone();
        Some(Pod { id, stored })
    });
    found.collect()
}

pub fn uid(object: &View) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

pub fn name(object: &View) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// `minReadySeconds` of a workload.
pub fn min_ready(workload: &View) -> SignedDuration {
    SignedDuration::from_secs(
        workload["spec"]["minReadySeconds"]
            .as_i64()
            .unwrap_or_default(),
    )
}

/// Looks again when the next ready pod becomes available.
pub fn look_when_available(
    state: &mut State,
    id: &ObjectId,
    pods: &[Pod],
    least: SignedDuration,
    now: Timestamp,
) {
    let waiting = pods
        .iter()
        .filter(|pod| pod.is_ready() && !pod.is_available(least, now));
    let since = waiting.filter_map(|pod| pod.head().pod?.ready_since).min();
    if let Some(since) = since {
        let wait = Duration::try_from(least).unwrap_or_default();
        state.at(later(since, wait), super::What::Sync, id);
    }
}

/// Ten letters that follow from a template, as `pod-template-hash` has them.
pub fn template_hash(workload: &View) -> String {
    let own = workload["spec"]["template"].to_string();
    let pod = String::from_utf8_lossy(workload.pod_json());
    random::letters(random::number(0, &[&own, &pod]), 10)
}

pub fn owner_reference(owner: &View) -> Value {
    json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
    }])
}

/// Creates what a controller makes for an object; nothing if the namespace is going away.
pub fn create(state: &mut State, id: &ObjectId, object: Value, now: Timestamp) -> bool {
    let Ok(object) = state.completed(id, object, now) else {
        return false;
    };
    state.commit_new(id, object, CONTROLLER, now);
    true
}

pub fn create_pod(state: &mut State, owner: &ObjectId, new: NewPod, now: Timestamp) -> bool {
    let pods = state.built_in("pods");
    let id = owner.beside(pods, &new.name);
    let mut labels = new.template["metadata"]["labels"].clone();
    for (key, value) in new.labels {
        labels[key] = json!(value);
    }
    let mut metadata = json!({
        "name": new.name, "namespace": owner.namespace(), "labels": labels,
        "generateName": format!("{}-", name(new.owner)), "ownerReferences": owner_reference(new.owner),
    });
    if let annotations @ Value::Object(_) = &new.template["metadata"]["annotations"] {
        metadata["annotations"] = annotations.clone();
    }
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": new.template["spec"]});
    create(state, &id, pod, now)
}

/// A new name below that of its owner.
pub fn generated_name(state: &State, owner: &str) -> String {
    let revision = state.store.revision().to_string();
    let number = random::number(state.seed, &["pod", owner, &revision]);
    format!("{owner}-{}", random::letters(number, 5))
}

/// Changes metadata and status of an object as a controller; writes only what really differs. `change` sees nothing else.
pub fn update_status(
    state: &mut State,
    id: &ObjectId,
    change: impl FnOnce(&mut Value),
    now: Timestamp,
) {
    let Some(live) = state.small(id) else { return };
    let mut object = live.clone();
    change(&mut object);
    if object != live {
        state.commit_status(id, &live, object, CONTROLLER, now);
    }
}

/// Changes an object as a controller; writes only what really differs.
pub fn update(
    state: &mut State,
    id: &ObjectId,
    subresource: Option<&str>,
    change: impl FnOnce(&mut Value),
    now: Timestamp,
) {
    let Some(live) = state.view(id).map(View::into_tree) else {
        return;
    };
    let mut object = live.clone();
    change(&mut object);
    if object != live {
        state.commit_change(id, &live, object, (CONTROLLER, subresource), now);
    }
}

/// Writes the counts of a status: zeros go, as `omitempty` has it, but for those that are always there.
pub fn set_counts(status: &mut Value, counts: &[(&str, i64)], always: &[&str]) {
    for (key, count) in counts {
        if *count != 0 || always.contains(key) {
            status[*key] = json!(count);
        } else if let Some(members) = status.as_object_mut() {
            members.remove(*key);
        }
    }
}

/// A count of `i64`: what Kubernetes counts in.
pub fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}

/// Keeps the revision of a template as a `ControllerRevision`, as StatefulSets and DaemonSets do.
pub fn keep_revision(
    state: &mut State,
    owner: &ObjectId,
    workload: &View,
    revision: &str,
    now: Timestamp,
) {
    let kind = state.built_in("controllerrevisions.apps");
    let id = owner.beside(kind, revision);
    if state.store.find(&id).is_some() {
        return;
    }
    let kept = state.store.dependants(uid(workload));
    let number = 1 + count(kept.into_iter().filter(|id| id.kind == kind));
    let mut labels = workload["spec"]["template"]["metadata"]["labels"].clone();
    labels["controller.kubernetes.io/hash"] = json!(revision.rsplit('-').next());
    let mut template = workload.template();
    template["$patch"] = json!("replace");
    let object = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {
            "name": revision, "namespace": owner.namespace(), "labels": labels,
            "ownerReferences": owner_reference(workload),
        },
        "data": {"spec": {"template": template}}, "revision": number,
    });
    create(state, &id, object, now);
}

/// The time that a status carries, read back.
pub fn read_time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}
