//! `after`: known tenants, and no circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::check::suggestion;
use crate::fleet::config::TenantSpec;
use crate::fleet::finding::Finding;
use crate::fleet::parts::Parts;
use crate::fleet::read::Read;

pub fn after(parts: &Parts) -> Vec<Finding> {
    let tenants: BTreeMap<&str, &Read<TenantSpec>> = parts
        .tenants
        .iter()
        .map(|tenant| (tenant.name(), tenant))
        .collect();
    let mut findings = Vec::new();
    for tenant in &parts.tenants {
        for (index, before) in tenant.spec().after.iter().enumerate() {
            let place = tenant.place(&format!("/spec/after/{index}"));
            if !parts.promised_tenants.contains(before) {
                let known = parts.promised_tenants.iter().map(String::as_str);
                let hint = suggestion(before, known, "`after` names tenants");
                let message = format!("no tenant named `{before}`");
                findings.push(Finding::error(place, message).hint(hint));
            }
        }
        findings.extend(circle(tenant, &tenants));
    }
    findings
}

/// Told at the first tenant of the circle by name only.
fn circle(
    tenant: &Read<TenantSpec>,
    tenants: &BTreeMap<&str, &Read<TenantSpec>>,
) -> Option<Finding> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut path: Vec<&str> = Vec::new();
    let mut open: Vec<(&str, usize)> = vec![(tenant.name(), 0)];
    while let Some((name, depth)) = open.pop() {
        path.truncate(depth);
        if depth > 0 && name == tenant.name() {
            let is_first = path.iter().all(|other| tenant.name() <= *other);
            let message = format!("`after` goes in a circle: `{}`", path.join("` after `"));
            return is_first.then(|| Finding::error(tenant.place("/spec/after"), message));
        }
        if !seen.insert(name) {
            continue;
        }
        path.push(name);
        let next = tenants
            .get(name)
            .into_iter()
            .flat_map(|read| &read.spec().after);
        open.extend(next.map(|name| (name.as_str(), depth + 1)));
    }
    None
}
