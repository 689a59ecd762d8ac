//! Images come from known registries, and never by a name that means something else tomorrow.

use crate::fleet::Finding;
use crate::fleet::config::Policies;
use crate::manifest::Manifest;
use crate::policy::place;
use crate::policy::pods::containers;

pub fn check(policies: &Policies, manifest: &Manifest) -> Vec<Finding> {
    let mut findings = Vec::new();
    for container in containers(manifest) {
        let object = manifest.object();
        let Some(image) = container.value["image"]
            .as_str()
            .filter(|image| !image.is_empty())
        else {
            let message = format!(
                "container `{}` of `{object}` has no image",
                container.name()
            );
            findings.push(Finding::error(place(manifest), message));
            continue;
        };
        for (why, hint) in mistakes(policies, image) {
            let message = format!("image `{image}` of `{object}` {why}");
            findings.push(Finding::error(place(manifest), message).hint(hint));
        }
    }
    findings.dedup();
    findings
}

fn mistakes(policies: &Policies, image: &str) -> Vec<(&'static str, String)> {
    let mut mistakes = Vec::new();
    let registries = &policies.registries;
    if !registries.is_empty() && !registries.iter().any(|registry| is_from(image, registry)) {
        let listed = format!("`policies.registries` lists `{}`", registries.join("`, `"));
        mistakes.push(("comes from no listed registry", listed));
    }
    let (name, digest) = image
        .split_once('@')
        .map_or((image, None), |(name, digest)| (name, Some(digest)));
    let file = name.rsplit('/').next().unwrap_or(name);
    let tag = file.split_once(':').map(|(_, tag)| tag);
    if digest.is_none() && policies.digests {
        let hint = "write `NAME@sha256:…`: `policies.digests` asks for it".to_owned();
        mistakes.push(("is not named by digest", hint));
    } else if digest.is_none() && matches!(tag, None | Some("latest" | "")) {
        let hint = "name a version: `latest` is another image tomorrow".to_owned();
        mistakes.push(("has no version", hint));
    }
    mistakes
}

/// `registry.example.com/platform` covers `registry.example.com/platform/web`, not `…/platform2/web`.
fn is_from(image: &str, registry: &str) -> bool {
    let rest = image.strip_prefix(registry.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.starts_with('/'))
}
