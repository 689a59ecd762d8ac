//! Every kind without a rule of its own: the `Ready` condition, if there is one.

use crate::health::judge::{is_current, said};
use crate::health::reading::Reading;
use crate::health::tolerance::Moment;
use crate::health::verdict::Finding;
use crate::manifest::Live;

/// Annotation of a template's author: what more must be there before the object is healthy.
/// `address` (Service, Ingress), `ready` (any kind: its `Ready` condition must be there).
pub const WAIT_FOR: &str = "escale.dev/wait-for";

pub(super) fn waits_for(live: &Live, what: &str) -> bool {
    let asked = live.annotation(WAIT_FOR).unwrap_or_default();
    asked.split(',').any(|word| word.trim() == what)
}

pub(super) fn rule(reading: Reading, moment: &Moment) -> Finding {
    match reading.condition("Ready") {
        Some(ready) if !is_current(reading, ready) => Finding::progressing(
            "LatestGenerationNotObserved",
            "its `Ready` condition speaks of an older generation",
        ),
        Some(ready) if ready.is_true() => Finding::healthy("Ready", said(ready, "is ready")),
        Some(ready) => {
            let reason = Some(ready.reason()).filter(|reason| !reason.is_empty());
            Finding::progressing(reason.unwrap_or("NotReady"), said(ready, "is not ready"))
        }
        None => without_ready(reading, moment),
    }
}

fn without_ready(reading: Reading, moment: &Moment) -> Finding {
    let has_status = reading
        .at("/status")
        .is_some_and(|status| *status != serde_json::json!({}));
    if has_status && waits_for(reading.live, "ready") {
        return Finding::progressing("NotReady", "has no `Ready` condition yet");
    }
    if has_status || is_built_in(reading.live.object().group()) {
        return Finding::healthy("Exists", "is there");
    }
    // A custom resource that was just written has no status because nobody has looked yet.
    let is_new = moment.lasting(reading.created_at()) < moment.tolerance.grace;
    if is_new || waits_for(reading.live, "ready") {
        Finding::progressing("NoStatus", "no controller has written a status")
    } else {
        Finding::healthy("NoStatus", "is there; no controller has written a status")
    }
}

/// Groups that ship with Kubernetes: their kinds have a status from the start, or none ever.
pub(in crate::health) fn is_built_in(group: &str) -> bool {
    matches!(
        group,
        "" | "admissionregistration.k8s.io"
            | "apiextensions.k8s.io"
            | "apiregistration.k8s.io"
            | "apps"
            | "autoscaling"
            | "batch"
            | "certificates.k8s.io"
            | "coordination.k8s.io"
            | "discovery.k8s.io"
            | "events.k8s.io"
            | "extensions"
            | "flowcontrol.apiserver.k8s.io"
            | "networking.k8s.io"
            | "node.k8s.io"
            | "policy"
            | "rbac.authorization.k8s.io"
            | "resource.k8s.io"
            | "scheduling.k8s.io"
            | "storage.k8s.io"
    )
}
