//! Looks at the health of tenants: a few lists per cluster, pods only where something is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rayon::prelude::*;
use serde_json::Value;

use super::changes;
use super::clock::Clock;
use super::lists::{Asked, Lists, Which};
use super::proof;
use crate::cluster::{CallError, Item, Kind, Preconditions, Reader, Writer};
use crate::health::{self, Observation, Surroundings, TenantHealth, Tolerance, Verdict, Wanted};
use crate::manifest::{Live, ObjectRef};
use crate::rollout::{Health, Sample};

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
    /// Nobody has looked for a while: what the cluster proves of that time is to be read.
    pub was_alone: bool,
    pub before: Known,
}

/// What the look before came to know of a tenant: what has not changed since is not read again.
#[derive(Clone, Debug, Default)]
pub struct Known {
    well: Option<Well>,
    focus: Option<Focus>,
    /// What was read of a tenant that is not well, by version.
    read: BTreeMap<String, Live>,
}

/// A healthy tenant, and the versions of all its objects that have a health. As long as they stay
/// the same, so does the verdict.
#[derive(Clone, Debug)]
struct Well {
    versions: String,
    headline: String,
}

/// What keeps a tenant from being well. As long as it does, the rest need not be looked at every time.
#[derive(Clone, Debug)]
struct Focus {
    wanted: Arc<[Wanted]>,
    /// How often nothing else was looked at.
    looks: usize,
}

/// So many tenants are read at a time.
const AT_A_TIME: usize = 16;
/// After so many looks at a part, the whole tenant is looked at: something else may be beyond hope by then.
const NARROW: usize = 3;

/// What was seen of one tenant.
#[derive(Clone, Debug)]
pub struct Seen {
    pub tenant: String,
    pub sample: Sample,
    /// Since when it is proven to be as it is.
    pub quiet_since: Option<Timestamp>,
    pub known: Known,
}

/// What one look saw.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub seen: Vec<Seen>,
    /// How many pages of lists it took.
    pub pages: usize,
}

/// Looks at tenants of one cluster, which has `population` of them. Every verdict is of the moment
/// when the lists were asked for. Where it is known what keeps a tenant from being well, that is looked at
/// first, and the rest only once that is well. Who goes back is helped by whoever may write.
pub async fn observe(
    (reader, writer): (&Reader, Option<&Writer>),
    watched: &[Watched],
    population: usize,
    clock: Clock,
) -> Result<Observed, CallError> {
    let lists = Lists {
        reader: reader.clone(),
        population,
    };
    // What is asked of one tenant after the other costs the same in small parts, and takes less memory.
    let at_a_time = if lists.is_few(watched.len()) {
        AT_A_TIME
    } else {
        watched.len().max(1)
    };
    let mut observed = Observed::default();
    for part in watched.chunks(at_a_time) {
        observed = observed.and(observe_some(writer, &lists, part, clock).await?);
    }
    proof::add(&mut observed, &lists, watched).await?;
    Ok(observed)
}

async fn observe_some(
    writer: Option<&Writer>,
    lists: &Lists,
    watched: &[Watched],
    clock: Clock,
) -> Result<Observed, CallError> {
    let is_well = |tenant: &&Watched| tenant.before.well.is_some();
    let (well, others): (Vec<&Watched>, Vec<&Watched>) = watched.iter().partition(is_well);
    let (still_well, changed) = look_at_versions(lists, &well, clock).await?;
    let (narrow, mut whole) = narrowed(&others);
    let narrow: Vec<&Watched> = narrow.iter().collect();
    let mut seen_narrow = look(writer, lists, &narrow, clock).await?;
    let is_ailing = |seen: &Seen| seen.sample.health != Health::Healthy;
    seen_narrow.seen.retain(is_ailing);
    let ailing: BTreeSet<&str> = seen_narrow
        .seen
        .iter()
        .map(|seen| seen.tenant.as_str())
        .collect();
    let is_healed =
        |tenant: &&Watched| tenant.focus().is_some() && !ailing.contains(tenant.tenant.as_str());
    whole.extend(others.into_iter().filter(is_healed));
    whole.extend(changed);
    let seen_whole = look(writer, lists, &whole, clock).await?;
    Ok(still_well.and(seen_narrow).and(seen_whole))
}

