//! How tenants are at this moment: their workloads, and what their pages answer.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::baseline::watch;
use super::clock::Clock;
use super::clusters::Clusters;
use super::observe;
use super::sites::{Asked, Said};
use super::work;
use crate::record::TenantRecord;
use crate::rollout::Sample;

/// What was seen of one tenant.
pub struct Now {
    pub tenant: String,
    pub cluster: String,
    /// Of its workloads; or why nothing was seen.
    pub seen: Result<Sample, String>,
    pub pages: Vec<Said>,
}

/// Looks at whoever these records are of, in their order, by what each runs on record.
pub async fn now(clusters: &Clusters, records: &[&TenantRecord], clock: Clock) -> Vec<Now> {
    let mut by_cluster: BTreeMap<&str, Vec<&TenantRecord>> = BTreeMap::new();
    for record in records {
        by_cluster.entry(&record.cluster).or_default().push(record);
    }
    let looks = by_cluster
        .into_iter()
        .map(|(cluster, records)| look(clusters, cluster, records, clock));
    let seen = join_all(looks).await.into_iter().flatten();
    let mut seen: BTreeMap<String, Now> = seen.map(|now| (now.tenant.clone(), now)).collect();
    let names = records.iter().map(|record| &record.tenant);
    names.filter_map(|name| seen.remove(name)).collect()
}

async fn look(
    clusters: &Clusters,
    cluster: &str,
    records: Vec<&TenantRecord>,
    clock: Clock,
) -> Vec<Now> {
    let watched: Vec<_> = records
        .iter()
        .map(|record| watch(&record.tenant, &record.namespace, work::wanted_of(record)))
        .collect();
    let seen = async {
        let reader = clusters
            .get(cluster)
            .map_err(|error| error.to_string())?
            .reader();
        let look = observe::observe((&reader, None), &watched, watched.len(), clock);
        let observed = look.await.map_err(|error| error.to_string())?;
        let seen = observed.seen.into_iter();
        Ok(seen.map(|seen| (seen.tenant, seen.sample)).collect())
    };
    let asked: Vec<Asked> = records
        .iter()
        .map(|record| Asked {
            tenant: record.tenant.clone(),
            excused: BTreeSet::new(),
        })
        .collect();
    let pages = clusters.sites.ask(cluster, &asked, clock);
    let (mut seen, said): (Result<BTreeMap<String, Sample>, String>, Vec<Said>) =
        tokio::join!(seen, pages);
    let mut pages: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    for one in said {
        pages.entry(one.tenant.clone()).or_default().push(one);
    }
    let now = records.iter().map(|record| Now {
        tenant: record.tenant.clone(),
        cluster: cluster.to_owned(),
        seen: match &mut seen {
            Ok(seen) => seen
                .remove(&record.tenant)
                .ok_or_else(|| "it was not seen".to_owned()),
            Err(why) => Err(why.clone()),
        },
        pages: pages.remove(&record.tenant).unwrap_or_default(),
    });
    now.collect()
}
