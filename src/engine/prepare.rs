//! What a process that has the lease goes on with: the rollout that is open, or a new one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::baseline;
use super::brake;
use super::choice;
use super::clusters::Clusters;
use super::departures::{self, Departure};
use super::foreign;
use super::hook_news::note_bars;
use super::identity;
use super::ledger::{Ledger, Opening};
use super::lineage::{self, Ahead, AheadAt};
use super::pages;
use super::planning::Bundles;
use super::queue;
use super::rebuild::{self, Rebuild};
use super::resume;
use super::rollouts::{Order, World};
use super::roster;
use super::stop::unless_stopped;
use super::store;
use super::survey::{Survey, plan, survey_of};
use super::unrendered;
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
    /// A lost cluster is brought back first.
    Rebuilding {
        cluster: String,
    },
}

/// A rollout that can be conducted.
pub struct Ready {
    pub frozen: Frozen,
    pub progress: Progress,
    pub ledger: Ledger,
    pub survey: Survey,
    pub bundles: BTreeMap<String, PackedBundle>,
    /// The commits of these bundles.
    pub releases: BTreeMap<String, String>,
    /// What happened just now, and nobody has heard yet.
    pub news: Option<Event>,
    /// What somebody should know, and counts for nothing.
    pub warnings: Vec<String>,
}

