//! What a process that has the lease goes on with: the rollout that is open, or a new one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::baseline;
use super::brake;
use super::clusters::Clusters;
use super::departures::{self, Departure};
use super::foreign;
use super::hook_news::note_bars;
use super::identity;
use super::ledger::{Ledger, Opening};
use super::lineage::{self, Ahead, AheadAt};
use super::planning::Bundles;
use super::queue;
use super::resume;
use super::rollouts::{Order, World};
use super::stop::unless_stopped;
use super::store;
use super::survey::{Survey, plan, survey};
use crate::cluster::Writer;
use crate::record::{NAMESPACE, PackedBundle, RolloutRecord, Stored};
use crate::rollout::{Event, Frozen, Gates, Plan, Progress};

/// What there is to do.
pub enum Prepared {
    Nothing(Plan),
    Ready(Box<Ready>),
    /// The rollout of an older release has to come to rest first.
    First(Box<Ready>),
    /// A newer release goes first.
    Ahead(Ahead),
}

/// A rollout that can be conducted.
pub struct Ready {
    pub frozen: Frozen,
    pub progress: Progress,
    pub ledger: Ledger,
    pub survey: Survey,
    pub bundles: BTreeMap<String, PackedBundle>,
    /// The commit of these bundles.
    pub release: String,
    /// What happened just now, and nobody has heard yet.
    pub news: Option<Event>,
}

/// Reads where things stand and decides; holds the lease.
pub async fn prepare(
    order: &Order<'_>,
    world: &World<'_>,
    hub: &Writer,
) -> anyhow::Result<Prepared> {
    let now = world.clock.now();
    let survey = survey(&world.clusters, &order.fleet.environment.name, now);
    let survey = unless_stopped(&world.stop, survey).await??;
    let open = survey.rollouts.iter().find(|one| one.value.state.is_open());
    match open.cloned() {
        Some(open) if open.value.release.as_ref() == Some(&order.release) => {
            go_on(order, world, hub, open, survey).await
        }
        Some(open) => after(order, world, hub, open, survey).await,
        None => begin(order, world, hub, survey).await,
    }
}

/// Goes on with the same release where it was left off.
async fn go_on(
    order: &Order<'_>,
    world: &World<'_>,
    hub: &Writer,
    open: Stored<RolloutRecord>,
    survey: Survey,
) -> anyhow::Result<Prepared> {
    let name = world.clusters.hub()?.name();
    let lines = store::plan(hub.reader(), &open.value)
        .await
        .map_err(|trouble| trouble.advise(name))?;
    let (frozen, mut progress) = resume::rebuild(&open.value, &lines, order, &survey)?;
    progress.gates = Gates::of(&survey.last_words, &open.value);
    resume::check_content(&open.value, &frozen, order)?;
    Ok(Prepared::Ready(Box::new(Ready {
        frozen,
        progress,
        ledger: Ledger::reopen(hub.clone(), open),
        survey,
        bundles: rendered(order.bundles),
        release: order.release.clone(),
        news: None,
    })))
}

/// Goes on after the rollout of another release: what it has in flight settles first.
async fn after(
    order: &Order<'_>,
    world: &World<'_>,
    hub: &Writer,
    open: Stored<RolloutRecord>,
    survey: Survey,
) -> anyhow::Result<Prepared> {
    let release = open.value.release.clone().unwrap_or_default();
    if lineage::is_older(order, &release)? {
        let at = AheadAt::Rollout;
        return Ok(Prepared::Ahead(Ahead { release, at }));
    }
    let name = world.clusters.hub()?.name().to_owned();
    match foreign::rest(order, world, hub, open, survey).await? {
        foreign::Rest::InFlight(ready) => Ok(Prepared::First(ready)),
        foreign::Rest::Settled(survey) => {
            let rollouts = survey.rollouts.iter();
            for open in rollouts.filter(|one| one.value.state.is_open()) {
                queue::supersede(hub, open, &order.release, world.clock.now())
                    .await
                    .map_err(|trouble| trouble.advise(&name))?;
            }
            begin(order, world, hub, *survey).await
        }
    }
}