/// Tenants that were well: those of which no version has changed still are; the others, to be looked at.
async fn look_at_versions<'a>(
    lists: &Lists,
    watched: &[&'a Watched],
    clock: Clock,
) -> Result<(Observed, Vec<&'a Watched>), CallError> {
    let asked_at = clock.now();
    let found = lists.versions_of_wanted(watched).await?;
    let mut changed = Vec::new();
    let mut seen = Vec::new();
    for tenant in watched {
        let versions = versions(found.of(&tenant.namespace));
        match &tenant.before.well {
            Some(well) if well.versions == versions => {
                seen.push(Seen::well(tenant, well.clone(), asked_at));
            }
            _ => changed.push(*tenant),
        }
    }
    let pages = found.pages;
    Ok((Observed { seen, pages }, changed))
}

/// Tenants of which a part is looked at first, with that part alone; and all others.
fn narrowed<'a>(watched: &[&'a Watched]) -> (Vec<Watched>, Vec<&'a Watched>) {
    let mut narrow = Vec::new();
    let mut whole = Vec::new();
    for tenant in watched.iter().copied() {
        match tenant.focus() {
            Some(focus) => narrow.push(Watched {
                wanted: Arc::clone(&focus.wanted),
                ..tenant.clone()
            }),
            None => whole.push(tenant),
        }
    }
    (narrow, whole)
}

async fn look(
    writer: Option<&Writer>,
    lists: &Lists,
    watched: &[&Watched],
    clock: Clock,
) -> Result<Observed, CallError> {
    let asked_at = clock.now();
    let found = lists.of_wanted(watched).await?;
    let glances = watched
        .par_iter()
        .map(|tenant| glance(tenant, found.of(&tenant.namespace), asked_at));
    let mut observed = Observed {
        seen: Vec::new(),
        pages: found.pages,
    };
    let mut ailing = Vec::new();
    for glance in glances.collect::<Result<Vec<_>, _>>()? {
        match glance {
            Glance::Enough(one) => observed.seen.push(one),
            Glance::Ailing(one) => ailing.push(one),
        }
    }
    if !ailing.is_empty() {
        observed = observed.and(look_closer(writer, lists, ailing, clock).await?);
    }
    Ok(observed)
}

impl Observed {
    fn and(mut self, other: Self) -> Self {
        self.seen.extend(other.seen);
        self.pages += other.pages;
        self
    }
}

impl Watched {
    fn focus(&self) -> Option<&Focus> {
        let focus = self.before.focus.as_ref();
        focus.filter(|focus| focus.looks < NARROW)
    }
}

enum Glance<'a> {
    Enough(Seen),
    Ailing(Ailing<'a>),
}

/// A tenant that is not well, or not yet, by its workloads.
struct Ailing<'a> {
    tenant: &'a Watched,
    /// What is wanted of it, and who changed what since it was written.
    wanted: Arc<[Wanted]>,
    versions: String,
    found: Vec<Live>,
    /// What is not well of it.
    parts: Vec<ObjectRef>,
    pods: Vec<Live>,
    replica_sets: Vec<Live>,
}

fn glance<'a>(
    tenant: &'a Watched,
    items: &[Item],
    asked_at: Timestamp,
) -> Result<Glance<'a>, CallError> {
    let found = tenant.before.read(items)?;
    let mut ailing = Ailing {
        tenant,
        wanted: changes::noted(&tenant.wanted, &found, items)?,
        versions: versions(items),
        found,
        parts: Vec::new(),
        pods: Vec::new(),
        replica_sets: Vec::new(),
    };
    let health = ailing.judge(asked_at);
    let parts = health.objects.iter();
    let parts = parts.filter(|part| !part.verdict.is_settled_well());
    ailing.parts = parts.map(|part| part.object.clone()).collect();
    Ok(if health.verdict.is_settled_well() {
        Glance::Enough(ailing.told(&health, asked_at))
    } else {
        Glance::Ailing(ailing)
    })
}

/// Judges again what is not well, with its pods and replica sets, which know more than the
/// workloads above them.
async fn look_closer(
    writer: Option<&Writer>,
    lists: &Lists,
    mut ailing: Vec<Ailing<'_>>,
    clock: Clock,
) -> Result<Observed, CallError> {
    let asked_at = clock.now();
    let found = lists.of_kinds(&below(&ailing)).await?;
    ailing.par_iter_mut().try_for_each(|one| {
        let below = one.tenant.before.read(found.of(&one.tenant.namespace))?;
        (one.pods, one.replica_sets) = below
            .into_iter()
            .partition(|live| live.object().kind == "Pod");
        Ok::<_, CallError>(())
    })?;
    if let Some(writer) = writer {
        for one in ailing.iter().filter(|one| one.tenant.goes_back) {
            clear_the_way(writer, &one.found, &one.pods, asked_at).await?;
        }
    }
    let judged = ailing.into_par_iter().map(|one| {
        let health = one.judge(asked_at);
        one.told(&health, asked_at)
    });
    Ok(Observed {
        seen: judged.collect(),
        pages: found.pages,
    })
}

