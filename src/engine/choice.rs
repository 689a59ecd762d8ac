//! The strategy of an order that names none: what runs is read from the records, what changes is asked of git.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::rollouts::Order;
use super::store::{self, Trouble};
use super::survey::{Survey, candidates};
use crate::cluster::Reader;
use crate::record::{RolloutRecord, TenantRecord};
use crate::rollout::{Choice, Running, Strategy, Wanted};

/// The files of a fleet that differ between two commits, or why that cannot be told. Git knows, and only git.
pub type Changed<'a> = &'a (dyn Fn(&str, &str) -> Result<Vec<String>, String> + Sync);

/// The strategy that an order is carried out with, as things stand. Holds no writer.
pub async fn choose(
    order: &Order<'_>,
    survey: &Survey,
    hub: &Reader,
    now: Timestamp,
) -> Result<Strategy, Trouble> {
    let Some(changed) = order.changed else {
        return Ok(order.strategy.clone());
    };
    let proof = Proof::read(hub, survey).await?;
    let running = running(order, survey, &proof, now);
    let strategies = &order.fleet.strategies;
    let choice = match running {
        Running::Unknown(why) => Choice::of(strategies, Err(why)),
        Running::Release(since) => match changed(&since, &order.release) {
            Ok(paths) => Choice::of(strategies, Ok((&since, &paths))),
            Err(why) => Choice::of(strategies, Err(why)),
        },
    };
    let chosen = choice
        .strategy
        .map(|name| order.fleet.strategy(Some(&name)).expect("it is among them"));
    let (name, spec) = chosen.unwrap_or_else(|| {
        let default = &order.strategy;
        (default.name.clone(), default.spec.clone())
    });
    Ok(Strategy {
        name,
        spec,
        chosen: Some(choice.why),
        ..order.strategy
    })
}

/// What the tenants that would be moved run now. Who runs nothing is new, and has no part in it.
fn running(order: &Order<'_>, survey: &Survey, proof: &Proof<'_>, now: Timestamp) -> Running {
    let records: BTreeMap<&str, &TenantRecord> = survey
        .records
        .iter()
        .map(|stored| (stored.value.tenant.as_str(), &stored.value))
        .collect();
    let candidates = candidates(order, survey, now).into_iter();
    let moved = candidates.filter(|one| {
        let is_rendered = matches!(one.wanted, Wanted::Bundle(_));
        is_rendered && one.kept_out.is_none() && !one.runs_what_is_wanted()
    });
    let moved: Vec<&TenantRecord> = moved
        .filter_map(|one| records.get(one.place.tenant.as_str()).copied())
        .collect();
    Running::of(moved.iter().filter_map(|record| proof.release_of(record)))
}

/// The newest rollout of the whole fleet that ended well. Whoever it had nothing to do for ran what its release brings,
/// though the tenant's record still names the commit that it came from.
#[derive(Default)]
struct Proof<'a> {
    rollout: Option<&'a RolloutRecord>,
    /// Tenants that it moved, or left out.
    named: BTreeSet<String>,
}

impl<'a> Proof<'a> {
    async fn read(hub: &Reader, survey: &'a Survey) -> Result<Self, Trouble> {
        let rollouts = survey.rollouts.iter().map(|stored| &stored.value);
        let whole = rollouts.filter(|rollout| rollout.whole && rollout.is_proof());
        let Some(rollout) = whole.max_by_key(|rollout| rollout.created) else {
            return Ok(Self::default());
        };
        let lines = store::plan(hub, rollout).await?.into_iter();
        Ok(Self {
            rollout: Some(rollout),
            named: lines.map(|line| line.tenant).collect(),
        })
    }

    fn release_of<'r>(&'r self, record: &'r TenantRecord) -> Option<&'r str> {
        let had_nothing_to_do = |rollout: &&RolloutRecord| {
            record.since < rollout.created && !self.named.contains(&record.tenant)
        };
        let proven = self.rollout.filter(had_nothing_to_do);
        proven.map_or(record.release.as_deref(), |rollout| {
            rollout.release.as_deref()
        })
    }
}
