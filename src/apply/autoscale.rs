//! Replicas that an autoscaler owns: never sent, and handed over before we stop sending them.
//!
//! A field that we own and no longer send is removed by the server, and `replicas` then falls back
//! to 1: the classic outage. So another manager of ours takes the value that stands there first.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::manifest::{Bundle, Live, ObjectRef};

/// Workloads, as (kind, name), whose replicas an autoscaler of the bundle sets.
pub(super) fn autoscaled(bundle: &Bundle) -> BTreeSet<(String, String)> {
    bundle
        .manifests()
        .iter()
        .filter(|manifest| is_autoscaler(manifest.object()))
        .filter_map(|manifest| {
            let target = manifest.value().pointer("/spec/scaleTargetRef")?;
            // KEDA's ScaledObject may leave the kind out.
            let kind = target["kind"].as_str().unwrap_or("Deployment");
            Some((kind.to_owned(), target["name"].as_str()?.to_owned()))
        })
        .collect()
}

fn is_autoscaler(object: &ObjectRef) -> bool {
    matches!(
        (object.group(), object.kind.as_str()),
        ("autoscaling", "HorizontalPodAutoscaler") | ("keda.sh", "ScaledObject")
    )
}

/// Takes the replicas out of a manifest.
pub(super) fn without_replicas(manifest: &mut Value) {
    if let Some(spec) = manifest.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("replicas");
    }
}

/// What another manager has to apply first, if the replicas are ours now.
pub(super) fn hand_over(live: &Live) -> Option<Value> {
    live.own_entry()?.pointer("/fieldsV1/f:spec/f:replicas")?;
    let replicas = live.value().pointer("/spec/replicas")?;
    let object = live.object();
    Some(json!({
        "apiVersion": object.api_version,
        "kind": object.kind,
        "metadata": {"name": object.name, "namespace": object.namespace},
        "spec": {"replicas": replicas},
    }))
}
