//! From a fleet, its rendered bundles and the records of its clusters to candidates for a plan.
//! Holds readers only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::approvals;
use super::clusters::Clusters;
use super::departures;
use super::moves::{self, Places, Seen};
use super::soaks::Soaks;
use super::store::{self, Found};
use crate::cluster::CallError;
use crate::error::UserError;
use crate::fleet::{Fleet, Tenant};
use crate::manifest::Digest;
use crate::record::{PackedBundle, Standing, Stored, TenantRecord};
use crate::rollout::{Candidate, Excluded, Exclusion, Place, Wanted};

/// Rendered bundles by tenant, or the first mistake of a tenant that did not render.
pub type Bundles = BTreeMap<String, Result<PackedBundle, String>>;

/// What the clusters have on record.
pub struct Records {
    environment: String,
    /// By cluster, then by namespace; a cluster that did not answer is an error.
    clusters: BTreeMap<String, Result<BTreeMap<String, Recorded>, String>>,
}

/// A tenant's record, or why it cannot be read.
pub type Recorded = Result<Stored<TenantRecord>, UserError>;

impl Records {
    /// One paged list per cluster.
    pub async fn read(clusters: &Clusters, environment: &str) -> Self {
        let answers = clusters
            .ask(|cluster| async move { store::tenants(&cluster.reader()).await })
            .await;
        let mut read: BTreeMap<String, Result<BTreeMap<String, Recorded>, String>> = answers
            .into_iter()
            .map(|(name, answer)| {
                let answer = by_namespace(&name, answer);
                (name, answer)
            })
            .collect();
        for (name, error) in &clusters.failed {
            let text = error.to_string();
            // Whoever tells it says which cluster it is.
            let why = text.strip_prefix(&format!("cluster `{name}`: "));
            read.insert(name.clone(), Err(why.unwrap_or(&text).to_owned()));
        }
        Self {
            environment: environment.to_owned(),
            clusters: read,
        }
    }

    /// The record of a tenant; `Ok(None)` if it has none yet.
    pub fn of(&self, cluster: &str, namespace: &str) -> Result<Option<&Recorded>, &str> {
        match self.clusters.get(cluster) {
            Some(Ok(records)) => Ok(records.get(namespace)),
            Some(Err(why)) => Err(why),
            None => Err("it is not connected"),
        }
    }

    /// The record of a tenant, if there is one and it can be read: for those to whom it makes no difference why not.
    pub fn readable(&self, cluster: &str, namespace: &str) -> Option<&Stored<TenantRecord>> {
        self.of(cluster, namespace).ok()??.as_ref().ok()
    }

    /// Every readable record of this environment.
    pub fn iter(&self) -> impl Iterator<Item = &Stored<TenantRecord>> {
        let readable = self
            .clusters
            .values()
            .flatten()
            .flat_map(BTreeMap::values)
            .flatten();
        readable.filter(|stored| stored.value.environment == self.environment)
    }

    /// What [`iter`](Self::iter) goes over, by tenant; nothing is copied.
    pub fn into_tenants(self) -> BTreeMap<String, Stored<TenantRecord>> {
        let environment = self.environment;
        let answered = self.clusters.into_values().flatten();
        let readable = answered.flat_map(BTreeMap::into_values).flatten();
        readable
            .filter(|stored| stored.value.environment == environment)
            .map(|stored| (stored.value.tenant.clone(), stored))
            .collect()
    }

    /// Whether it is a cluster of the environment.
    pub fn knows(&self, cluster: &str) -> bool {
        self.clusters.contains_key(cluster)
    }

    /// Every cluster, and whether it answered.
    pub fn clusters(&self) -> impl Iterator<Item = (&str, bool)> {
        let clusters = self.clusters.iter();
        clusters.map(|(name, answer)| (name.as_str(), answer.is_ok()))
    }

    /// Clusters that did not answer, and why.
    pub fn unreachable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.clusters.iter().filter_map(|(name, answer)| {
            answer
                .as_ref()
                .err()
                .map(|why| (name.as_str(), why.as_str()))
        })
    }

    /// Records that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, &str, &UserError)> {
        self.clusters.iter().flat_map(|(cluster, answer)| {
            answer
                .iter()
                .flat_map(BTreeMap::iter)
                .filter_map(|(namespace, recorded)| {
                    let error = recorded.as_ref().err()?;
                    Some((cluster.as_str(), namespace.as_str(), error))
                })
        })
    }

    /// Records of tenants that no file names any more: nothing of them is pruned.
    pub fn orphans(&self, fleet: &Fleet) -> Vec<Excluded> {
        let known: BTreeSet<(&str, &str)> = fleet
            .tenants
            .iter()
            .map(|tenant| (tenant.cluster.as_str(), tenant.namespace.as_str()))
            .collect();
        let orphans = self.iter().filter(|stored| {
            !known.contains(&(
                stored.value.cluster.as_str(),
                stored.value.namespace.as_str(),
            )) && !moves::is_told(&stored.value, fleet, self)
        });
        orphans
            .map(|stored| Excluded {
                tenant: stored.value.tenant.clone(),
                cluster: stored.value.cluster.clone(),
                reason: Exclusion::Orphaned,
            })
            .collect()
    }
}

/// Records say on which cluster they are; a context that leads to others is as good as none.
fn by_namespace(
    cluster: &str,
    answer: Result<Vec<Found<Stored<TenantRecord>>>, CallError>,
) -> Result<BTreeMap<String, Recorded>, String> {
    let found = answer.map_err(|error| error.to_string())?;
    let named = found.iter().filter_map(|found| found.record.as_ref().ok());
    if let Some(other) = named
        .map(|stored| &stored.value)
        .find(|record| record.cluster != cluster)
    {
        return Err(format!(
            "its context answers as cluster `{}`: the record of `{}` is there",
            other.cluster, other.tenant
        ));
    }
    Ok(found
        .into_iter()
        .map(|found| (found.name, found.record))
        .collect())
}

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
    let environment = &records.environment;
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
