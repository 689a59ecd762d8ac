//! Tenants that move only when somebody says so: an approval is for one tenant and one bundle.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::planning::{self, Bundles, Circumstances};
use super::records::Records;
use super::soaks::Soaks;
use crate::fleet::config::Updates;
use crate::fleet::{Fleet, Tenant};
use crate::manifest::Digest;
use crate::record::{Scope, Standing, Word};
use crate::rollout::{Exclusion, Wanted};

/// What a tenant waits for that does not take releases by itself. Whoever is named on purpose has been requested, and
/// that is not yet an approval.
pub fn missing(
    tenant: &Tenant,
    wanted: &Wanted,
    circumstances: &Circumstances<'_>,
) -> Option<Exclusion> {
    let Wanted::Bundle(digest) = wanted else {
        return None;
    };
    let updates = match (tenant.updates, circumstances.selected) {
        (Updates::Automatic, _) | (Updates::OnRequest, Some(_)) => return None,
        (Updates::OnApproval, _) => "onApproval",
        (Updates::OnRequest, None) => "onRequest",
    };
    if is_approved(circumstances.last_words, &tenant.name, digest) {
        return None;
    }
    let rejected = rejection(circumstances.last_words, &tenant.name);
    let rejected = rejected.map_or_else(String::new, |word| {
        format!(", rejected by {} ({})", word.author, word.reason)
    });
    Some(Exclusion::NotAutomatic(format!(
        "{updates}{rejected}: `escale approve {}` lets it move to {}",
        tenant.name,
        digest.short()
    )))
}

/// Tenants of which others than what they run are rendered, and that wait for somebody's word: who, and what to type.
pub fn unapproved(
    fleet: &Fleet,
    bundles: &Bundles,
    records: &Records,
    (last_words, now): (&Standing, Timestamp),
) -> Vec<(String, String)> {
    let circumstances = Circumstances {
        now,
        quarantined: &BTreeMap::new(),
        soaks: &Soaks::default(),
        last_words,
        elsewhere: &BTreeMap::new(),
        selected: None,
    };
    let all = planning::candidates(fleet, bundles, records, &circumstances).into_iter();
    let waiting = all
        .filter(|one| !one.runs_what_is_wanted())
        .filter(|one| matches!(one.kept_out, Some(Exclusion::NotAutomatic(_))));
    waiting
        .filter_map(|one| Some((one.place.tenant, one.kept_out?.words())))
        .collect()
}

/// Whether the tenant may move to this bundle, whatever release renders it.
pub fn is_approved(last_words: &Standing, tenant: &str, digest: &Digest) -> bool {
    last_words.approvals.iter().any(|word| match &word.scope {
        Scope::Bundle {
            tenant: name,
            digest: approved,
        } => name == tenant && approved == digest,
        Scope::Environment
        | Scope::Cluster(_)
        | Scope::Tenant(_)
        | Scope::Rollout(_)
        | Scope::Wave { .. }
        | Scope::Release(_) => false,
    })
}

fn rejection<'a>(last_words: &'a Standing, tenant: &str) -> Option<&'a Word> {
    let mut rejections = last_words.rejections.iter();
    rejections.find(|word| word.scope.tenant() == Some(tenant))
}
