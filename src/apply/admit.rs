//! What is refused before anything of a tenant is written: checked again for every bundle, also
//! for one that was read back from a cluster.

use serde_json::Value;

use crate::error::UserError;
use crate::manifest::{Bundle, Hook, Manifest};

use super::owner::Owner;

/// How a reference to a secret value is spelt in rendered manifests.
const SECRET_TOKEN: &str = "escale-secret:";
/// Kinds that others write and nobody applies (krane#908).
const NEVER_APPLIED: [&str; 6] = [
    "Event",
    "Endpoints",
    "EndpointSlice",
    "ControllerRevision",
    "PodMetrics",
    "NodeMetrics",
];

/// Checks the namespace fence, and that every value is there.
pub(super) fn admit(bundle: &Bundle, owner: &Owner) -> Result<(), UserError> {
    for manifest in bundle.manifests() {
        let refuse = |problem: String| {
            UserError::new(format!(
                "tenant `{}`: `{}` is not applied: {problem}",
                owner.tenant,
                manifest.object()
            ))
        };
        stay_inside(manifest, owner).map_err(refuse)?;
        if let Some(Err(mistake)) = Hook::of(manifest) {
            return Err(refuse(mistake));
        }
        if has_token(manifest.value()) {
            return Err(refuse(
                "it takes a secret value by reference, and values cannot be read yet".to_owned(),
            )
            .hint("make the Secret by hand on the cluster and name it in the workload"));
        }
    }
    Ok(())
}

fn stay_inside(manifest: &Manifest, owner: &Owner) -> Result<(), String> {
    let object = manifest.object();
    if NEVER_APPLIED.contains(&object.kind.as_str()) {
        return Err(format!("a `{}` is made by the cluster itself", object.kind));
    }
    match &object.namespace {
        Some(namespace) if *namespace == owner.namespace => Ok(()),
        Some(namespace) => Err(format!(
            "it is in namespace `{namespace}`, outside the tenant's `{}`",
            owner.namespace
        )),
        None if is_own_namespace(manifest, owner) => Ok(()),
        None => Err(format!(
            "it is in no namespace; only the tenant's own Namespace `{}` may be",
            owner.namespace
        )),
    }
}

fn is_own_namespace(manifest: &Manifest, owner: &Owner) -> bool {
    let object = manifest.object();
    object.kind == "Namespace" && object.group().is_empty() && object.name == owner.namespace
}

fn has_token(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(SECRET_TOKEN),
        Value::Array(items) => items.iter().any(has_token),
        Value::Object(map) => map.values().any(has_token),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
