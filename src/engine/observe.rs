//! Looks at the health of tenants: a few lists per cluster, pods only where something is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;

use super::clock::Clock;
use crate::cluster::{CallError, Item, Kind, Preconditions, Reader, Within, Writer};
use crate::health::{self, Observation, Surroundings, TenantHealth, Tolerance, Verdict, Wanted};
use crate::manifest::Live;
use crate::rollout::{Health, Sample};

/// Up to this many tenants, a list for each is cheaper than one of the whole cluster.
const FEW: usize = 5;
/// So is a list for each of less than this part of all tenants.
const PART: usize = 4;
/// A delete that the server has not taken by then is tried again at the next look.
const DELETE: Duration = Duration::from_secs(5);

/// A tenant to look at.
#[derive(Clone, Debug)]
pub struct Watched {
    pub tenant: String,
    pub namespace: String,
    pub wanted: Arc<[Wanted]>,
    /// It goes back: pods of the bad revision that keep a StatefulSet from it are deleted.
    pub goes_back: bool,
    /// Set if it was healthy when it was last looked at.
    pub before: Option<Well>,
}

/// A healthy tenant, and the versions of all its objects that have a health. As long as they stay
/// the same, so does the verdict: nothing of a healthy tenant is read twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Well {
    versions: String,
    headline: String,
}

/// What was seen of one tenant.
#[derive(Clone, Debug)]
pub struct Seen {
    pub tenant: String,
    pub sample: Sample,
    /// Set if it is healthy.
    pub well: Option<Well>,
}

/// What was listed of one namespace.
type Listed = BTreeMap<String, Vec<Item>>;

/// Looks at tenants of one cluster, which has `population` of them. Every verdict is of the moment
/// when the lists were asked for.
pub async fn observe(
    writer: &Writer,
    watched: &[Watched],
    population: usize,
    clock: Clock,
) -> Result<Vec<Seen>, CallError> {
    let lists = Lists {
        reader: writer.reader().clone(),
        population,
    };
    let asked_at = clock.now();
    let found = lists.of_wanted(watched).await?;
    let mut seen = Vec::new();
    let mut ailing = Vec::new();
    for tenant in watched {
        let items = found.get(&tenant.namespace).map_or(&[][..], Vec::as_slice);
        let versions = versions(items);
        if let Some(well) = tenant
            .before
            .as_ref()
            .filter(|well| well.versions == versions)
        {
            seen.push(unchanged(tenant, well, asked_at));
            continue;
        }
        let found = read(items)?;
        let health = judge(tenant, &found, Beneath::default(), asked_at);
        if health.verdict.is_settled_well() {
            seen.push(sight(tenant, &health, versions, asked_at));
        } else {
            ailing.push((tenant, found, versions));
        }
    }
    seen.extend(look_closer(writer, &lists, ailing, clock).await?);
    Ok(seen)
}

/// Pods and replica sets, which know more than the workloads above them.
#[derive(Clone, Copy, Default)]
struct Beneath<'a> {
    pods: &'a [Live],
    replica_sets: &'a [Live],
}

/// Judges again what is not well, with what is beneath it.
async fn look_closer(
    writer: &Writer,
    lists: &Lists,
    ailing: Vec<(&Watched, Vec<Live>, String)>,
    clock: Clock,
) -> Result<Vec<Seen>, CallError> {
    if ailing.is_empty() {
        return Ok(Vec::new());
    }
    let asked_at = clock.now();
    let namespaces: BTreeSet<&str> = ailing
        .iter()
        .map(|(tenant, ..)| tenant.namespace.as_str())
        .collect();
    let pods = lists.of_kind(&namespaces, &Kind::pod()).await?;
    let kind = Kind::new("apps/v1", "ReplicaSet", "replicasets", true);
    let replica_sets = lists.of_kind(&namespaces, &kind).await?;
    let in_namespace = |listed: &Listed, tenant: &Watched| {
        let items = listed.get(&tenant.namespace);
        read(items.map_or(&[][..], Vec::as_slice))
    };
    let mut seen = Vec::new();
    for (tenant, found, versions) in ailing {
        let pods = in_namespace(&pods, tenant)?;
        if tenant.goes_back {
            clear_the_way(writer, &found, &pods, asked_at).await?;
        }
        let replica_sets = in_namespace(&replica_sets, tenant)?;
        let beneath = Beneath {
            pods: &pods,
            replica_sets: &replica_sets,
        };
        let health = judge(tenant, &found, beneath, asked_at);
        seen.push(sight(tenant, &health, versions, asked_at));
    }
    Ok(seen)
}

