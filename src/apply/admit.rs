//! What is refused before anything of a tenant is written: checked again for every bundle, also
//! for one that was read back from a cluster.

use crate::error::UserError;
use crate::manifest::{Bundle, Hook, Manifest, misplaced_secret};

use super::owner::Owner;

/// Kinds that others write and nobody applies (krane#908).
const NEVER_APPLIED: [&str; 6] = [
    "Event",
    "Endpoints",
    "EndpointSlice",
    "ControllerRevision",
    "PodMetrics",
    "NodeMetrics",
];

/// Checks the namespace fence, and that no secret would go anywhere but into a Secret.
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
        if let Some(pointer) = misplaced_secret(manifest.value()) {
            return Err(refuse(format!(
                "it holds a secret reference at `{pointer}`, where only the data of a Secret may"
            )));
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
