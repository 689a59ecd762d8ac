//! Who is not healthy before anything is written: that is not held against the release.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::clock::Clock;
use super::clusters::Clusters;
use super::observe::{self, Known, Seen, Watched};
use super::records::Records;
use super::work;
use crate::health::Wanted;
use crate::manifest::ObjectRef;
use crate::record::TenantRecord;
use crate::rollout::{Health, Place, Plan};

/// What is wrong with tenants of a plan now, by tenant. Holds readers only. Of a cluster that cannot be looked at nothing
/// is known, and so nothing excused.
pub async fn unhealthy_of(
    clusters: &Clusters,
    plan: &Plan,
    records: &Records,
    clock: Clock,
) -> BTreeMap<String, String> {
    let places = plan.tenants().map(|(_, planned)| &planned.place);
    let known = places.filter_map(|place| records.readable(&place.cluster, &place.namespace));
    unhealthy(clusters, known.map(|stored| &stored.value), clock).await
}

/// What is wrong now with whoever these records are of, by tenant.
pub async fn unhealthy<'a>(
    clusters: &Clusters,
    records: impl IntoIterator<Item = &'a TenantRecord>,
    clock: Clock,
) -> BTreeMap<String, String> {
    let watched = records.into_iter().map(|record| {
        let watched = watch(&record.tenant, &record.namespace, work::wanted_of(record));
        (record.cluster.as_str(), watched)
    });
    seen_unhealthy(clusters, watched, clock).await
}

/// What is wrong now at places where these objects should be, by tenant.
pub async fn unhealthy_at<'a>(
    clusters: &Clusters,
    places: impl IntoIterator<Item = (&'a Place, &'a [ObjectRef])>,
    clock: Clock,
) -> BTreeMap<String, String> {
    let watched = places.into_iter().map(|(place, objects)| {
        let wanted = objects.iter().cloned().map(Wanted::unwritten);
        let watched = watch(&place.tenant, &place.namespace, wanted.collect());
        (place.cluster.as_str(), watched)
    });
    seen_unhealthy(clusters, watched, clock).await
}

async fn seen_unhealthy<'a>(
    clusters: &Clusters,
    places: impl Iterator<Item = (&'a str, Watched)>,
    clock: Clock,
) -> BTreeMap<String, String> {
    let mut watched: BTreeMap<&str, Vec<Watched>> = BTreeMap::new();
    for (cluster, place) in places {
        watched.entry(cluster).or_default().push(place);
    }
    let looks = watched.iter().map(|(name, watched)| async {
        let reader = clusters.get(name).ok()?.reader();
        let look = observe::observe((&reader, None), watched, watched.len(), clock);
        Some(look.await.ok()?.seen)
    });
    let seen = join_all(looks).await.into_iter().flatten().flatten();
    seen.filter(is_unhealthy)
        .map(|seen| (seen.tenant, seen.sample.headline))
        .collect()
}

/// Who is only on the way is well enough: a release that breaks it is not excused by that.
pub(super) fn is_unhealthy(seen: &Seen) -> bool {
    match seen.sample.health {
        Health::Failed => true,
        Health::Progressing | Health::Unknown => !seen.sample.serves,
        Health::Healthy => false,
    }
}

pub(super) fn watch(tenant: &str, namespace: &str, wanted: Vec<Wanted>) -> Watched {
    Watched {
        tenant: tenant.to_owned(),
        namespace: namespace.to_owned(),
        wanted: wanted.into(),
        goes_back: false,
        was_alone: false,
        before: Known::default(),
    }
}
