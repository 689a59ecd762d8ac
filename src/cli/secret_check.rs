//! `escale check --secrets`: reads every value that the fleet refers to, and looks at certificates.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cli::voice::counted;
use crate::fleet::{Finding, Place, Tenant};
use crate::manifest::{Bundle, Manifest, secret_refs};
use crate::policy;
use crate::secret::{self, Certificate, Secrets};

/// Without a rule of the environment, fewer days than this are worth a warning.
const SOON: u32 = 14;

/// What every tenant's values are held to.
pub struct SecretCheck {
    pub secrets: Secrets,
    pub now: Timestamp,
    /// Fewer days than this until a certificate ends is a mistake.
    pub min_days: Option<u32>,
}

impl SecretCheck {
    /// Everything that is wrong with the values of one tenant.
    pub async fn findings(&self, tenant: &Tenant, bundle: &Bundle) -> Vec<Finding> {
        let mut findings = Vec::new();
        for manifest in bundle.manifests() {
            let unreadable = self.unreadable(manifest).await;
            if !unreadable.is_empty() {
                findings.extend(unreadable);
                continue;
            }
            let values = self.secrets.read(&secret_refs(manifest.value())).await;
            let values = values.expect("every value of it was just read, and is kept");
            let filled = values.fill(manifest.value());
            let filled = filled.expect("every value of it was just read");
            match secret::certificate_of(&filled) {
                None => {}
                Some(Err(why)) => findings.push(told(manifest, Finding::error, &why)),
                Some(Ok(certificate)) => {
                    findings.extend(self.uncovered(manifest, &certificate, bundle));
                    findings.extend(self.ending(manifest, &certificate));
                }
            }
        }
        let its = |finding: Finding| finding.in_tenant(&tenant.name);
        findings.into_iter().map(its).collect()
    }

    /// Every reference of a Secret that cannot be read.
    async fn unreadable(&self, manifest: &Manifest) -> Vec<Finding> {
        let mut findings = Vec::new();
        for reference in secret_refs(manifest.value()) {
            if let Err(why) = self.secrets.read(&BTreeSet::from([reference])).await {
                findings.push(told(manifest, Finding::error, &why));
            }
        }
        findings
    }

    fn uncovered(
        &self,
        manifest: &Manifest,
        certificate: &Certificate,
        bundle: &Bundle,
    ) -> Option<Finding> {
        let hosts = hosts_of(&manifest.object().name, bundle);
        let left: Vec<&str> = hosts
            .into_iter()
            .filter(|host| !certificate.covers(host))
            .collect();
        (!left.is_empty()).then(|| {
            let why = format!("its certificate does not cover `{}`", left.join("`, `"));
            told(manifest, Finding::error, &why)
        })
    }

    fn ending(&self, manifest: &Manifest, certificate: &Certificate) -> Option<Finding> {
        let day = certificate.ends().strftime("%Y-%m-%d");
        let left = certificate.ends().duration_since(self.now);
        if left.is_negative() {
            let why = format!("its certificate ended on {day}");
            return Some(told(manifest, Finding::error, &why));
        }
        let days = left.as_hours() / 24;
        let why = format!(
            "its certificate ends on {day}, in {}",
            counted(usize::try_from(days).unwrap_or_default(), "day")
        );
        let is_within = |days: u32| left < SignedDuration::from_hours(24 * i64::from(days));
        match self.min_days {
            Some(days) if is_within(days) => Some(told(manifest, Finding::error, &why)),
            None if is_within(SOON) => Some(told(manifest, Finding::warning, &why)),
            Some(_) | None => None,
        }
    }
}

/// The hosts of the Ingresses that use a Secret.
fn hosts_of<'b>(secret: &str, bundle: &'b Bundle) -> BTreeSet<&'b str> {
    let ingresses = bundle.manifests().iter();
    let ingresses = ingresses.filter(|manifest| manifest.kind() == "Ingress");
    let entries = ingresses.flat_map(|ingress| {
        let entries = ingress.value().pointer("/spec/tls");
        entries.and_then(Value::as_array).into_iter().flatten()
    });
    let its = entries.filter(|entry| entry["secretName"] == secret);
    let hosts = its.flat_map(|entry| entry["hosts"].as_array().into_iter().flatten());
    hosts.filter_map(Value::as_str).collect()
}

fn told(manifest: &Manifest, finding: fn(Option<Place>, String) -> Finding, why: &str) -> Finding {
    finding(
        policy::place(manifest),
        format!("`{}`: {why}", manifest.object()),
    )
}
