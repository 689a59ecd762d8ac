//! One object judged by itself: what kstatus does, corrected.
//!
//! Source: `kubernetes-sigs/cli-utils` `pkg/kstatus/status`. The order of the steps is theirs.

use jiff::Timestamp;

use crate::health::kinds;
use crate::health::reading::{Condition, Reading};
use crate::health::tolerance::{Moment, Tolerance};
use crate::health::verdict::{Finding, ObjectHealth};
use crate::manifest::Live;

/// Judges an object by its own status, nothing known about what it owns.
pub fn judge(live: &Live, now: Timestamp) -> ObjectHealth {
    let moment = Moment {
        now,
        written_at: None,
        tolerance: Tolerance::default(),
    };
    rule(live, &moment).on(live.object())
}

/// The rule for the object's kind, after the questions that are asked of every kind.
pub(super) fn rule(live: &Live, moment: &Moment) -> Finding {
    let reading = Reading::of(live);
    not_judgeable(reading)
        .or_else(|| standard_conditions(reading))
        .unwrap_or_else(|| kinds::rule(reading, moment))
}

/// Why the status says nothing about what is wanted now, if it does not.
pub(super) fn not_judgeable(reading: Reading) -> Option<Finding> {
    if reading.live.is_terminating() {
        return Some(Finding::progressing("Terminating", terminating(reading)));
    }
    let generation = reading.live.generation()?;
    let observed = reading.integer("/status/observedGeneration")?;
    (observed != generation).then(|| {
        Finding::progressing(
            "LatestGenerationNotObserved",
            format!("its controller has seen generation {observed}, not yet {generation}"),
        )
    })
}

fn terminating(reading: Reading) -> String {
    let finalizers: Vec<&str> = reading
        .items("/metadata/finalizers")
        .iter()
        .filter_map(|finalizer| finalizer.as_str())
        .collect();
    if finalizers.is_empty() {
        "is being deleted".to_owned()
    } else {
        format!(
            "is being deleted; waits for its finalizers: {}",
            finalizers.join(", ")
        )
    }
}

/// The two conditions of kstatus's own convention.
fn standard_conditions(reading: Reading) -> Option<Finding> {
    let current = |kind| {
        reading
            .condition(kind)
            .filter(|it| is_current(reading, *it))
    };
    if let Some(reconciling) = current("Reconciling").filter(|it| it.is_true()) {
        let message = said(reconciling, "its controller is at work on it");
        return Some(Finding::progressing("Reconciling", message));
    }
    let stalled = current("Stalled").filter(|it| it.is_true())?;
    let reason = Some(stalled.reason()).filter(|reason| !reason.is_empty());
    let message = said(stalled, "its controller cannot go on");
    Some(Finding::failed(reason.unwrap_or("Stalled"), message))
}

/// Whether a condition speaks of the generation that is wanted now.
pub(super) fn is_current(reading: Reading, condition: Condition) -> bool {
    match (reading.live.generation(), condition.observed_generation()) {
        (Some(generation), Some(observed)) => observed >= generation,
        _ => true,
    }
}

/// A condition's message, or else our own words.
pub(super) fn said(condition: Condition, otherwise: &str) -> String {
    match (condition.message(), condition.reason()) {
        ("", "") => otherwise.to_owned(),
        ("", reason) => format!("{otherwise} ({reason})"),
        (message, _) => message.trim().to_owned(),
    }
}
