//! A tenant's objects stay in its namespace.

use crate::fleet::config::Policies;
use crate::fleet::{Finding, Tenant};
use crate::manifest::{Manifest, is_cluster_scoped};
use crate::policy::place;

pub fn check(policies: &Policies, tenant: &Tenant, manifest: &Manifest) -> Option<Finding> {
    let object = manifest.object();
    let fence = &tenant.namespace;
    if is_cluster_scoped(object) {
        let is_own =
            object.kind == "Namespace" && object.group().is_empty() && object.name == *fence;
        let is_allowed =
            object.kind != "Namespace" && policies.cluster_scoped.contains(&object.kind);
        return (!is_own && !is_allowed).then(|| {
            let message = format!("`{object}` belongs to the whole cluster, not to a tenant");
            Finding::error(place(manifest), message).hint(format!(
                "a tenant may have the Namespace `{fence}` and the kinds in `policies.clusterScoped`"
            ))
        });
    }
    let namespace = object.namespace.as_deref().unwrap_or_default();
    (namespace != fence).then(|| {
        let message = format!("`{object}` is in namespace `{namespace}`, outside the tenant's");
        Finding::error(place(manifest), message)
            .hint("write `namespace: {{ tenant.namespace }}`, or leave it out".to_owned())
    })
}
