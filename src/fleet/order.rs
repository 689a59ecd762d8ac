//! `after`: known tenants of the same group, and no circles.

use std::collections::BTreeMap;

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
            } else if let Some(other) = tenants.get(before.as_str())
                && (other.spec().group.is_none() || other.spec().group != tenant.spec().group)
            {
                let message = format!("`{before}` is not of the same group");
                findings.push(Finding::error(place, message).hint(
                    "give both the same `group`: `after` orders the tenants of one".to_owned(),
                ));
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
    let mut path: Vec<&str> = Vec::new();
    let mut open: Vec<(&str, usize)> = vec![(tenant.name(), 0)];
    while let Some((name, depth)) = open.pop() {
        path.truncate(depth);
        if depth > 0 && name == tenant.name() {
            let is_first = path.iter().all(|other| tenant.name() <= *other);
            let message = format!("`after` goes in a circle: `{}`", path.join("` after `"));
            return is_first.then(|| Finding::error(tenant.place("/spec/after"), message));
        }
        if path.contains(&name) {
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
