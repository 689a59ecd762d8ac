//! Looks at the health of tenants: a few lists per cluster, pods only where something is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;

use super::clock::Clock;
use crate::cluster::{CallError, Kind, Preconditions, Reader, Within, Writer};
use crate::health::{self, Observation, Surroundings, TenantHealth, Tolerance, Verdict, Wanted};
use crate::manifest::Live;
use crate::rollout::{Health, Sample};

/// From this many tenants on, one list of the whole cluster is cheaper than a list for each.
const MANY: usize = 6;
/// A delete that the server has not taken by then is tried again at the next look.
const DELETE: Duration = Duration::from_secs(5);

/// A tenant to look at.
#[derive(Clone, Debug)]
pub struct Watched {
    pub tenant: String,
    pub namespace: String,
    pub wanted: Vec<Wanted>,
    /// It goes back: pods of the bad revision that keep a StatefulSet from it are deleted.
    pub goes_back: bool,
}

/// What was seen of one tenant.
#[derive(Clone, Debug)]
pub struct Seen {
    pub tenant: String,
    pub sample: Sample,
}

/// Looks at tenants of one cluster. Every verdict is of the moment when the lists were asked for.
pub async fn observe(
    writer: &Writer,
    watched: &[Watched],
    clock: Clock,
) -> Result<Vec<Seen>, CallError> {
    let reader = writer.reader();
    let asked_at = clock.now();
    let found = objects(reader, watched).await?;
    let none = Vec::new();
    let mut seen = Vec::new();
    let mut ailing = Vec::new();
    for tenant in watched {
        let found = found.get(&tenant.namespace).unwrap_or(&none);
        let health = health::judge_tenant(&Observation {
            wanted: &tenant.wanted,
            found,
            pods: &[],
            replica_sets: &[],
            now: asked_at,
            tolerance: Tolerance::default(),
        });
        if health.verdict.is_settled_well() {
            seen.push(sight(tenant, &health, asked_at));
        } else {
            ailing.push(tenant);
        }
    }
    seen.extend(look_closer(writer, &ailing, &found, clock).await?);
    Ok(seen)
}

/// Judges again what is not well, with its pods, which know more than their workloads.
async fn look_closer(
    writer: &Writer,
    ailing: &[&Watched],
    found: &BTreeMap<String, Vec<Live>>,
    clock: Clock,
) -> Result<Vec<Seen>, CallError> {
    let asked_at = clock.now();
    let kinds = [
        Kind::pod(),
        Kind::new("apps/v1", "ReplicaSet", "replicasets", true),
    ];
    let [pods, replica_sets] = lists(writer.reader(), ailing, &kinds)
        .await?
        .try_into()
        .unwrap_or_default();
    let none = Vec::new();
    for tenant in ailing.iter().filter(|tenant| tenant.goes_back) {
        let found = found.get(&tenant.namespace).unwrap_or(&none);
        let pods = pods.get(&tenant.namespace).unwrap_or(&none);
        clear_the_way(writer, found, pods, asked_at).await?;
    }
    let judged = ailing.iter().map(|tenant| {
        let health = health::judge_tenant(&Observation {
            wanted: &tenant.wanted,
            found: found.get(&tenant.namespace).unwrap_or(&none),
            pods: pods.get(&tenant.namespace).unwrap_or(&none),
            replica_sets: replica_sets.get(&tenant.namespace).unwrap_or(&none),
            now: asked_at,
            tolerance: Tolerance::default(),
        });
        sight(tenant, &health, asked_at)
    });
    Ok(judged.collect())
}

/// A StatefulSet waits for its broken pod for ever, also when it is to be replaced by a sound one
/// (kubernetes#67250). Deleting that pod, and no other of its name, lets the way back go on.
async fn clear_the_way(
    writer: &Writer,
    found: &[Live],
    pods: &[Live],
    now: Timestamp,
) -> Result<(), CallError> {
    let surroundings = Surroundings {
        pods,
        replica_sets: &[],
        written_at: None,
        now,
        tolerance: Tolerance::default(),
    };
    for pod in found
        .iter()
        .flat_map(|live| health::pods_in_the_way(live, &surroundings))
    {
        let meant = Preconditions {
            uid: pod.uid,
            resource_version: None,
        };
        match writer.delete(&pod.object, &meant, Some(DELETE)).await {
            // Gone, or another pod by now: nothing is in the way any more.
            Ok(_) | Err(CallError::Gone(_) | CallError::Stale(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn sight(watched: &Watched, health: &TenantHealth, at: Timestamp) -> Seen {
    let reduced = match health.verdict {
        Verdict::Healthy | Verdict::Suspended => Health::Healthy,
        Verdict::Progressing => Health::Progressing,
        Verdict::Failed => Health::Failed,
        Verdict::Unknown => Health::Unknown,
    };
    let sample = Sample {
        at,
        health: reduced,
        headline: health.headline.clone(),
    };
    Seen {
        tenant: watched.tenant.clone(),
        sample,
    }
}

/// The objects that have a health of their own, by namespace.
async fn objects(
    reader: &Reader,
    watched: &[Watched],
) -> Result<BTreeMap<String, Vec<Live>>, CallError> {
    let kinds = kinds(reader, watched).await?;
    let tenants: Vec<&Watched> = watched.iter().collect();
    let mut all: BTreeMap<String, Vec<Live>> = BTreeMap::new();
    for list in lists(reader, &tenants, &kinds).await? {
        for (namespace, found) in list {
            all.entry(namespace).or_default().extend(found);
        }
    }
    Ok(all)
}

async fn kinds(reader: &Reader, watched: &[Watched]) -> Result<Vec<Kind>, CallError> {
    let wanted = watched.iter().flat_map(|tenant| &tenant.wanted);
    let mut samples = BTreeMap::new();
    for wanted in wanted.filter(|wanted| health::must_be_observed(&wanted.object)) {
        let key = (
            wanted.object.api_version.as_str(),
            wanted.object.kind.as_str(),
        );
        samples.entry(key).or_insert(&wanted.object);
    }
    let mut kinds = Vec::new();
    for object in samples.into_values() {
        kinds.push(reader.kind_of(object).await?);
    }
    Ok(kinds)
}

/// One map per kind: the objects of each tenant's namespace.
async fn lists(
    reader: &Reader,
    watched: &[&Watched],
    kinds: &[Kind],
) -> Result<Vec<BTreeMap<String, Vec<Live>>>, CallError> {
    try_join_all(kinds.iter().map(|kind| list(reader, watched, kind))).await
}

async fn list(
    reader: &Reader,
    watched: &[&Watched],
    kind: &Kind,
) -> Result<BTreeMap<String, Vec<Live>>, CallError> {
    let namespaces: BTreeSet<&str> = watched
        .iter()
        .map(|tenant| tenant.namespace.as_str())
        .collect();
    let found = if namespaces.len() < MANY {
        let each = namespaces
            .iter()
            .map(|namespace| reader.list(kind, Within::Namespace(namespace), None));
        try_join_all(each).await?.concat()
    } else {
        reader.list(kind, Within::Cluster, None).await?
    };
    let mut by_namespace: BTreeMap<String, Vec<Live>> = BTreeMap::new();
    for live in found {
        let namespace = live.object().namespace.clone().unwrap_or_default();
        if namespaces.contains(namespace.as_str()) {
            by_namespace.entry(namespace).or_default().push(live);
        }
    }
    Ok(by_namespace)
}
