//! Deployments: a ReplicaSet for each template, moved from the old to the new one.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::conditions::{self, Condition};
use super::events::{self, Event};
use super::owned::{self, Pod};
use super::rolling;
use crate::sim::object::ObjectId;
use crate::sim::state::{State, later, written};
use crate::sim::timers::What;

/// The annotation of Deployments and ReplicaSets that counts rollouts.
pub const REVISION: &str = "deployment.kubernetes.io/revision";

/// One ReplicaSet of a Deployment, with its pods.
pub struct Set {
    pub id: ObjectId,
    pub value: Value,
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
    let Some(deployment) = state.value(id) else {
        return;
    };
    if !deployment["metadata"]["deletionTimestamp"].is_null() {
        return;
    }
    let is_paused = deployment["spec"]["paused"] == true;
    let reason = if is_paused {
        None
    } else {
        choose_set(state, id, &deployment, now)
    };
    let mut sets = sets_of(state, &deployment);
    let hash = owned::template_hash(&deployment["spec"]["template"]);
    if !is_paused && rolling::step(state, &deployment, &sets, &hash, now) {
        sets = sets_of(state, &deployment);
    }
    forget_old(state, &deployment, &sets, &hash, now);
    write_status(state, id, &deployment, &sets, (&hash, reason), now);
}

fn sets_of(state: &State, deployment: &Value) -> Vec<Set> {
    let kind = state.built_in("replicasets.apps");
    let dependants = state.store.dependants(owned::uid(deployment)).into_iter();
    let sets = dependants.filter(|id| id.kind == kind).filter_map(|id| {
        let value = state.value(&id)?;
        let pods = owned::pods_of(state, owned::uid(&value));
        Some(Set { id, value, pods })
    });
    sets.collect()
}

/// Makes sure that the template has its ReplicaSet, an old one if it had one before; says what was done.
fn choose_set(
    state: &mut State,
    id: &ObjectId,
    deployment: &Value,
    now: Timestamp,
) -> Option<&'static str> {
    let hash = owned::template_hash(&deployment["spec"]["template"]);
    let sets = sets_of(state, deployment);
    let newest = sets.iter().map(Set::revision).max().unwrap_or_default();
    let Some(known) = sets.iter().find(|set| set.hash() == hash) else {
        create_set(state, id, deployment, &hash, newest + 1, now);
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
    deployment: &Value,
    hash: &str,
    revision: i64,
    now: Timestamp,
) {
    let kind = state.built_in("replicasets.apps");
    let name = format!("{}-{hash}", owned::name(deployment));
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"]["pod-template-hash"] = json!(hash);
    let mut annotations = deployment["metadata"]["annotations"].clone();
    annotations[REVISION] = json!(revision.to_string());
    let mut spec = json!({"replicas": 0, "selector": selector, "template": template});
    if let least @ Value::Number(_) = &deployment["spec"]["minReadySeconds"] {
        spec["minReadySeconds"] = least.clone();
    }
    let object = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": id.namespace(), "labels": spec["template"]["metadata"]["labels"],
            "annotations": annotations, "ownerReferences": owned::owner_reference(deployment),
        },
        "spec": spec,
    });
    owned::create(state, &id.beside(kind, &name), object, now);
}

