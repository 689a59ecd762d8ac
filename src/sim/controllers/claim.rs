//! Volume claims: bound after a moment, kept while a pod uses them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::owned;
use crate::sim::object::ObjectId;
use crate::sim::state::{State, later};
use crate::sim::timers::What;
use crate::sim::view::View;

const PROTECTION: &str = "kubernetes.io/pvc-protection";
/// How long a provisioner takes.
const PROVISIONING: Duration = Duration::from_secs(1);

pub fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(claim) = state.view(id) else { return };
    if !claim["metadata"]["deletionTimestamp"].is_null() {
        if !is_used(state, id) {
            state.remove_finalizer(id, PROTECTION, now);
        }
        return;
    }
    let created = state
        .store
        .find(id)
        .map_or(now, |stored| stored.head.created);
    let ready = later(created, PROVISIONING);
    if now < ready {
        return state.at(ready, What::Sync, id);
    }
    if claim["status"]["phase"] == "Bound" {
        return;
    }
    let volume = format!("pvc-{}", owned::uid(&claim));
    let bind = |object: &mut Value| {
        object["spec"]["volumeName"] = json!(volume);
        for key in ["bind-completed", "bound-by-controller"] {
            object["metadata"]["annotations"][format!("pv.kubernetes.io/{key}")] = json!("yes");
        }
    };
    owned::update(state, id, None, bind, now);
    let tell = |object: &mut Value| {
        let spec = &claim["spec"];
        object["status"] = json!({
            "accessModes": spec["accessModes"], "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "phase": "Bound",
        });
    };
    owned::update_status(state, id, tell, now);
}

/// Claims of the namespace that are being deleted look again: a pod has gone.
pub fn wake_leaving(state: &mut State, pod: &ObjectId, at: Timestamp) {
    let claims = state.built_in("persistentvolumeclaims");
    let leaving = state
        .store
        .list(claims, pod.namespace())
        .filter(|(_, stored)| stored.head.deleting);
    let leaving: Vec<ObjectId> = leaving.map(|(id, _)| id.clone()).collect();
    for id in leaving {
        state.at(at, What::Sync, &id);
    }
}

/// Whether all claims that a pod names are bound.
pub fn are_bound(state: &State, id: &ObjectId, pod: &View) -> bool {
    let kind = state.built_in("persistentvolumeclaims");
    let bound = |name: &str| {
        let claim = state.view(&id.beside(kind, name));
        claim.is_some_and(|claim| claim["status"]["phase"] == "Bound")
    };
    claims_of(pod).all(bound)
}

fn claims_of(pod: &View) -> impl Iterator<Item = &str> {
    let volumes = pod.of_pod("volumes").as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str())
}

fn is_used(state: &State, id: &ObjectId) -> bool {
    let pods = state.built_in("pods");
    let mut pods = state.store.list(pods, id.namespace()).map(|(pod, _)| pod);
    pods.any(|pod| {
        state
            .view(pod)
            .is_some_and(|pod| claims_of(&pod).any(|name| name == id.name()))
    })
}
