//! Events: what controllers and kubelets tell of objects.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::owned;
use crate::sim::object::ObjectId;
use crate::sim::random;
use crate::sim::state::{State, later, written};
use crate::sim::timers::What;
use crate::sim::view::View;

/// One thing to tell.
pub struct Event<'a> {
    pub is_warning: bool,
    pub reason: &'a str,
    pub message: String,
    /// Who tells it: `kubelet`, `replicaset-controller`.
    pub component: &'a str,
}

/// The API server forgets events after this long.
const KEPT: Duration = Duration::from_hours(1);

/// Tells of an object; the same thing again only counts up.
pub fn tell(state: &mut State, about: &View, event: &Event, now: Timestamp) {
    let namespace = about["metadata"]["namespace"].as_str().unwrap_or("default");
    let number = random::number(0, &[owned::uid(about), event.reason, &event.message]);
    let name = format!("{}.{number:016x}", owned::name(about));
    let id = ObjectId::new(state.built_in("events"), Some(namespace), &name);
    state.at(later(now, KEPT), What::Expire, &id);
    if let Some(mut known) = state.value(&id) {
        known["count"] = json!(known["count"].as_i64().unwrap_or(1) + 1);
        known["lastTimestamp"] = written(now);
        state.commit(&id, &mut known, now);
        return;
    }
    let involved = json!({
        "apiVersion": about["apiVersion"], "kind": about["kind"], "name": about["metadata"]["name"],
        "namespace": namespace, "uid": about["metadata"]["uid"], "resourceVersion": about["metadata"]["resourceVersion"],
    });
    let object = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": namespace},
        "involvedObject": involved, "reason": event.reason, "message": event.message,
        "type": if event.is_warning { "Warning" } else { "Normal" }, "count": 1, "eventTime": null,
        "firstTimestamp": written(now), "lastTimestamp": written(now),
        "source": {"component": event.component}, "reportingComponent": event.component, "reportingInstance": "",
    });
    // Without owners of fields: nobody edits events, and there are many.
    if let Ok(mut object) = state.completed(&id, object, now) {
        state.commit(&id, &mut object, now);
    }
}
