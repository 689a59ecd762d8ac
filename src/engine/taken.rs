//! Who was moved by somebody else after we closed its claim: a typed rollback wins its tenants, also those that soak.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::store::{self, Trouble};
use crate::cluster::{CallError, Depth, Kind, Page, Reader, Within};
use crate::record::{self, NAMESPACE, Stored, TenantRecord};
use crate::rollout::{Frozen, Phase, Progress};

/// Up to this many records are asked for one by one: a list has those of all tenants of the cluster.
const FEW: usize = 8;

/// A tenant whose claim we have closed, and the version that its record had then.
#[derive(Clone, Debug)]
pub struct Closed {
    pub namespace: String,
    pub resource_version: String,
}

/// The tenants that succeeded, by cluster, as we left their records.
pub fn closed(
    frozen: &Frozen,
    progress: &Progress,
    records: &BTreeMap<String, Stored<TenantRecord>>,
) -> BTreeMap<String, Vec<Closed>> {
    let mut closed: BTreeMap<String, Vec<Closed>> = BTreeMap::new();
    for (_, planned) in frozen.plan.tenants() {
        let place = &planned.place;
        let phase = progress.tenant(&place.tenant).map(|one| &one.phase);
        let record = records.get(&place.tenant);
        if let (Some(Phase::Succeeded { .. }), Some(record)) = (phase, record) {
            let there = closed.entry(place.cluster.clone()).or_default();
            there.push(Closed::of(record));
        }
    }
    closed
}

impl Closed {
    pub fn of(record: &Stored<TenantRecord>) -> Self {
        Self {
            namespace: record.value.namespace.clone(),
            resource_version: record.resource_version.clone(),
        }
    }
}

/// Records that are not as we left them.
pub async fn changed(
    reader: &Reader,
    closed: &[Closed],
) -> Result<Vec<Stored<TenantRecord>>, Trouble> {
    let versions = versions(reader, closed).await?;
    let is_other = |one: &&Closed| {
        let found = versions.get(&one.namespace);
        found.is_some_and(|found| *found != one.resource_version)
    };
    let others = closed.iter().filter(is_other);
    let reads = others.map(|one| store::tenant(reader, &one.namespace));
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

/// Who has moved the tenant away from where we left it, if anybody has. A hold moves nothing.
pub fn by_whom(left: &TenantRecord, found: &TenantRecord) -> Option<String> {
    let is_moved = left.epoch != found.epoch || left.digest != found.digest;
    let claimed = found.claim.as_ref().map(|claim| claim.holder.clone());
    let last = || found.history.first().map(|entry| entry.who.clone());
    is_moved.then(|| claimed.or_else(last).unwrap_or_default())
}

/// The versions of these records, without their contents, by namespace.
async fn versions(
    reader: &Reader,
    closed: &[Closed],
) -> Result<BTreeMap<String, String>, CallError> {
    let kind = Kind::config_map();
    let pages = if closed.len() <= FEW {
        let each = closed.iter().map(|one| record_of(reader, &kind, one));
        try_join_all(each).await?.concat()
    } else {
        let selector = record::selector("tenant");
        let within = Within::Namespace(NAMESPACE);
        let lists = reader.list_pages(&kind, within, Some(&selector), Depth::Metadata);
        lists.await?
    };
    let mut versions = BTreeMap::new();
    for page in &pages {
        for item in page.read()? {
            versions.insert(item.name().to_owned(), item.resource_version().to_owned());
        }
    }
    Ok(versions)
}

async fn record_of(reader: &Reader, kind: &Kind, one: &Closed) -> Result<Vec<Page>, CallError> {
    let within = Within::Object {
        namespace: NAMESPACE,
        name: &one.namespace,
    };
    let lists = reader.list_pages(kind, within, None, Depth::Metadata);
    lists.await
}
