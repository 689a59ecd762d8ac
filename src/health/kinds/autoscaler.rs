//! HorizontalPodAutoscaler.

use serde_json::Value;

use crate::health::judge::said;
use crate::health::reading::{Condition, Reading};
use crate::health::tolerance::Moment;
use crate::health::verdict::Finding;

/// Where `autoscaling/v1` keeps its conditions, as a JSON text.
const V1_CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

pub(super) fn rule(reading: Reading, moment: &Moment) -> Finding {
    let in_annotation: Vec<Value> = reading
        .live
        .annotation(V1_CONDITIONS)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let conditions = match reading.items("/status/conditions") {
        [] => in_annotation.as_slice(),
        conditions => conditions,
    };
    let named = |kind| Condition::named(conditions, kind);
    match (named("AbleToScale"), named("ScalingActive")) {
        (None, _) => Finding::progressing("NotObserved", "its controller has not looked at it yet"),
        (Some(able), _) if able.is_false() => unable(able, moment),
        (Some(_), Some(active)) if active.is_false() => inactive(active),
        (Some(_), _) => Finding::healthy("AbleToScale", "can scale its target"),
    }
}

/// Its target may be written a moment after it.
fn unable(able: Condition, moment: &Moment) -> Finding {
    let message = said(able, "cannot scale its target");
    let is_mistake = matches!(able.reason(), "FailedGetScale" | "FailedUpdateScale");
    if is_mistake && moment.lasting(able.changed_at()) >= moment.tolerance.grace {
        Finding::failed(able.reason(), message)
    } else {
        Finding::progressing("UnableToScale", message)
    }
}

/// Metrics lag behind new pods, and come from elsewhere: their absence is told, not held
/// against what was written.
fn inactive(active: Condition) -> Finding {
    let message = said(active, "does not scale");
    match active.reason() {
        "ScalingDisabled" => Finding::healthy("ScalingDisabled", message),
        reason if reason.starts_with("FailedGet") => Finding::healthy(
            reason,
            format!("keeps its replicas, for want of metrics: {message}"),
        ),
        "" => Finding::failed("ScalingInactive", message),
        reason => Finding::failed(reason, message),
    }
}
