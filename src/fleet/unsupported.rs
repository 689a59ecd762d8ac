//! Fields of the format that are not acted on yet: read and checked, and their use is told.

use crate::fleet::finding::{Finding, Place};
use crate::fleet::parts::Parts;

/// A warning for every use of such a field.
pub fn all(parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(environment) = &parts.environment {
        let spec = environment.spec();
        if !spec.health.probes.is_empty() {
            findings.push(warning(
                "health.probes",
                environment.place("/spec/health/probes"),
            ));
        }
    }
    findings
}

fn warning(field: &str, place: Place) -> Finding {
    Finding::warning(place, format!("`{field}` is not yet acted on"))
}
