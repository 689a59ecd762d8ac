//! Containers say what they need and what they may take.

use crate::fleet::config::{Policies, Strictness};
use crate::fleet::{Finding, Place};
use crate::manifest::Manifest;
use crate::policy::place;
use crate::policy::pods::containers;

/// A CPU limit is not asked for: it slows a container down where a request already shares fairly.
const WANTED: [(&str, &str); 3] = [
    ("requests", "cpu"),
    ("requests", "memory"),
    ("limits", "memory"),
];

pub fn check(policies: &Policies, manifest: &Manifest) -> Vec<Finding> {
    let made: fn(Option<Place>, String) -> Finding = match policies.resources {
        Strictness::Ignore => return Vec::new(),
        Strictness::Warn => Finding::warning,
        Strictness::Error => Finding::error,
    };
    let mut findings = Vec::new();
    for container in containers(manifest) {
        let resources = &container.value["resources"];
        let missing: Vec<String> = WANTED
            .iter()
            .filter(|(sort, name)| resources[sort][name].is_null())
            .map(|(sort, name)| format!("`resources.{sort}.{name}`"))
            .collect();
        if !missing.is_empty() {
            let (name, object) = (container.name(), manifest.object());
            let message = format!(
                "container `{name}` of `{object}` lacks {}",
                missing.join(", ")
            );
            findings.push(made(place(manifest), message));
        }
    }
    findings
}
