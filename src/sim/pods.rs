//! The kubelet: what becomes of a pod over time, as its behaviour has it.

mod course;
mod status;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::controllers::{Event, are_bound, tell};
use super::object::ObjectId;
use super::ownership;
use super::random;
use super::state::{State, later};
use super::timers::What;

use course::Course;

/// How long the scheduler takes.
pub const BINDING: Duration = Duration::from_millis(100);
/// How long until it looks again at a pod that fits nowhere.
const AGAIN: Duration = Duration::from_secs(1);
/// How long containers take to stop when they are told.
const STOPPING: Duration = Duration::from_millis(1500);

/// Brings a pod to where it should be now, and sets the time at which that changes.
pub fn advance(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(stored) = state.store.find(id).cloned() else {
        return;
    };
    let Some(pod) = state.value(id) else { return };
    if stored.head.deleting {
        return end(state, id, &pod, now);
    }
    if is_over(&pod) {
        return;
    }
    if !is_bound(&pod) && !bind(state, id, &pod, now) {
        return state.at(later(now, AGAIN), What::Advance, id);
    }
    let Some(pod) = state.value(id) else { return };
    let behaviour = Behaviour::of(&pod, &state.rules, state.seed);
    let bound = later(stored.head.created, BINDING);
    let elapsed = Duration::try_from(now.duration_since(bound)).unwrap_or_default();
    let course = Course::of(&pod, behaviour, elapsed);
    let status = status::of(&pod, &course, state.seed, now);
    write(state, id, &pod, status, now);
    complain(state, &pod, &course, now);
    if let Some(next) = course.next {
        // At least a moment later, lest rounding makes it stand still.
        let due = later(bound, next).max(later(now, Duration::from_millis(1)));
        state.at(due, What::Advance, id);
    }
}

fn is_bound(pod: &Value) -> bool {
    !pod["spec"]["nodeName"].is_null()
}

fn is_over(pod: &Value) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

/// Chooses a node; says whether one was found.
fn bind(state: &mut State, id: &ObjectId, pod: &Value, now: Timestamp) -> bool {
    let wanted = pod["spec"]["nodeSelector"].as_object();
    let kind = state.built_in("nodes");
    let fits = |labels: &[(Box<str>, Box<str>)]| {
        wanted.into_iter().flatten().all(|(key, value)| {
            labels
                .iter()
                .any(|(known, label)| **known == **key && value == &**label)
        })
    };
    let nodes: Vec<String> = state
        .store
        .list(kind, None)
        .filter(|(_, stored)| fits(&stored.head.labels))
        .map(|(id, _)| id.name().to_owned())
        .collect();
    let has_volumes = are_bound(state, id, pod);
    if nodes.is_empty() || !has_volumes {
        let why = if has_volumes {
            "0 nodes are available: no node matches Pod's node affinity/selector."
        } else {
            "0 nodes are available: pod has unbound immediate PersistentVolumeClaims."
        };
        let status = status::unschedulable(pod, why, now);
        write(state, id, pod, status, now);
        return false;
    }
    let number = random::number(state.seed, &["node", id.key()]);
    let count = u64::try_from(nodes.len()).unwrap_or(1);
    let index = usize::try_from(number % count).unwrap_or_default();
    let mut bound = pod.clone();
    bound["spec"]["nodeName"] = json!(nodes[index]);
    state.commit(id, &mut bound, now);
    true
}

/// A pod that was told to go is gone a little later.
fn end(state: &mut State, id: &ObjectId, pod: &Value, now: Timestamp) {
    let told: Option<Timestamp> = pod["metadata"]["deletionTimestamp"]
        .as_str()
        .and_then(|time| time.parse().ok());
    let grace = pod["metadata"]["deletionGracePeriodSeconds"]
        .as_u64()
        .unwrap_or_default();
    let grace = Duration::from_secs(grace);
    let told = told.map_or(now, |end| {
        end - jiff::SignedDuration::try_from(grace).unwrap_or_default()
    });
    let gone = later(told, STOPPING.min(grace));
    if now < gone {
        return state.at(gone, What::Advance, id);
    }
    state.remove(id, now);
}

fn write(state: &mut State, id: &ObjectId, pod: &Value, status: Value, now: Timestamp) {
    if pod["status"] == status {
        return;
    }
    let mut object = pod.clone();
    object["status"] = status;
    let mut object = ownership::updated(Some(pod), &object, "kubelet", Some("status"), now);
    state.commit(id, &mut object, now);
}

/// Tells what goes wrong, as the kubelet does.
fn complain(state: &mut State, pod: &Value, course: &Course, now: Timestamp) {
    if let Some((reason, message)) = course.complaint(pod) {
        let event = Event {
            is_warning: true,
            reason,
            message,
            component: "kubelet",
        };
        tell(state, pod, &event, now);
    }
}
