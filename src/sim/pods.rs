//! The kubelet: what becomes of a pod over time, as its behaviour has it.

mod course;
mod schedule;
mod status;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::behaviour::Conduct;
use super::controllers::{Event, tell};
use super::object::ObjectId;
use super::state::{State, later};
use super::timers::What;
use super::view::View;

use course::Course;

pub use schedule::{Nodes, nodes};

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
    let Some(pod) = state.view(id) else {
        return;
    };
    if stored.head.deleting {
        return end(state, id, &pod, now);
    }
    if is_over(&pod) {
        return;
    }
    let conduct = Conduct::of(&pod, &state.rules, state.seed);
    if !is_bound(&pod)
        && let Err(why) = schedule::bind(state, id, &pod, &conduct, now)
    {
        write(state, id, &pod, status::unschedulable(&pod, why, now), now);
        return state.at(later(now, AGAIN), What::Advance, id);
    }
    let bound = later(stored.head.created, BINDING);
    let elapsed = Duration::try_from(now.duration_since(bound)).unwrap_or_default();
    let course = Course::of(&pod, conduct.behaviour, elapsed);
    let status = status::of(&pod, (&course, &conduct), state.seed, now);
    write(state, id, &pod, status, now);
    complain(state, &pod, (&course, &conduct), now);
    if let Some(next) = course.next {
        // At least a moment later, lest rounding makes it stand still.
        let due = later(bound, next).max(later(now, Duration::from_millis(1)));
        state.at(due, What::Advance, id);
    }
}

fn is_bound(pod: &View) -> bool {
    !pod["spec"]["nodeName"].is_null()
}

fn is_over(pod: &View) -> bool {
    pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed"
}

/// A pod that was told to go is gone a little later.
fn end(state: &mut State, id: &ObjectId, pod: &View, now: Timestamp) {
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

fn write(state: &mut State, id: &ObjectId, pod: &View, status: Value, now: Timestamp) {
    if pod["status"] == status {
        return;
    }
    let Some(live) = state.small(id) else { return };
    let mut object = live.clone();
    object["status"] = status;
    state.commit_status(id, &live, object, "kubelet", now);
}

/// Tells what goes wrong, as the kubelet does.
fn complain(state: &mut State, pod: &View, (course, conduct): (&Course, &Conduct), now: Timestamp) {
    if let Some((reason, message)) = course.complaint(pod, conduct) {
        let event = Event {
            is_warning: true,
            reason,
            message,
            component: "kubelet",
        };
        tell(state, pod, &event, now);
    }
}