/// What may tell more of what is not well: where that is one workload, its pods and replica sets alone.
fn below<'a>(ailing: &[Ailing<'a>]) -> [Asked<'a>; 2] {
    let (mut pods, mut replica_sets) = (BTreeMap::new(), BTreeMap::new());
    for one in ailing {
        let namespace = one.tenant.namespace.as_str();
        let which = one.selector().map_or(Which::All, Which::Labelled);
        if one.parts.iter().any(|part| part.kind == "Deployment") {
            replica_sets.insert(namespace, which.clone());
        }
        pods.insert(namespace, which);
    }
    let replica_set = Kind::new("apps/v1", "ReplicaSet", "replicasets", true);
    [(Kind::pod(), pods), (replica_set, replica_sets)]
}

impl Known {
    fn read(&self, items: &[Item]) -> Result<Vec<Live>, CallError> {
        let read = |item: &Item| match self.read.get(item.resource_version()) {
            Some(live) if item.is(live) => Ok(live.clone()),
            _ => item.read_bare(),
        };
        items.iter().map(read).collect()
    }
}

impl Ailing<'_> {
    /// The label selector of the one workload that is not well.
    fn selector(&self) -> Option<String> {
        let [part] = self.parts.as_slice() else {
            return None;
        };
        let live = self.found.iter().find(|live| live.object().is_same(part))?;
        let selector = &live.value()["spec"]["selector"];
        let labels = selector["matchLabels"].as_object()?;
        if labels.is_empty() || !selector["matchExpressions"].is_null() {
            return None;
        }
        let label = |(key, value): (&String, &Value)| Some(format!("{key}={}", value.as_str()?));
        let labels: Option<Vec<String>> = labels.iter().map(label).collect();
        Some(labels?.join(","))
    }

    fn judge(&self, now: Timestamp) -> TenantHealth {
        health::judge_tenant(&Observation {
            wanted: &self.wanted,
            found: &self.found,
            pods: &self.pods,
            replica_sets: &self.replica_sets,
            now,
            tolerance: Tolerance::default(),
        })
    }

    fn told(self, health: &TenantHealth, at: Timestamp) -> Seen {
        let reduced = match health.verdict {
            Verdict::Healthy | Verdict::Suspended => Health::Healthy,
            Verdict::Progressing => Health::Progressing,
            Verdict::Failed => Health::Failed,
            Verdict::Unknown => Health::Unknown,
        };
        let headline = health.headline.clone();
        let serves = health::serves(&self.wanted, &self.found);
        if reduced == Health::Healthy {
            let versions = self.versions;
            return Seen::well(self.tenant, Well { versions, headline }, at);
        }
        Seen {
            tenant: self.tenant.tenant.clone(),
            sample: Sample {
                at,
                health: reduced,
                serves,
                headline,
            },
            quiet_since: None,
            known: self.known(health),
        }
    }

    fn known(self, health: &TenantHealth) -> Known {
        let focus = self.focus(health);
        let in_focus = Arc::clone(&focus.wanted);
        let is_in_focus = |live: &Live| {
            let mut wanted = in_focus.iter();
            wanted.any(|wanted| wanted.object.is_same(live.object()))
        };
        let found = self.found.into_iter().filter(is_in_focus);
        let read = found
            .chain(self.pods)
            .map(|live| (live.resource_version().to_owned(), live));
        Known {
            well: None,
            focus: Some(focus),
            read: read.collect(),
        }
    }

    fn focus(&self, health: &TenantHealth) -> Focus {
        let is_in_the_way = |wanted: &&Wanted| {
            let mut ailing = health.objects.iter().filter(|object| {
                !object.verdict.is_settled_well() || object.verdict == Verdict::Suspended
            });
            ailing.any(|object| object.object.is_same(&wanted.object))
        };
        let wanted = self.tenant.wanted.iter().filter(is_in_the_way);
        Focus {
            wanted: wanted.cloned().collect(),
            looks: match self.tenant.focus() {
                Some(focus) => focus.looks + 1,
                None => 0,
            },
        }
    }
}

impl Seen {
    fn well(watched: &Watched, well: Well, at: Timestamp) -> Self {
        Self {
            tenant: watched.tenant.clone(),
            sample: Sample {
                at,
                health: Health::Healthy,
                serves: true,
                headline: well.headline.clone(),
            },
            quiet_since: None,
            known: Known {
                well: Some(well),
                focus: None,
                read: BTreeMap::new(),
            },
        }
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