fn judge(tenant: &Watched, found: &[Live], beneath: Beneath<'_>, now: Timestamp) -> TenantHealth {
    health::judge_tenant(&Observation {
        wanted: &tenant.wanted,
        found,
        pods: beneath.pods,
        replica_sets: beneath.replica_sets,
        now,
        tolerance: Tolerance::default(),
    })
}

fn read(items: &[Item]) -> Result<Vec<Live>, CallError> {
    items.iter().map(Item::read).collect()
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

fn sight(watched: &Watched, health: &TenantHealth, versions: String, at: Timestamp) -> Seen {
    let reduced = match health.verdict {
        Verdict::Healthy | Verdict::Suspended => Health::Healthy,
        Verdict::Progressing => Health::Progressing,
        Verdict::Failed => Health::Failed,
        Verdict::Unknown => Health::Unknown,
    };
    Seen {
        tenant: watched.tenant.clone(),
        sample: Sample {
            at,
            health: reduced,
            headline: health.headline.clone(),
        },
        well: (reduced == Health::Healthy).then(|| Well {
            versions,
            headline: health.headline.clone(),
        }),
    }
}

/// It was healthy, and not a byte of it is another.
fn unchanged(watched: &Watched, well: &Well, at: Timestamp) -> Seen {
    Seen {
        tenant: watched.tenant.clone(),
        sample: Sample {
            at,
            health: Health::Healthy,
            headline: well.headline.clone(),
        },
        well: Some(well.clone()),
    }
}

fn versions(items: &[Item]) -> String {
    let mut versions = String::new();
    for item in items {
        let kind = &item.kind().kind;
        let (name, version) = (item.name(), item.resource_version());
        write!(versions, "{kind}/{name}@{version} ").expect("text grows");
    }
    versions
}

/// The lists of one look.
struct Lists {
    reader: Reader,
    population: usize,
}

impl Lists {
    /// The objects that have a health of their own, by namespace.
    async fn of_wanted(&self, watched: &[Watched]) -> Result<Listed, CallError> {
        let namespaces: BTreeSet<&str> = watched
            .iter()
            .map(|tenant| tenant.namespace.as_str())
            .collect();
        let kinds = kinds(&self.reader, watched).await?;
        let lists = kinds.iter().map(|kind| self.of_kind(&namespaces, kind));
        let mut all = Listed::new();
        for list in try_join_all(lists).await? {
            for (namespace, found) in list {
                all.entry(namespace).or_default().extend(found);
            }
        }
        Ok(all)
    }

    /// The objects of one kind, by namespace.
    async fn of_kind(&self, namespaces: &BTreeSet<&str>, kind: &Kind) -> Result<Listed, CallError> {
        let is_few = namespaces.len() <= FEW || namespaces.len() * PART < self.population;
        let found = if is_few {
            let each = namespaces.iter().map(|namespace| {
                self.reader
                    .list_items(kind, Within::Namespace(namespace), None)
            });
            try_join_all(each).await?.concat()
        } else {
            self.reader.list_items(kind, Within::Cluster, None).await?
        };
        let mut by_namespace = Listed::new();
        for item in found {
            let namespace = item.namespace().unwrap_or_default();
            if namespaces.contains(namespace) {
                let items = by_namespace.entry(namespace.to_owned()).or_default();
                items.push(item);
            }
        }
        Ok(by_namespace)
    }
}

async fn kinds(reader: &Reader, watched: &[Watched]) -> Result<Vec<Kind>, CallError> {
    let wanted = watched.iter().flat_map(|tenant| tenant.wanted.iter());
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
