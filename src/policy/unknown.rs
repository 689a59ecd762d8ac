//! Fields that Kubernetes does not know: without strict validation, the API server drops them silently.

use crate::error::did_you_mean;
use crate::fields::{known_fields, schema, unknown_fields};
use crate::fleet::config::{Policies, Strictness};
use crate::fleet::{Finding, Place};
use crate::manifest::Manifest;
use crate::policy::place;

pub fn check(policies: &Policies, manifest: &Manifest) -> Vec<Finding> {
    let made: fn(Option<Place>, String) -> Finding = match policies.unknown_fields {
        Strictness::Ignore => return Vec::new(),
        Strictness::Warn => Finding::warning,
        Strictness::Error => Finding::error,
    };
    let type_ref = schema().type_of_object(manifest.value());
    let found = unknown_fields(type_ref, manifest.value())
        .into_iter()
        .map(|complaint| {
            // `unknown field "spec.foo"`: as the API server spells it.
            let path = complaint.split('"').nth(1).unwrap_or(&complaint);
            let (inside, field) = path.rsplit_once('.').unwrap_or(("", path));
            let known = known_fields(type_ref, manifest.value(), inside);
            let hint = did_you_mean(field, known).map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{}` has an unknown field `{path}`", manifest.object());
            made(place(manifest), message).hint(hint)
        });
    found.collect()
}
