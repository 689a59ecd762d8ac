//! Addresses of webhooks are no text for git: whoever knows one may write there.

use crate::fleet::config::AnnounceFormat;
use crate::fleet::finding::Finding;
use crate::fleet::parts::Parts;

/// Every mistake in who is told.
pub fn all(parts: &Parts) -> Vec<Finding> {
    let Some(environment) = &parts.environment else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (name, announce) in &environment.spec().announce {
        let place = |field: &str| environment.place(&format!("/spec/announce/{name}/{field}"));
        let fields = [("url", Some(&announce.url)), ("key", announce.key.as_ref())];
        for (field, value) in fields {
            if value.is_some_and(|value| value.strip_prefix("env:").is_none_or(str::is_empty)) {
                let message = format!("`{field}` is not `env:NAME`");
                let hint = "put it into a masked variable of the job, and name that here";
                findings.push(Finding::error(place(field), message).hint(hint.to_owned()));
            }
        }
        if announce.key.is_some() && announce.format != AnnounceFormat::Json {
            let message = "only `format: json` is signed";
            findings.push(Finding::error(place("key"), message));
        }
    }
    findings
}
