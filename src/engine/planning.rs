//! From a fleet, its rendered bundles and the records of its clusters to candidates for a plan.
//! Holds readers only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::approvals;
use super::departures;
use super::moves::{self, Places, Seen};
use super::records::Records;
use super::soaks::Soaks;
use crate::fleet::{Fleet, Tenant};
use crate::manifest::Digest;
use crate::record::{PackedBundle, Standing, TenantRecord};
use crate::rollout::{Candidate, Exclusion, Place, Wanted};

/// Rendered bundles by tenant, or the first mistake of a tenant that did not render.
pub type Bundles = BTreeMap<String, Result<PackedBundle, String>>;

/// What a plan takes into account besides fleet, bundles and records.
pub struct Circumstances<'a> {
    pub now: Timestamp,
    /// Bundles that must not go forward again, and why.
    pub quarantined: &'a BTreeMap<Digest, String>,
    /// What earlier rollouts proved.
    pub soaks: &'a Soaks,
    /// What people said last: approvals of tenants are among it.
    pub last_words: &'a Standing,
    /// Where the hub last saw tenants that are new where their files say they are.
    pub elsewhere: &'a Seen,
    /// Only these tenants; none: all of them.
    pub selected: Option<&'a BTreeSet<String>>,
}

/// One candidate per tenant of the fleet.
pub fn candidates(
    fleet: &Fleet,
    bundles: &Bundles,
    records: &Records,
    circumstances: &Circumstances<'_>,
) -> Vec<Candidate> {
    let is_selected = |tenant: &&Tenant| {
        circumstances
            .selected
            .is_none_or(|selected| selected.contains(&tenant.name))
    };
    let places = moves::places(records);
    fleet
        .tenants
        .iter()
        .filter(is_selected)
        .map(|tenant| candidate(tenant, bundles, (records, &places), circumstances))
        .collect()
}

fn candidate(
    tenant: &Tenant,
    bundles: &Bundles,
    (records, places): (&Records, &Places<'_>),
    circumstances: &Circumstances<'_>,
) -> Candidate {
    let wanted = match bundles.get(&tenant.name) {
        Some(Ok(bundle)) => Wanted::Bundle(bundle.digest().clone()),
        Some(Err(mistake)) => Wanted::NotRendered(mistake.clone()),
        None => Wanted::NotRendered("it was not rendered".to_owned()),
    };
    let shape = bundles
        .get(&tenant.name)
        .and_then(|bundle| bundle.as_ref().ok()?.shape());
    let (record, trouble) = on_record(tenant, records);
    let environment = records.environment();
    let others = record.and_then(|record| of_others(record, tenant, environment));
    let kept_out = trouble
        .or(others)
        .or_else(|| departures::exclusion(tenant, record, circumstances.now))
        .or_else(|| {
            record
                .is_none()
                .then(|| moves::exclusion(tenant, (records, places), circumstances.elsewhere))
                .flatten()
        })
        .or_else(|| record.and_then(|record| held(record, circumstances.now)))
        .or_else(|| quarantine(&wanted, circumstances))
        .or_else(|| approvals::missing(tenant, &wanted, circumstances));
    Candidate {
        place: place(tenant),
        wanted,
        current: record.and_then(|record| record.digest.clone()),
        is_settled: record.is_some_and(|record| record.claim.is_none() && record.state.is_whole()),
        last_good: record.and_then(|record| expected_good(record, circumstances)),
        shape: shape.cloned(),
        kept_out,
    }
}

/// What is on record of a tenant, if anything; or why that is not known.
pub fn on_record<'a>(
    tenant: &Tenant,
    records: &'a Records,
) -> (Option<&'a TenantRecord>, Option<Exclusion>) {
    match records.of(&tenant.cluster, &tenant.namespace) {
        Ok(Some(Ok(stored))) => (Some(&stored.value), None),
        Ok(Some(Err(error))) => (None, Some(Exclusion::RecordUnreadable(error.to_string()))),
        Ok(None) => (None, None),
        Err(why) => (None, Some(Exclusion::Unreachable(why.to_owned()))),
    }
}

/// What an automatic rollback would go back to: what runs now, if its wave's soak has passed, else
/// the newest bundle that did. The claim settles it in the same way.
fn expected_good(record: &TenantRecord, circumstances: &Circumstances<'_>) -> Option<Digest> {
    let is_settled = record.claim.is_none() && record.state.is_settled();
    let is_good = is_settled && circumstances.soaks.has_passed(record, circumstances.now);
    let running = record.digest.clone().filter(|_| is_good);
    running.or_else(|| record.last_good().map(|good| good.digest.clone()))
}

/// A namespace may have the record of another tenant, or of another environment that shares the cluster.
pub fn of_others(record: &TenantRecord, tenant: &Tenant, environment: &str) -> Option<Exclusion> {
    let is_its_own = record.tenant == tenant.name && record.environment == environment;
    (!is_its_own).then(|| Exclusion::Taken(record.whose_namespace()))
}

fn held(record: &TenantRecord, now: Timestamp) -> Option<Exclusion> {
    let hold = record.hold_at(now);
    hold.map(|hold| Exclusion::Held(hold.to_string()))
}

fn quarantine(wanted: &Wanted, circumstances: &Circumstances<'_>) -> Option<Exclusion> {
    match wanted {
        Wanted::Bundle(digest) => circumstances
            .quarantined
            .get(digest)
            .cloned()
            .map(Exclusion::Quarantined),
        Wanted::NotRendered(_) => None,
    }
}

pub fn place(tenant: &Tenant) -> Place {
    let mut labels: BTreeMap<String, String> = tenant.cluster_labels.clone();
    labels.extend(tenant.labels.clone());
    for key in ["tenant", "cluster", "class", "group"] {
        if let Some(value) = tenant.label(key) {
            labels.insert(key.to_owned(), value.to_owned());
        }
    }
    Place {
        tenant: tenant.name.clone(),
        cluster: tenant.cluster.clone(),
        namespace: tenant.namespace.clone(),
        provider: tenant.cluster_labels.get("provider").cloned(),
        group: tenant.group.clone(),
        after: tenant.after.clone(),
        labels,
    }
}

/// A tenant's place as its record says it: all that is known without a fleet.
pub fn place_of(record: &TenantRecord) -> Place {
    Place {
        tenant: record.tenant.clone(),
        cluster: record.cluster.clone(),
        namespace: record.namespace.clone(),
        provider: None,
        group: None,
        after: Vec::new(),
        labels: [("class".to_owned(), record.class.clone())].into(),
    }
}
