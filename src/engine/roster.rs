//! Keeps the roster on the hub: what a lost cluster would get back.
//!
//! It is brought in step when a rollout begins, when one of its waves has passed, and when it ends; and by people's
//! holds and rollbacks, if the hub answers. In between it is older, never wrong: each line was good once.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::clusters::Clusters;
use super::conductor::{Conductor, Stage};
use super::store::{self, Trouble};
use super::survey::Survey;
use crate::cluster::{CallError, Writer};
use crate::error::UserError;
use crate::fleet::Fleet;
use crate::record::{
    self, RosterChange, RosterChanges, RosterLine, RosterShard, Stored, TenantRecord,
};
use crate::rollout::{Phase, WaveState};

/// A change that loses so often is up against somebody who does not stop.
const SWAPS: usize = 6;
/// Nobody who typed a hold or a rollback waits longer for the hub.
const PATIENCE: Duration = Duration::from_secs(2);
/// A conductor has a lease to renew.
const CONDUCTOR: Duration = Duration::from_secs(8);

/// Brings the roster in step with what the clusters have on record.
pub async fn refresh(
    hub: &Writer,
    fleet: &Fleet,
    survey: &Survey,
    now: Timestamp,
) -> Result<(), Trouble> {
    let environment = &fleet.environment.name;
    swap(hub, environment, |stored| {
        let mut changes = RosterChanges::new();
        for found in survey.records.iter() {
            let has_soaked = survey.soaks.has_passed(&found.value, now);
            add(&mut changes, &found.value, has_soaked, now);
        }
        for shard in stored {
            let gone = gone(&shard.value, fleet, survey);
            changes
                .entry(shard.value.cluster.clone())
                .or_default()
                .extend(gone);
        }
        changes
    })
    .await
}

/// Lines of tenants that are neither on record any more nor in the fleet. Of a cluster that does not answer, none is.
fn gone<'a>(
    shard: &'a RosterShard,
    fleet: &'a Fleet,
    survey: &'a Survey,
) -> impl Iterator<Item = RosterChange> + 'a {
    let is_gone = |line: &&RosterLine| {
        let is_there = fleet.tenant(&line.tenant).is_some_and(|tenant| {
            tenant.cluster == shard.cluster && tenant.namespace == line.namespace
        });
        let record = survey.records.of(&shard.cluster, &line.namespace);
        !is_there && matches!(record, Ok(None))
    };
    let lines = shard.lines.iter().filter(is_gone);
    lines.map(|line| RosterChange::Gone(line.namespace.clone()))
}

/// What people did to tenants, as their records say now.
pub async fn tell(
    clusters: &Clusters,
    records: &[TenantRecord],
    now: Timestamp,
) -> Result<(), UserError> {
    let (Some(first), Some(name)) = (records.first(), &clusters.hub) else {
        return Ok(());
    };
    let changes = |stored: &[Stored<RosterShard>]| {
        let mut changes = RosterChanges::new();
        for record in records {
            if record.hold_at(now).is_some() {
                add(&mut changes, record, false, now);
            } else if let Some(line) = find(stored, record) {
                let line = RosterLine {
                    hold: None,
                    ..line.clone()
                };
                let there = changes.entry(record.cluster.clone()).or_default();
                there.push(RosterChange::Runs(line));
            }
        }
        changes
    };
    let hub = clusters.hub()?.writer();
    let told = swap(&hub, &first.environment, changes);
    match tokio::time::timeout(PATIENCE, told).await {
        Ok(told) => told.map_err(|trouble| trouble.advise(name)),
        Err(_) => Err(UserError::new(format!("the hub `{name}` does not answer"))),
    }
}

fn find<'a>(stored: &'a [Stored<RosterShard>], record: &TenantRecord) -> Option<&'a RosterLine> {
    let shards = stored
        .iter()
        .filter(|one| one.value.cluster == record.cluster);
    let mut lines = shards.flat_map(|one| &one.value.lines);
    lines.find(|line| line.namespace == record.namespace)
}

fn add(changes: &mut RosterChanges, record: &TenantRecord, has_soaked: bool, now: Timestamp) {
    if let Some(line) = RosterLine::of(record, has_soaked, now) {
        let there = changes.entry(record.cluster.clone()).or_default();
        there.push(RosterChange::Runs(line));
    }
}

/// Reads, changes, and writes what differs, until nobody came in between.
async fn swap(
    hub: &Writer,
    environment: &str,
    changes: impl Fn(&[Stored<RosterShard>]) -> RosterChanges,
) -> Result<(), Trouble> {
    let mut lost = None;
    for _ in 0..SWAPS {
        let stored = store::roster(hub.reader(), environment).await?;
        let writes = record::update_roster(environment, &stored, &changes(&stored));
        lost = None;
        for write in writes {
            match store::write_roster(hub, &write).await {
                Ok(()) => {}
                Err(error @ (CallError::Stale(_) | CallError::Exists(_))) => lost = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        if lost.is_none() {
            break;
        }
    }
    lost.map_or(Ok(()), |error| Err(error.into()))
}

impl Conductor<'_> {
    /// Notes what this rollout left in tenants, of those whose wave has passed and of those that it put back. A hub that
    /// does not answer is told at the next occasion: at the latest when the next rollout begins.
    pub(super) async fn keep_roster(&self, stage: &mut Stage) {
        let (Some(ledger), Ok(hub)) = (&self.ledger, self.clusters.hub()) else {
            return;
        };
        let began = Instant::now();
        let changes = self.roster_changes(stage, &ledger.record().id);
        let writer = hub.writer();
        let kept = swap(&writer, &ledger.record().environment, |_| changes.clone());
        let _ = tokio::time::timeout(CONDUCTOR, kept).await;
        stage.attention.lose(began.elapsed());
    }

    fn roster_changes(&self, stage: &Stage, rollout: &str) -> RosterChanges {
        let now = self.clock.now();
        let mut changes = RosterChanges::new();
        for (wave, planned) in self.frozen.plan.tenants() {
            let tenant = &planned.place.tenant;
            let found = self.records.get(tenant).map(|found| &found.value);
            // Of whom it has not closed a claim, it knows no more than the roster.
            let touched = |record: &&TenantRecord| record.rollout.as_deref() == Some(rollout);
            let Some(record) = found.filter(touched) else {
                continue;
            };
            let phase = stage.progress.tenant(tenant).map(|one| &one.phase);
            let wave = stage.progress.wave(&wave.name).map(|wave| &wave.state);
            let has_soaked = matches!(phase, Some(Phase::Succeeded { .. }))
                && wave == Some(&WaveState::Advanced);
            add(&mut changes, record, has_soaked, now);
        }
        changes
    }
}