/// Plans, and starts a rollout.
async fn begin(
    order: &Order<'_>,
    world: &World<'_>,
    hub: &Writer,
    survey: Survey,
) -> anyhow::Result<Prepared> {
    let now = world.clock.now();
    let name = world.clusters.hub()?.name().to_owned();
    let waiting = match queue::come_first(hub, order, &survey.rollouts, now).await? {
        queue::Place::First(waiting) => waiting,
        queue::Place::Behind(release) => {
            let at = AheadAt::Queue;
            return Ok(Prepared::Ahead(Ahead { release, at }));
        }
    };
    let mut plan = plan(order, &survey, now);
    let leaving = may_leave(order, &plan, &survey, now);
    let stays_queued = if plan.is_empty() && leaving.is_empty() {
        Some(Prepared::Nothing(plan.clone()))
    } else {
        lineage::ahead_of(order, &survey.records)?.map(Prepared::Ahead)
    };
    if let Some(prepared) = stays_queued {
        queue::leave(hub, waiting, "nothing to do", now).await;
        return Ok(prepared);
    }
    brake::check(order, &plan, &survey, now)?;
    if !leaving.is_empty() {
        identity::note(hub, &survey.newcomers, now)
            .await
            .map_err(|error| error.advise(&name))?;
        departures::carry_out(order, world, leaving, &survey, &mut plan).await;
    }
    if plan.is_empty() {
        queue::leave(hub, waiting, "nothing to roll out", now).await;
        return Ok(Prepared::Nothing(plan));
    }
    let unhealthy = baseline::unhealthy(&world.clusters, &plan, &survey.records, world.clock);
    plan.note_unhealthy(unhealthy.await);
    ensure_namespaces(&world.clusters, &plan).await?;
    identity::note(hub, &survey.newcomers, now)
        .await
        .map_err(|error| error.advise(&name))?;
    let ledger = Ledger::open(hub.clone(), opening(order, now), &plan, &order.strategy)
        .await
        .map_err(|trouble| trouble.advise(&name))?;
    queue::begin(hub, waiting).await;
    let mut progress = Progress::new(&plan);
    note_bars(&mut progress, &plan, &survey.records);
    progress.gates = Gates::of(&survey.last_words, ledger.record());
    Ok(Prepared::Ready(Box::new(Ready {
        progress,
        frozen: Frozen::new(plan, order.strategy.clone()),
        ledger,
        survey,
        bundles: rendered(order.bundles),
        release: order.release.clone(),
        news: None,
    })))
}

/// Tenants whose last day is over, and that may be removed now.
fn may_leave(order: &Order<'_>, plan: &Plan, survey: &Survey, now: Timestamp) -> Vec<Departure> {
    let standing = departures::standing(order, plan, survey, now).into_iter();
    let may = standing.filter(|(_, waits)| waits.is_none());
    may.map(|(departure, _)| departure).collect()
}

/// Who starts what, and why, as the hub notes it.
pub fn opening(order: &Order<'_>, at: Timestamp) -> Opening {
    Opening {
        environment: order.fleet.environment.name.clone(),
        release: Some(order.release.clone()),
        by: order.who.name.clone(),
        why: order.who.why.clone(),
        at,
    }
}

async fn ensure_namespaces(clusters: &Clusters, plan: &Plan) -> anyhow::Result<()> {
    let names: BTreeSet<&str> = plan
        .tenants()
        .map(|(_, planned)| planned.place.cluster.as_str())
        .collect();
    for name in names {
        let writer = clusters.get(name)?.writer();
        writer
            .ensure_namespace(NAMESPACE)
            .await
            .map_err(|error| error.advise(name))?;
    }
    Ok(())
}

fn rendered(bundles: &Bundles) -> BTreeMap<String, PackedBundle> {
    let rendered = bundles
        .iter()
        .filter_map(|(tenant, bundle)| Some((tenant.clone(), bundle.as_ref().ok()?.clone())));
    rendered.collect()
}