/// Reads where things stand and decides; holds the lease.
pub async fn prepare(
    order: &Order<'_>,
    world: &World<'_>,
    hub: &Writer,
) -> anyhow::Result<Prepared> {
    let now = world.clock.now();
    let lost = order.rebuild.as_ref().map(|one| one.cluster.as_str());
    let survey = survey_of(&world.clusters, &order.fleet.environment.name, lost, now);
    let survey = unless_stopped(&world.stop, survey).await??;
    let open = survey.rollouts.iter().find(|one| one.value.state.is_open());
    match open.cloned() {
        Some(open) if order.is_of(&open.value) => {
            if rebuild::is_of_this(open.value.rebuild.as_ref(), &survey) {
                go_on(order, world, hub, open, survey).await
            } else {
                // The new cluster was replaced by yet another one.
                after(order, world, hub, open, survey).await
            }
        }
        Some(open) if open.value.rebuild.is_some() => Ok(Prepared::Rebuilding {
            cluster: open
                .value
                .rebuild
                .map(|one| one.cluster)
                .unwrap_or_default(),
        }),
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
    if let Some(rebuilt) = &open.value.rebuild {
        rebuild::note_identity(hub, &survey, rebuilt, world.clock.now()).await?;
    }
    let (frozen, mut progress) = resume::rebuild(&open.value, &lines, order, &survey)?;
    progress.gates = Gates::of(&survey.last_words, &open.value);
    resume::check_content(&open.value, &frozen, order)?;
    Ok(Prepared::Ready(Box::new(Ready {
        frozen,
        progress,
        ledger: Ledger::reopen(hub.clone(), open),
        survey,
        bundles: rendered(order.bundles),
        releases: releases(order),
        news: None,
        warnings: Vec::new(),
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
    if order.rebuild.is_none() && lineage::is_older(order, &release)? {
        let at = AheadAt::Rollout;
        return Ok(Prepared::Ahead(Ahead { release, at }));
    }
    let name = world.clusters.hub()?.name().to_owned();
    match foreign::rest(order, world, hub, open, survey).await? {
        foreign::Rest::InFlight(ready) => Ok(Prepared::First(ready)),
        foreign::Rest::Settled(survey) => {
            let rollouts = survey.rollouts.iter();
            for open in rollouts.filter(|one| one.value.state.is_open()) {
                queue::supersede(hub, open, &order.name(), world.clock.now())
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
    if let Some(rebuild) = &order.rebuild {
        return begin_rebuild((order, rebuild), world, hub, survey).await;
    }
    let now = world.clock.now();
    let name = world.clusters.hub()?.name().to_owned();
    let waiting = match queue::come_first(hub, order, &survey.rollouts, now).await? {
        queue::Place::First(waiting) => waiting,
        queue::Place::Behind(release) => {
            let at = AheadAt::Queue;
            return Ok(Prepared::Ahead(Ahead { release, at }));
        }
    };
    let strategy = choice::choose(order, &survey, hub.reader(), now)
        .await
        .map_err(|trouble| trouble.advise(&name))?;
    let order = &Order {
        strategy,
        ..order.clone()
    };
    let mut plan = plan(order, &survey, now);
    unrendered::check(order, &plan)?;
    let leaving = may_leave(order, &plan, &survey, now);
    let stays_queued = if plan.is_empty() && leaving.is_empty() {
        Some(Prepared::Nothing(plan.clone()))
    } else {
        lineage::ahead_of(order, &survey)?.map(Prepared::Ahead)
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
    let unhealthy = baseline::unhealthy_of(&world.clusters, &plan, &survey.records, world.clock);
    plan.note_unhealthy(unhealthy.await);
    let pages = pages::pages_of(&world.clusters, &plan, world.clock).await;
    plan.note_unwell_pages(pages.unwell);
    ensure_namespaces(&world.clusters, &plan).await?;
    identity::note(hub, &survey.newcomers, now)
        .await
        .map_err(|error| error.advise(&name))?;
    roster::refresh(hub, order.fleet, &survey, now)
        .await
        .map_err(|trouble| trouble.advise(&name))?;
    let opening = opening(order, now);
    let ledger = Ledger::open(hub.clone(), opening, (&plan, None), &order.strategy)
        .await
        .map_err(|trouble| trouble.advise(&name))?;
    queue::begin(hub, waiting).await;
    Ok(Prepared::Ready(Box::new(Ready {
        warnings: pages.warnings,
        ..ready(order, plan, ledger, survey)
    })))
}

/// Freezes what a lost cluster gets back. Killed before its plan is stored, nothing has begun; killed after it, whoever
/// goes on notes the new cluster.
async fn begin_rebuild(
    (order, rebuild): (&Order<'_>, &Rebuild),
    world: &World<'_>,
    hub: &Writer,
    survey: Survey,
) -> anyhow::Result<Prepared> {
    let now = world.clock.now();
    let name = world.clusters.hub()?.name();
    let instead = rebuild::allow(rebuild, &survey)?;
    let plan = plan(order, &survey, now);
    if plan.is_empty() {
        return Ok(Prepared::Nothing(plan));
    }
    ensure_namespaces(&world.clusters, &plan).await?;
    let opening = Opening {
        release: None,
        rebuild: Some(instead.clone()),
        ..opening(order, now)
    };
    let ledger = Ledger::open(
        hub.clone(),
        opening,
        (&plan, Some(rebuild)),
        &order.strategy,
    )
    .await
    .map_err(|trouble| trouble.advise(name))?;
    rebuild::note_identity(hub, &survey, &instead, now).await?;
    Ok(Prepared::Ready(Box::new(ready(
        order, plan, ledger, survey,
    ))))
}

/// A plan that was just frozen.
fn ready(order: &Order<'_>, plan: Plan, ledger: Ledger, survey: Survey) -> Ready {
    let mut progress = Progress::new(&plan);
    note_bars(&mut progress, &plan, &survey.records);
    progress.gates = Gates::of(&survey.last_words, ledger.record());
    Ready {
        progress,
        frozen: Frozen::new(plan, order.strategy.clone()),
        ledger,
        survey,
        bundles: rendered(order.bundles),
        releases: releases(order),
        news: None,
        warnings: Vec::new(),
    }
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
        rebuild: None,
        by: order.who.name.clone(),
        why: order.who.why.clone(),
        at,
        whole: order.selected.is_none(),
    }
}

pub async fn ensure_namespaces(clusters: &Clusters, plan: &Plan) -> anyhow::Result<()> {
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

/// The commit of each bundle.
fn releases(order: &Order<'_>) -> BTreeMap<String, String> {
    if let Some(rebuild) = &order.rebuild {
        return rebuild.releases();
    }
    let tenants = order.bundles.keys();
    let each = tenants.map(|tenant| (tenant.clone(), order.release.clone()));
    each.collect()
}
