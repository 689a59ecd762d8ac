//! Good bundles that a way back cannot tell from what runs: they differ in Secrets, which stay as they are found, or in
//! hooks, which do not run. Whoever goes back means none of these.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::clusters::Clusters;
use super::store;
use crate::cluster::Reader;
use crate::manifest::{Digest, ObjectRef, is_secret};
use crate::record::{Stored, TenantRecord};

/// Of each tenant those that are newer than the newest that differs. What cannot be read is taken for different.
pub async fn alike(tenants: &[Stored<TenantRecord>], clusters: &Clusters) -> BTreeSet<Digest> {
    let each = tenants
        .iter()
        .map(|stored| alike_of(&stored.value, clusters));
    join_all(each).await.into_iter().flatten().collect()
}

async fn alike_of(record: &TenantRecord, clusters: &Clusters) -> Vec<Digest> {
    let mut alike = Vec::new();
    let (Ok(cluster), Some(running)) = (clusters.get(&record.cluster), record.running().digest)
    else {
        return alike;
    };
    let reader = cluster.reader();
    let Some(runs) = what_goes_back(&reader, running).await else {
        return alike;
    };
    for good in record.goods.iter().filter(|good| good.digest != *running) {
        if what_goes_back(&reader, &good.digest).await.as_ref() != Some(&runs) {
            break;
        }
        alike.push(good.digest.clone());
    }
    alike
}

/// What a way back writes of a bundle.
async fn what_goes_back(reader: &Reader, digest: &Digest) -> Option<BTreeSet<(ObjectRef, Digest)>> {
    let bundle = store::bundle(reader, digest).await.ok()?.unpack();
    let manifests = bundle
        .ordinary()
        .filter(|manifest| !is_secret(manifest.value()));
    let objects = manifests.map(|manifest| (manifest.object().clone(), manifest.digest()));
    Some(objects.collect())
}
