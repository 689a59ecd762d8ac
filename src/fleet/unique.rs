//! What may be there only once: tenants, platforms, namespaces of a cluster, domains.

use std::collections::BTreeMap;

use crate::fleet::check::{Placed, platforms};
use crate::fleet::config::TenantSpec;
use crate::fleet::finding::{Finding, Place};
use crate::fleet::parts::Parts;
use crate::fleet::read::Read;

/// Tenants in two files, platforms in two places, platforms of no tenant.
pub fn tenants(parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for tenant in &parts.tenants {
        if let Some(other) = seen.insert(tenant.name(), &tenant.file) {
            let message = format!("tenant `{}` is also in {other}", tenant.name());
            findings.push(
                Finding::error(tenant.place("/metadata/name"), message)
                    .hint("keep one of the two files".to_owned()),
            );
        }
    }
    let mut seen: BTreeMap<(&str, &str), Place> = BTreeMap::new();
    for platform in platforms(parts) {
        let place = platform.place("");
        if !parts.promised_tenants.contains(platform.tenant) {
            let message = format!("platform `{}` belongs to no tenant", platform.name);
            findings.push(Finding::error(place.clone(), message).hint(format!(
                "write `tenants/{}/tenant.yaml` beside it",
                platform.tenant
            )));
        }
        if let Some(other) = seen.insert((platform.tenant, platform.name), place.clone()) {
            let message = format!("platform `{}` is also at {other}", platform.name);
            findings.push(
                Finding::error(place, message)
                    .hint("write it in the tenant's file or in its own, not in both".to_owned()),
            );
        }
    }
    findings
}

/// Two tenants in one namespace of a cluster would overwrite each other.
pub fn namespaces(parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<(&str, &str), &Read<TenantSpec>> = BTreeMap::new();
    for tenant in &parts.tenants {
        let namespace = tenant.spec().namespace.as_deref().unwrap_or(tenant.name());
        let key = (tenant.spec().cluster.as_str(), namespace);
        match seen.get(&key) {
            // The same name twice is told already.
            Some(other) if other.name() != tenant.name() => {
                let message = format!(
                    "namespace `{namespace}` of cluster `{}` is taken by tenant `{}` ({})",
                    key.0,
                    other.name(),
                    namespace_place(other)
                );
                let hint =
                    "one namespace holds one tenant: choose another `spec.namespace`".to_owned();
                findings.push(Finding::error(namespace_place(tenant), message).hint(hint));
            }
            Some(_) => {}
            None => {
                seen.insert(key, tenant);
            }
        }
    }
    findings
}

fn namespace_place(tenant: &Read<TenantSpec>) -> Place {
    match tenant.spec().namespace {
        Some(_) => tenant.place("/spec/namespace"),
        None => tenant.place("/metadata/name"),
    }
}

/// One domain leads to one platform, unless the tenants serve one client together from different clusters.
pub fn domains(parts: &Parts) -> Vec<Finding> {
    let specs: BTreeMap<&str, &TenantSpec> = parts
        .tenants
        .iter()
        .map(|tenant| (tenant.name(), tenant.spec()))
        .collect();
    let mut findings = Vec::new();
    let mut seen: BTreeMap<String, Vec<(String, String, Place)>> = BTreeMap::new();
    for platform in platforms(parts) {
        for (pointer, domain) in platform.domains() {
            let takers = seen.entry(domain.to_owned()).or_default();
            let place = platform.place(&pointer);
            let rival = takers
                .iter()
                .find(|(tenant, _, _)| !are_together(&specs, tenant, platform.tenant));
            if let Some((tenant, name, other)) = rival {
                findings.push(twice(domain, &platform, &place, (tenant, name, other)));
            }
            takers.push((platform.tenant.to_owned(), platform.name.to_owned(), place));
        }
    }
    findings
}

fn twice(
    domain: &str,
    platform: &Placed<'_>,
    place: &Place,
    (tenant, name, other): (&str, &str, &Place),
) -> Finding {
    let message = if (tenant, name) == (platform.tenant, platform.name) {
        format!("domain `{domain}` is named twice")
    } else {
        format!(
            "domain `{domain}` leads to platform `{name}` of tenant `{tenant}` already ({other})"
        )
    };
    Finding::error(place.clone(), message).hint(
        "a domain belongs to one platform; only tenants of one `group` on different clusters share one"
            .to_owned(),
    )
}

fn are_together(specs: &BTreeMap<&str, &TenantSpec>, one: &str, other: &str) -> bool {
    match (specs.get(one), specs.get(other)) {
        (Some(one), Some(other)) => {
            one.group.is_some() && one.group == other.group && one.cluster != other.cluster
        }
        // A tenant whose file could not be read: told already.
        (None, _) | (_, None) => one != other,
    }
}
