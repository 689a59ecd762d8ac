//! What stands on a cluster, as a manifest: what adoption takes over, and what it takes from whom.

use serde_json::{Value, json};

use crate::fields::{FieldSet, compare, extract, field_set, schema};
use crate::manifest::{Bundle, Live, MANAGER, Manifest, is_secret, without_marks};

use super::autoscale::autoscaled;
use super::settle::is_taken_from;

/// What `kubectl apply` remembers of its own.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// A restart that somebody asked for stays what it was: a restart.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Labels and annotations by which tools know their own objects again; no manifest means them.
const OF_TOOLS: [&str; 5] = [
    LAST_APPLIED,
    RESTARTED_AT,
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "helm.sh/chart",
];
/// A label that a chart may well mean; what Helm writes there is Helm's.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The manifest of what is there: with every field that the wanted one has, and all that its maker said. The wanted one
/// itself if there is no difference. Of Secrets nothing is read.
pub fn as_found(
    bundle: &Bundle,
    manifest: &Manifest,
    live: &Live,
    said: Option<&Value>,
) -> Manifest {
    if is_secret(manifest.value()) {
        return manifest.clone();
    }
    let type_ref = schema().type_of_object(manifest.value());
    let mut set = field_set(manifest.value(), type_ref).union(&applied(live));
    for said in [last_applied(live).as_ref(), said].into_iter().flatten() {
        set = set.union(&field_set(said, type_ref));
    }
    let mut found = extract(type_ref, live.value(), &set);
    clean(&mut found, manifest);
    let scaled = (
        manifest.object().kind.clone(),
        manifest.object().name.clone(),
    );
    if autoscaled(bundle).contains(&scaled) {
        found["spec"]["replicas"] = manifest.value()["spec"]["replicas"].clone();
    }
    if compare(type_ref, &found, manifest.value()).is_empty() {
        return manifest.clone();
    }
    Manifest::from_value(found).unwrap_or_else(|_| manifest.clone())
}

/// What was applied server-side by those from whom objects are taken over, and by us.
fn applied(live: &Live) -> FieldSet {
    let entries = live.managed_fields().iter();
    let applied = entries.filter(|entry| {
        let manager = entry["manager"].as_str().unwrap_or_default();
        let is_theirs = manager == MANAGER || is_taken_from(manager);
        entry["operation"] == "Apply" && entry.get("subresource").is_none() && is_theirs
    });
    applied.fold(FieldSet::default(), |all, entry| {
        all.union(&FieldSet::from_fields_v1(&entry["fieldsV1"]))
    })
}

fn last_applied(live: &Live) -> Option<Value> {
    serde_json::from_str(live.annotation(LAST_APPLIED)?).ok()
}

/// Takes out what no manifest says, and puts in what every one does.
fn clean(found: &mut Value, manifest: &Manifest) {
    let wanted = manifest.value();
    for key in ["apiVersion", "kind"] {
        found[key] = wanted[key].clone();
    }
    if let Some(all) = found.as_object_mut() {
        all.remove("status");
    }
    *found = without_marks(found).into_owned();
    for pointer in ["/metadata", "/spec/template/metadata"] {
        without_tools(found, wanted, pointer);
    }
    let metadata = &mut found["metadata"];
    for key in ["name", "namespace"] {
        if let Some(value) = wanted["metadata"].get(key) {
            metadata[key] = value.clone();
        }
    }
    if let Some(metadata) = metadata.as_object_mut() {
        metadata.retain(|key, _| {
            matches!(
                key.as_str(),
                "name" | "namespace" | "labels" | "annotations" | "finalizers" | "ownerReferences"
            )
        });
    }
}

fn without_tools(found: &mut Value, wanted: &Value, pointer: &str) {
    for map in ["labels", "annotations"] {
        let wanted = wanted.pointer(&format!("{pointer}/{map}"));
        let is_wanted = |key: &str| wanted.is_some_and(|wanted| wanted.get(key).is_some());
        let Some(metadata) = found.pointer_mut(pointer).and_then(Value::as_object_mut) else {
            return;
        };
        let Some(entries) = metadata.get_mut(map).and_then(Value::as_object_mut) else {
            continue;
        };
        let is_template = pointer != "/metadata";
        entries.retain(|key, value| {
            let is_of_tool = match key.as_str() {
                // A label of a pod is not taken off without a restart: that is shown.
                "helm.sh/chart" | MANAGED_BY if is_template => false,
                MANAGED_BY => value == "Helm",
                key => OF_TOOLS.contains(&key),
            };
            !is_of_tool || is_wanted(key)
        });
        if entries.is_empty() && wanted.is_none() {
            metadata.remove(map);
        }
    }
}

/// The owners of an object once what we own is ours alone, as far as we take it from others. `None` if it is already.
pub fn disowned(live: &Live) -> Option<Value> {
    let own = FieldSet::from_fields_v1(&live.own_entry()?["fieldsV1"]);
    let entries = live.managed_fields();
    let kept: Vec<Value> = entries
        .iter()
        .filter_map(|entry| {
            let manager = entry["manager"].as_str().unwrap_or_default();
            if entry.get("subresource").is_some() || !is_taken_from(manager) {
                return Some(entry.clone());
            }
            let rest = FieldSet::from_fields_v1(&entry["fieldsV1"]).difference(&own);
            let mut entry = entry.clone();
            entry["fieldsV1"] = rest.to_fields_v1();
            (!rest.is_empty()).then_some(entry)
        })
        .collect();
    (kept != entries).then_some(Value::Array(kept))
}

/// What takes the marks of Helm off an object, as a merge patch; `None` if it has none, or they are wanted.
pub fn without_helm(live: &Live) -> Option<Value> {
    let own = live.own_entry()?;
    let is_own = |map: &str, key: &str| {
        let owned = &own["fieldsV1"]["f:metadata"][format!("f:{map}")];
        owned.get(format!("f:{key}")).is_some()
    };
    let mut patch = json!({});
    for key in OF_TOOLS
        .iter()
        .filter(|key| key.starts_with("meta.helm.sh/"))
    {
        if live.annotation(key).is_some() && !is_own("annotations", key) {
            patch["metadata"]["annotations"][key] = Value::Null;
        }
    }
    if live.label(MANAGED_BY) == Some("Helm") && !is_own("labels", MANAGED_BY) {
        patch["metadata"]["labels"][MANAGED_BY] = Value::Null;
    }
    if live.label("helm.sh/chart").is_some() && !is_own("labels", "helm.sh/chart") {
        patch["metadata"]["labels"]["helm.sh/chart"] = Value::Null;
    }
    (patch != json!({})).then_some(patch)
}

/// The Helm release that an object says to belong to.
pub fn helm_release(live: &Live) -> Option<&str> {
    live.annotation("meta.helm.sh/release-name")
}
