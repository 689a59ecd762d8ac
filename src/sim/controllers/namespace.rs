//! Namespaces: furnished when they come, emptied before they go.

use jiff::Timestamp;
use serde_json::json;

use super::owned;
use crate::sim::object::ObjectId;
use crate::sim::state::State;

pub fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    if state
        .store
        .find(id)
        .is_some_and(|stored| stored.head.deleting)
    {
        empty(state, id, now);
    } else {
        furnish(state, id, now);
    }
}

/// Every namespace has a service account and the cluster's certificate authority.
fn furnish(state: &mut State, id: &ObjectId, now: Timestamp) {
    let namespace = id.name();
    let accounts = state.built_in("serviceaccounts");
    let maps = state.built_in("configmaps");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}});
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "kube-root-ca.crt", "namespace": namespace}, "data": {"ca.crt": "simulated"},
    });
    for (kind, name, object) in [
        (accounts, "default", account),
        (maps, "kube-root-ca.crt", map),
    ] {
        let object_id = ObjectId::new(kind, Some(namespace), name);
        if state.store.find(&object_id).is_none() {
            owned::create(state, &object_id, object, now);
        }
    }
}

fn empty(state: &mut State, id: &ObjectId, now: Timestamp) {
    let kinds: Vec<_> = state
        .kinds
        .iter()
        .filter(|(_, kind)| kind.namespaced)
        .map(|(kind, _)| kind)
        .collect();
    let content = |state: &State| -> Vec<ObjectId> {
        let stored = kinds
            .iter()
            .flat_map(|kind| state.store.list(*kind, Some(id.name())));
        stored.map(|(id, _)| id.clone()).collect()
    };
    for object in content(state) {
        if state
            .store
            .find(&object)
            .is_some_and(|stored| !stored.head.deleting)
        {
            state.delete_by_controller(&object, now);
        }
    }
    if content(state).is_empty() {
        state.remove(id, now);
    }
}
