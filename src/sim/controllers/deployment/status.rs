//! The status of a Deployment, as its controller writes it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{REVISION, Set};
use crate::sim::controllers::conditions::{self, Condition};
use crate::sim::controllers::events::{self, Event};
use crate::sim::controllers::owned::{self, Pod};
use crate::sim::controllers::rolling;
use crate::sim::object::ObjectId;
use crate::sim::state::{State, later, written};
use crate::sim::timers::What;
use crate::sim::view::View;

/// Writes counts, conditions and the revision; looks again when a deadline passes.
pub fn write(
    state: &mut State,
    id: &ObjectId,
    deployment: &View,
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
            object["metadata"]["annotations"][REVISION] = Value::from(revision);
        }
    };
    owned::update_status(state, id, change, now);
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
    fn of(deployment: &View, sets: &[Set], hash: &str, now: Timestamp) -> Self {
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
    deployment: &View,
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
