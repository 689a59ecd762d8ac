//! `apps/v1` Deployment.

use jiff::SignedDuration;

use crate::health::kinds::controllers::{first_shortfall, is_unobserved, unobserved};
use crate::health::reading::{Condition, Reading};
use crate::health::tolerance::Moment;
use crate::health::verdict::Finding;
use crate::health::words::counted;

/// The reason of a paused Deployment that does not run the template that is wanted.
pub const PAUSED_BEHIND: &str = "PausedBehind";

/// `progressDeadlineSeconds` that stands for "none" (`math.MaxInt32`).
const NO_DEADLINE: i64 = i32::MAX as i64;

pub(super) fn rule(reading: Reading, moment: &Moment) -> Finding {
    if is_unobserved(reading) {
        return unobserved();
    }
    if reading.is_true("/spec/paused") {
        return paused(reading);
    }
    let progressing = reading.condition("Progressing");
    if let Some(exceeded) = progressing.filter(|it| is_deadline_exceeded(reading, *it, moment)) {
        return Finding::failed(
            "ProgressDeadlineExceeded",
            deadline_message(reading, exceeded),
        );
    }
    shortfall(reading)
        .or_else(|| not_complete(reading, progressing))
        .or_else(|| not_available(reading))
        .unwrap_or_else(|| {
            let wanted = counted(reading.wanted_replicas(), "replica");
            Finding::healthy("Available", format!("{wanted} updated and available"))
        })
}

/// A paused Deployment rolls nothing out: whether the wanted template runs is told apart.
fn paused(reading: Reading) -> Finding {
    match shortfall(reading) {
        None => Finding::suspended("Paused", "is paused; its present template runs"),
        Some(behind) => Finding::suspended(
            PAUSED_BEHIND,
            format!("is paused and rolls nothing out: {}", behind.message),
        ),
    }
}

/// The verdict of an earlier rollout stays in the condition until the controller has looked
/// (kubernetes#49637): believed only if said after our write, or when the deadline has passed
/// since.
fn is_deadline_exceeded(reading: Reading, progressing: Condition, moment: &Moment) -> bool {
    if progressing.reason() != "ProgressDeadlineExceeded" {
        return false;
    }
    let is_fresh = progressing
        .said_at()
        .is_none_or(|said_at| !moment.is_before_write(said_at));
    let deadline = reading.integer("/spec/progressDeadlineSeconds");
    let deadline = SignedDuration::from_secs(deadline.unwrap_or(600));
    is_fresh || moment.lasting(None) >= deadline
}

fn deadline_message(reading: Reading, exceeded: Condition) -> String {
    let deadline = reading.integer("/spec/progressDeadlineSeconds");
    let seconds = deadline.map_or(String::new(), |seconds| format!(" of {seconds} s"));
    let state = match shortfall(reading) {
        Some(shortfall) => shortfall.message,
        None => exceeded.message().to_owned(),
    };
    format!("made no progress within its deadline{seconds}: {state}")
}

fn shortfall(reading: Reading) -> Option<Finding> {
    let wanted = reading.wanted_replicas();
    let (present, updated) = (reading.count("replicas"), reading.count("updatedReplicas"));
    first_shortfall(&[
        ("LessReplicas", present, wanted, "created"),
        ("LessUpdated", updated, wanted, "updated"),
    ])
    .or_else(|| {
        (present > wanted).then(|| {
            let old = counted(present.saturating_sub(wanted), "old pod");
            Finding::progressing("ExtraPods", format!("{old} still to end"))
        })
    })
    .or_else(|| {
        first_shortfall(&[
            (
                "LessAvailable",
                reading.count("availableReplicas"),
                updated.max(wanted),
                "available",
            ),
            ("LessReady", reading.count("readyReplicas"), wanted, "ready"),
        ])
    })
}

fn not_complete(reading: Reading, progressing: Option<Condition>) -> Option<Finding> {
    let deadline = reading.integer("/spec/progressDeadlineSeconds");
    // Without a deadline the controller writes no such condition.
    if deadline.is_none_or(|deadline| deadline == NO_DEADLINE) && progressing.is_none() {
        return None;
    }
    let is_complete =
        progressing.is_some_and(|it| it.is_true() && it.reason() == "NewReplicaSetAvailable");
    (!is_complete && deadline.is_some_and(|deadline| deadline != NO_DEADLINE)).then(|| {
        Finding::progressing(
            "ReplicaSetNotAvailable",
            "the new ReplicaSet is not complete yet",
        )
    })
}

fn not_available(reading: Reading) -> Option<Finding> {
    let available = reading.condition("Available");
    (!available.is_some_and(Condition::is_true))
        .then(|| Finding::progressing("NotAvailable", "has not its minimum of available pods"))
}
