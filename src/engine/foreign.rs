//! The rollout of another release that was left open: what it has in flight settles before a newer one starts.

use std::collections::BTreeMap;

use super::clusters::Clusters;
use super::ledger::Ledger;
use super::prepare::Ready;
use super::resume;
use super::rollouts::{Order, World};
use super::store;
use super::survey::Survey;
use crate::cluster::Writer;
use crate::record::{PackedBundle, RolloutRecord, Stored};
use crate::rollout::{Frozen, Phase, Progress, State, What};

/// What is left of it.
pub enum Rest {
    /// Nothing is in flight: it can be superseded as it is.
    Settled(Box<Survey>),
    InFlight(Box<Ready>),
}

/// Rebuilds the rollout, which starts nothing more. One that takes back what it broke does so to the end.
pub async fn rest(
    order: &Order<'_>,
    world: &World<'_>,
    hub: &Writer,
    open: Stored<RolloutRecord>,
    survey: Survey,
) -> anyhow::Result<Rest> {
    let name = world.clusters.hub()?.name();
    let lines = store::plan(hub.reader(), &open.value)
        .await
        .map_err(|trouble| trouble.advise(name))?;
    let (frozen, mut progress) = resume::rebuild(&open.value, &lines, order, &survey)?;
    let bundles = left_off(&world.clusters, &frozen, &mut progress).await;
    let release = open.value.release.clone().unwrap_or_default();
    let releases = bundles
        .keys()
        .map(|tenant| (tenant.clone(), release.clone()));
    let releases = releases.collect();
    if is_settled(&progress) {
        return Ok(Rest::Settled(Box::new(survey)));
    }
    let mut ledger = Ledger::reopen(hub.clone(), open);
    let by = order.name();
    let news = What::Superseded { by }.at(world.clock.now());
    let makes_way = matches!(progress.state, State::Running | State::Paused { .. });
    if makes_way {
        ledger
            .note(&news)
            .await
            .map_err(|trouble| trouble.advise(name))?;
        progress.fold(&news);
    }
    Ok(Rest::InFlight(Box::new(Ready {
        frozen,
        progress,
        ledger,
        survey,
        bundles,
        releases,
        news: makes_way.then_some(news),
        warnings: Vec::new(),
    })))
}

fn is_settled(progress: &Progress) -> bool {
    let is_any_in_flight = progress
        .tenants
        .values()
        .any(|one| one.phase.is_in_flight());
    !is_any_in_flight && !matches!(progress.state, State::RollingBack { .. })
}

/// The bundles that were being written, as their clusters keep them: git may not have the commit any more. A tenant
/// whose bundle cannot be read now is left to the newer release.
async fn left_off(
    clusters: &Clusters,
    frozen: &Frozen,
    progress: &mut Progress,
) -> BTreeMap<String, PackedBundle> {
    let mut bundles = BTreeMap::new();
    for (_, planned) in frozen.plan.tenants() {
        let place = &planned.place;
        let Some(one) = progress.tenants.get_mut(&place.tenant) else {
            continue;
        };
        if one.phase != Phase::LeftOff {
            continue;
        }
        let read = match clusters.get(&place.cluster) {
            Ok(cluster) => store::bundle(&cluster.reader(), &planned.digest)
                .await
                .map_err(|trouble| trouble.advise(&place.cluster).to_string()),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(bundle) => {
                bundles.insert(place.tenant.clone(), bundle);
            }
            Err(why) => one.phase = Phase::Deferred { why },
        }
    }
    bundles
}
