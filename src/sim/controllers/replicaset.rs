//! ReplicaSets: as many pods as wanted.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::{self, Event};
use super::owned::{self, NewPod, Pod};
use crate::sim::object::ObjectId;
use crate::sim::state::State;
use crate::sim::view::View;

pub fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(set) = state.view(id) else { return };
    let wanted = set["spec"]["replicas"].as_i64().unwrap_or(1);
    if !state
        .store
        .find(id)
        .is_some_and(|stored| stored.head.deleting)
    {
        let active: Vec<Pod> = owned::pods_of(state, owned::uid(&set))
            .into_iter()
            .filter(Pod::is_active)
            .collect();
        let missing = wanted - owned::count(active.iter());
        if 0 < missing {
            create(state, id, &set, missing, now);
        } else {
            delete(state, id, active, missing.unsigned_abs(), now);
        }
    }
    write_status(state, id, &set, now);
}

fn create(state: &mut State, id: &ObjectId, set: &View, missing: i64, now: Timestamp) {
    let template = set.template();
    for _ in 0..missing {
        let name = owned::generated_name(state, owned::name(set));
        let new = NewPod {
            owner: set,
            template: &template,
            name: name.clone(),
            labels: Vec::new(),
        };
        if !owned::create_pod(state, id, new, now) {
            return;
        }
    }
    let event = Event {
        is_warning: false,
        reason: "SuccessfulCreate",
        message: format!("Created {missing} pods"),
        component: "replicaset-controller",
    };
    events::tell(state, set, &event, now);
}

/// Those that do most harm go first: not ready before ready, then the newest.
fn delete(state: &mut State, id: &ObjectId, mut active: Vec<Pod>, surplus: u64, now: Timestamp) {
    debug_assert!(id.namespace().is_some(), "ReplicaSets live in namespaces");
    active.sort_by(|one, other| {
        let rank = |pod: &Pod| (pod.is_ready(), std::cmp::Reverse(pod.head().created));
        rank(one)
            .cmp(&rank(other))
            .then_with(|| one.id.cmp(&other.id))
    });
    let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
    for pod in active.into_iter().take(surplus) {
        state.delete_by_controller(&pod.id, now);
    }
}

fn write_status(state: &mut State, id: &ObjectId, set: &View, now: Timestamp) {
    let all = owned::pods_of(state, owned::uid(set));
    let least = owned::min_ready(set);
    let pods: Vec<&Pod> = all.iter().filter(|pod| pod.is_active()).collect();
    let replicas = owned::count(pods.iter());
    let ready = owned::count(pods.iter().filter(|pod| pod.is_ready()));
    let available = owned::count(pods.iter().filter(|pod| pod.is_available(least, now)));
    let terminating = owned::count(all.iter().filter(|pod| pod.head().deleting));
    owned::look_when_available(state, id, &all, least, now);
    let generation = set["metadata"]["generation"].clone();
    let change = |object: &mut Value| {
        let status = &mut object["status"];
        let counts = [
            ("replicas", replicas),
            ("fullyLabeledReplicas", replicas),
            ("readyReplicas", ready),
            ("availableReplicas", available),
            ("terminatingReplicas", terminating),
        ];
        owned::set_counts(status, &counts, &["replicas", "terminatingReplicas"]);
        status["observedGeneration"] = json!(generation);
    };
    owned::update_status(state, id, change, now);
}
