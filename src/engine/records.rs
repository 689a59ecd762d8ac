//! The records of all tenants, as the clusters answered when they were asked. Holds readers only.

use std::collections::{BTreeMap, BTreeSet};

use super::clusters::Clusters;
use super::moves;
use super::store::{self, Found};
use crate::error::UserError;
use crate::fleet::Fleet;
use crate::record::{Stored, TenantRecord};
use crate::rollout::{Excluded, Exclusion};

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
                let answer = answer.map_err(|error| error.to_string());
                let records = answer.and_then(|found| by_namespace(&name, found));
                (name, records)
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

    /// Those of a single cluster, or why they say nothing.
    pub fn of_one(
        environment: &str,
        cluster: &str,
        found: Vec<Found<Stored<TenantRecord>>>,
    ) -> Result<Self, String> {
        let records = by_namespace(cluster, found)?;
        Ok(Self {
            environment: environment.to_owned(),
            clusters: BTreeMap::from([(cluster.to_owned(), Ok(records))]),
        })
    }

    /// Records of any other are none of ours.
    pub fn environment(&self) -> &str {
        &self.environment
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
    found: Vec<Found<Stored<TenantRecord>>>,
) -> Result<BTreeMap<String, Recorded>, String> {
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
