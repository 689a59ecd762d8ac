//! Rules over fleet and manifests → findings.
//!
//! What the API server would refuse, or worse, accept: objects outside the tenant's namespace, images from
//! anywhere, containers without limits, replicas that share a zone, fields that nobody knows.

mod fence;
mod hooks;
mod images;
mod pods;
mod resources;
mod secrets;
mod unknown;
mod zones;

use crate::fleet::{Finding, Fleet, Place, Tenant};
use crate::manifest::{Bundle, Manifest};

/// Everything that is wrong with the bundle of a tenant.
pub fn check(fleet: &Fleet, tenant: &Tenant, bundle: &Bundle) -> Vec<Finding> {
    let policies = &fleet.environment.spec.policies;
    let secrets = &fleet.environment.spec.secrets;
    let mut findings = zones::check(fleet, tenant, bundle);
    for manifest in bundle.manifests() {
        findings.extend(fence::check(policies, tenant, manifest));
        findings.extend(hooks::check(tenant, manifest));
        findings.extend(images::check(policies, manifest));
        findings.extend(resources::check(policies, manifest));
        findings.extend(secrets::check(secrets, manifest));
        findings.extend(unknown::check(policies, manifest));
    }
    findings
        .into_iter()
        .map(|finding| finding.in_tenant(&tenant.name))
        .collect()
}

/// The template that rendered a manifest. Its lines are not those of what it renders.
pub fn place(manifest: &Manifest) -> Option<Place> {
    manifest
        .origin
        .as_ref()
        .map(|origin| Place::of_file(origin.file.clone()))
}

#[cfg(test)]
mod tests;