/// Deletes the oldest empty ReplicaSets beyond what is kept for undoing.
fn forget_old(state: &mut State, deployment: &Value, sets: &[Set], hash: &str, now: Timestamp) {
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

fn write_status(
    state: &mut State,
    id: &ObjectId,
    deployment: &Value,
    sets: &[Set],
    (hash, chosen): (&str, Option<&str>),
    now: Timestamp,
) {
    let counts = Counts::of(deployment, sets, hash, now);
    let new = sets.iter().find(|set| set.hash() == hash);
    let mut status = deployment["status"].clone();
    let before = status.clone();
    counts.write(&mut status);
    status["observedGeneration"] = deployment["metadata"]["generation"].clone();
    set_available(&mut status, &counts, now);
    let name = new
        .map(|set| owned::name(&set.value).to_owned())
        .unwrap_or_default();
    let due = set_progressing(
        &mut status,
        &before,
        deployment,
        &counts,
        (&name, chosen),
        now,
    );
    let revision = new.map(|set| set.revision().to_string());
    let change = |object: &mut Value| {
        object["status"] = status;
        if let Some(revision) = revision {
            object["metadata"]["annotations"][REVISION] = json!(revision);
        }
    };
    owned::update(state, id, Some("status"), change, now);
    if let Some(due) = due {
        state.at(due, What::Sync, id);
    }
    let least = owned::min_ready(deployment);
    let pods: Vec<Pod> = sets
        .iter()
        .flat_map(|set| set.pods.iter().cloned())
        .collect();
    owned::look_when_available(state, id, &pods, least, now);
    if chosen == Some("NewReplicaSetCreated")
        && let Some(new) = new
    {
        let event = Event {
            is_warning: false,
            reason: "ScalingReplicaSet",
            message: format!("Scaled up replica set {name} from 0 to {}", new.wanted()),
            component: "deployment-controller",
        };
        events::tell(state, deployment, &event, now);
    }
}

/// What a Deployment's status counts.
struct Counts {
    wanted: i64,
    replicas: i64,
    updated: i64,
    ready: i64,
    available: i64,
    unavailable: i64,
    terminating: i64,
    least_available: i64,
}

impl Counts {
    fn of(deployment: &Value, sets: &[Set], hash: &str, now: Timestamp) -> Self {
        let least = owned::min_ready(deployment);
        let pods = || sets.iter().flat_map(|set| &set.pods);
        let available = sets.iter().map(|set| set.available(least, now)).sum();
        let wanted_by_sets: i64 = sets.iter().map(Set::wanted).sum();
        let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        Self {
            wanted,
            replicas: sets.iter().map(Set::active).sum(),
            updated: sets
                .iter()
                .filter(|set| set.hash() == hash)
                .map(Set::active)
                .sum(),
            ready: owned::count(pods().filter(|pod| pod.is_active() && pod.is_ready())),
            available,
            unavailable: (wanted_by_sets - available).max(0),
            terminating: owned::count(pods().filter(|pod| pod.head().deleting)),
            least_available: wanted - rolling::Bounds::of(deployment).unavailable,
        }
    }

    fn write(&self, status: &mut Value) {
        let counts = [
            ("replicas", self.replicas),
            ("updatedReplicas", self.updated),
            ("readyReplicas", self.ready),
            ("availableReplicas", self.available),
            ("unavailableReplicas", self.unavailable),
            ("terminatingReplicas", self.terminating),
        ];
        owned::set_counts(status, &counts, &["terminatingReplicas"]);
    }

    fn is_complete(&self) -> bool {
        [self.updated, self.replicas, self.available] == [self.wanted; 3]
    }

    fn is_further_than(&self, before: &Value) -> bool {
        let count = |key: &str| before[key].as_i64().unwrap_or_default();
        let old = count("replicas") - count("updatedReplicas");
        count("updatedReplicas") < self.updated
            || self.replicas - self.updated < old
            || count("readyReplicas") < self.ready
            || count("availableReplicas") < self.available
    }
}

fn set_available(status: &mut Value, counts: &Counts, now: Timestamp) {
    let holds = counts.least_available <= counts.available;
    let condition = if holds {
        Condition {
            kind: "Available",
            holds,
            reason: "MinimumReplicasAvailable",
            message: "Deployment has minimum availability.".to_owned(),
        }
    } else {
        Condition {
            kind: "Available",
            holds,
            reason: "MinimumReplicasUnavailable",
            message: "Deployment does not have minimum availability.".to_owned(),
        }
    };
    set_with_update(status, &condition, false, now);
}

/// Sets `Progressing`; returns when its deadline passes, if it has one that still runs.
fn set_progressing(
    status: &mut Value,
    before: &Value,
    deployment: &Value,
    counts: &Counts,
    (set, chosen): (&str, Option<&str>),
    now: Timestamp,
) -> Option<Timestamp> {
    const DONE: &str = "NewReplicaSetAvailable";
    const LATE: &str = "ProgressDeadlineExceeded";
    let deadline = deployment["spec"]["progressDeadlineSeconds"]
        .as_i64()
        .unwrap_or(600);
    let deadline = SignedDuration::from_secs(deadline);
    let last = conditions::find(before, "Progressing");
    let reason = last
        .and_then(|last| last["reason"].as_str())
        .unwrap_or_default()
        .to_owned();
    let since = last.and_then(|last| owned::read_time(&last["lastUpdateTime"]));
    let is_late = since.is_some_and(|since| deadline <= now.duration_since(since));
    let is_settled = [DONE, LATE].contains(&reason.as_str()) && chosen.is_none();
    let (reason, holds, said, is_touched) = if let Some(chosen) = chosen {
        let verb = if chosen == "NewReplicaSetCreated" {
            "Created new"
        } else {
            "Found new"
        };
        (chosen, true, format!("{verb} replica set \"{set}\""), true)
    } else if counts.is_complete() {
        (
            DONE,
            true,
            format!("ReplicaSet \"{set}\" has successfully progressed."),
            false,
        )
    } else if counts.is_further_than(before) && reason != DONE {
        (
            "ReplicaSetUpdated",
            true,
            format!("ReplicaSet \"{set}\" is progressing."),
            true,
        )
    } else if reason == DONE {
        return None;
    } else if is_late {
        (
            LATE,
            false,
            format!("ReplicaSet \"{set}\" has timed out progressing."),
            false,
        )
    } else {
        let due = since.unwrap_or(now);
        return (!is_settled).then(|| later(due, Duration::try_from(deadline).unwrap_or_default()));
    };
    let condition = Condition {
        kind: "Progressing",
        holds,
        reason,
        message: said,
    };
    set_with_update(status, &condition, is_touched, now);
    (reason != DONE && reason != LATE)
        .then(|| later(now, Duration::try_from(deadline).unwrap_or_default()))
}

/// Conditions of a Deployment also say when they were last updated.
fn set_with_update(status: &mut Value, condition: &Condition, is_touched: bool, now: Timestamp) {
    let before =
        conditions::find(status, condition.kind).map(|before| before["lastUpdateTime"].clone());
    let is_new = conditions::set(status, condition, now);
    let mut after = conditions::find(status, condition.kind)
        .cloned()
        .unwrap_or_default();
    after["lastUpdateTime"] = match before {
        Some(before) if !is_new && !is_touched => before,
        _ => written(now),
    };
    conditions::put(status, after);
}
