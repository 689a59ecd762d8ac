//! The other controllers of pods: ReplicaSet, StatefulSet, DaemonSet.

use crate::health::judge::said;
use crate::health::reading::{Condition, Reading};
use crate::health::tolerance::Moment;
use crate::health::verdict::Finding;
use crate::health::words::counted;

pub(super) fn replica_set(reading: Reading, moment: &Moment) -> Finding {
    if is_unobserved(reading) {
        return unobserved();
    }
    let wanted = reading.wanted_replicas();
    let failure = reading
        .condition("ReplicaFailure")
        .filter(|it| it.is_true());
    failure
        .map(|failure| refused(failure, lacks_pods(reading), moment))
        .or_else(|| {
            first_shortfall(&[
                (
                    "LessLabelled",
                    reading.count("fullyLabeledReplicas"),
                    wanted,
                    "created",
                ),
                (
                    "LessAvailable",
                    reading.count("availableReplicas"),
                    wanted,
                    "available",
                ),
                ("LessReady", reading.count("readyReplicas"), wanted, "ready"),
            ])
        })
        .or_else(|| extra_pods(reading))
        .unwrap_or_else(|| {
            Finding::healthy(
                "Available",
                format!("{} available", counted(wanted, "replica")),
            )
        })
}

/// The API server refuses the pods: quota, webhook. It may stop to, so it is given some time;
/// and if no pod is missing, nothing is held against anybody.
pub(in crate::health) fn refused(failure: Condition, is_short: bool, moment: &Moment) -> Finding {
    let why = said(failure, "the API server refuses them");
    let message = format!("its pods cannot be made: {why}");
    let is_over = moment.lasting(failure.changed_at()) >= moment.tolerance.refused;
    if is_short && is_over {
        Finding::failed("ReplicaFailure", message)
    } else {
        Finding::progressing("ReplicaFailure", message)
    }
}

/// Whether fewer pods exist than are wanted.
pub(in crate::health) fn lacks_pods(reading: Reading) -> bool {
    reading.count("replicas") < reading.wanted_replicas()
}

pub(super) fn stateful_set(reading: Reading) -> Finding {
    if is_unobserved(reading) {
        return unobserved();
    }
    let wanted = reading.wanted_replicas();
    first_shortfall(&[
        ("LessReplicas", reading.count("replicas"), wanted, "created"),
        ("LessReady", reading.count("readyReplicas"), wanted, "ready"),
    ])
    .or_else(|| {
        // Clusters before 1.22 do not count it.
        let available = reading.integer("/status/availableReplicas")?;
        first_shortfall(&[("LessAvailable", available, wanted, "available")])
    })
    .or_else(|| extra_pods(reading))
    .or_else(|| stateful_set_update(reading, wanted))
    .unwrap_or_else(|| stateful_set_healthy(reading, wanted))
}

/// How far an update of a StatefulSet is. `OnDelete` waits for people, so nobody waits for it.
fn stateful_set_update(reading: Reading, wanted: i64) -> Option<Finding> {
    if is_on_delete(reading) {
        return None;
    }
    if let Some(partition) = reading.integer("/spec/updateStrategy/rollingUpdate/partition") {
        let updated = reading.count("updatedReplicas");
        let short = first_shortfall(&[(
            "LessUpdated",
            updated,
            wanted.saturating_sub(partition),
            "updated",
        )]);
        if short.is_some() || partition > 0 {
            return short;
        }
    } else {
        let current = reading.count("currentReplicas");
        let short = first_shortfall(&[("LessCurrent", current, wanted, "of one revision")]);
        if short.is_some() {
            return short;
        }
    }
    let revision = |name: &str| reading.text(&format!("/status/{name}"));
    (revision("currentRevision") != revision("updateRevision")).then(|| {
        Finding::progressing(
            "UpdateNotComplete",
            "its update is not recorded as complete yet",
        )
    })
}

fn stateful_set_healthy(reading: Reading, wanted: i64) -> Finding {
    let ready = format!("{} ready", counted(wanted, "replica"));
    let is_behind =
        reading.text("/status/currentRevision") != reading.text("/status/updateRevision");
    let partition = reading.integer("/spec/updateStrategy/rollingUpdate/partition");
    match partition {
        _ if is_on_delete(reading) && is_behind => Finding::healthy(
            "OnDelete",
            format!("{ready}; pods get the new revision when somebody deletes them (OnDelete)"),
        ),
        Some(partition) if partition > 0 => Finding::healthy(
            "PartitionUpdated",
            format!("{ready}; those below ordinal {partition} keep the old revision (partition)"),
        ),
        _ => Finding::healthy("Ready", ready),
    }
}

pub(super) fn daemon_set(reading: Reading) -> Finding {
    let desired = reading.integer("/status/desiredNumberScheduled");
    let Some(desired) = desired.filter(|_| !is_unobserved(reading)) else {
        return unobserved();
    };
    let updated = if is_on_delete(reading) {
        desired
    } else {
        reading.count("updatedNumberScheduled")
    };
    first_shortfall(&[
        (
            "LessScheduled",
            reading.count("currentNumberScheduled"),
            desired,
            "created",
        ),
        ("LessUpdated", updated, desired, "updated"),
        (
            "LessAvailable",
            reading.count("numberAvailable"),
            desired,
            "available",
        ),
        ("LessReady", reading.count("numberReady"), desired, "ready"),
    ])
    .unwrap_or_else(|| Finding::healthy("Ready", format!("ready on {}", counted(desired, "node"))))
}

/// The first counter that falls short: `(reason, count, wanted, what the counted ones are)`.
pub(super) fn first_shortfall(counters: &[(&str, i64, i64, &str)]) -> Option<Finding> {
    let mut short = counters
        .iter()
        .filter(|(_, count, wanted, _)| count < wanted);
    short.next().map(|(reason, count, wanted, what)| {
        Finding::progressing(
            reason,
            format!("{count} of {} {what}", counted(*wanted, "replica")),
        )
    })
}

fn extra_pods(reading: Reading) -> Option<Finding> {
    let extra = reading
        .count("replicas")
        .saturating_sub(reading.wanted_replicas());
    (extra > 0)
        .then(|| Finding::progressing("ExtraPods", format!("{} too many", counted(extra, "pod"))))
}

/// These controllers always say which generation they saw; no word of it means not yet.
pub(super) fn is_unobserved(reading: Reading) -> bool {
    reading.live.generation().is_some() && reading.integer("/status/observedGeneration").is_none()
}

pub(super) fn unobserved() -> Finding {
    Finding::progressing("NotObserved", "its controller has not looked at it yet")
}

fn is_on_delete(reading: Reading) -> bool {
    reading.text("/spec/updateStrategy/type") == "OnDelete"
}
