//! Controllers that only tell: disruption budgets, load balancers, quotas, definitions.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::conditions::{self, Condition};
use super::owned;
use super::rolling::share;
use crate::sim::object::ObjectId;
use crate::sim::random;
use crate::sim::state::{State, later};
use crate::sim::timers::What;

/// How long a provider takes to give an address.
const PROVIDER: Duration = Duration::from_secs(2);

pub fn sync_budget(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(budget) = state.view(id) else {
        return;
    };
    let pods = state.built_in("pods");
    let selector = budget["spec"]["selector"]["matchLabels"].as_object();
    let chosen = state
        .store
        .list(pods, id.namespace())
        .filter(|(_, stored)| {
            let mut wanted = selector.into_iter().flatten();
            selector.is_some()
                && wanted.all(|(key, value)| value.as_str() == stored.head.label(key))
        });
    let heads: Vec<_> = chosen
        .map(|(_, stored)| &stored.head)
        .filter(|head| !head.deleting)
        .collect();
    let expected = owned::count(heads.iter());
    let healthy = owned::count(heads.iter().filter(|head| head.is_ready()));
    let spec = &budget["spec"];
    let desired = if spec["minAvailable"].is_null() {
        (expected - share(&spec["maxUnavailable"], expected, true)).max(0)
    } else {
        share(&spec["minAvailable"], expected, true)
    };
    let allowed = if expected == 0 {
        0
    } else {
        (healthy - desired).max(0)
    };
    let condition = Condition {
        kind: "DisruptionAllowed",
        holds: 0 < allowed,
        reason: if 0 < allowed {
            "SufficientPods"
        } else {
            "InsufficientPods"
        },
        message: String::new(),
    };
    let change = |object: &mut Value| {
        let generation = object["metadata"]["generation"].clone();
        let status = &mut object["status"];
        let counts = [
            ("currentHealthy", healthy),
            ("desiredHealthy", desired),
            ("disruptionsAllowed", allowed),
            ("expectedPods", expected),
        ];
        owned::set_counts(status, &counts, &counts.map(|(key, _)| key));
        status["observedGeneration"] = generation.clone();
        conditions::set(status, &condition, now);
        let mut set = conditions::find(status, condition.kind)
            .cloned()
            .unwrap_or_default();
        set["observedGeneration"] = generation;
        conditions::put(status, set);
    };
    owned::update_status(state, id, change, now);
}

pub fn sync_service(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(service) = state.view(id) else {
        return;
    };
    let created = state
        .store
        .find(id)
        .map_or(now, |stored| stored.head.created);
    let is_balanced = service["spec"]["type"] == "LoadBalancer";
    if !is_balanced || !service["status"]["loadBalancer"]["ingress"].is_null() {
        return;
    }
    let ready = later(created, PROVIDER);
    if now < ready {
        return state.at(ready, What::Sync, id);
    }
    let last = 1 + random::number(state.seed, &["balancer", id.key()]) % 254;
    let address = format!("203.0.113.{last}");
    let change = |object: &mut Value| {
        object["status"]["loadBalancer"] = json!({"ingress": [{"ip": address}]});
    };
    owned::update_status(state, id, change, now);
}

/// Tells the limits back; what is used is counted for pods and services only.
pub fn sync_quota(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(quota) = state.view(id) else { return };
    let hard = quota["spec"]["hard"].clone();
    let used = |resource: &str| {
        let kind = state.kinds.find_resource(resource);
        kind.map_or(0, |kind| {
            owned::count(state.store.list(kind, id.namespace()))
        })
    };
    let keys = hard.as_object().into_iter().flatten();
    let used: serde_json::Map<String, Value> = keys
        .map(|(key, _)| (key.clone(), json!(used(key).to_string())))
        .collect();
    let change = |object: &mut Value| object["status"] = json!({"hard": hard, "used": used});
    owned::update_status(state, id, change, now);
}

/// Accepts the names of a definition and serves its kinds.
pub fn sync_definition(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(definition) = state.view(id) else {
        return;
    };
    let conditions = [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        (
            "Established",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
    ];
    let change = |object: &mut Value| {
        object["status"]["acceptedNames"] = definition["spec"]["names"].clone();
        for (kind, reason, message) in conditions {
            let condition = Condition {
                kind,
                holds: true,
                reason,
                message: message.to_owned(),
            };
            conditions::set(&mut object["status"], &condition, now);
        }
    };
    owned::update_status(state, id, change, now);
    state.kinds.define(&definition.into_tree());
}
