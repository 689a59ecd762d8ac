//! Progress rebuilt from records: what a process that was killed knew, as far as it was true.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::hook_news::note_bars;
use super::ledger;
use super::planning;
use super::records::Records;
use super::rollouts::Order;
use super::survey::Survey;
use crate::error::UserError;
use crate::fleet::Tenant;
use crate::record::{
    self, Outcome, PackedBundle, PlanLine, RolloutRecord, RolloutState, TenantRecord,
};
use crate::rollout::{
    Failed, Failure, Frozen, Phase, Place, Plan, Planned, Progress, State, TenantProgress,
    Unrendered, WaveProgress, WaveState,
};

/// Reads plan and progress out of the records of an open rollout, and refuses what cannot be.
pub fn rebuild(
    rollout: &RolloutRecord,
    lines: &[PlanLine],
    order: &Order<'_>,
    survey: &Survey,
) -> anyhow::Result<(Frozen, Progress)> {
    let refuse = |why: String| refused(rollout, &why);
    let (mut plan, strategy) =
        ledger::thaw(rollout, lines, |line| planned(line, order)).map_err(refuse)?;
    let unrendered = lines.iter().filter_map(|line| unrendered(line, order));
    plan.unrendered = unrendered.collect();
    let frozen = Frozen::new(plan, strategy);
    let mut progress = Progress::new(&frozen.plan);
    progress.is_excused = rollout.excused.is_some();
    progress.false_no_ops = rollout.false_no_ops;
    progress.state = state(rollout);
    for wave in &mut progress.waves {
        let recorded = rollout
            .waves
            .iter()
            .find(|recorded| recorded.name == wave.name);
        *wave = WaveProgress {
            name: wave.name.clone(),
            state: recorded.map_or(WaveState::Pending, wave_state),
            is_excused: recorded.is_some_and(is_excused),
        };
    }
    for (wave, planned) in frozen.plan.tenants() {
        let one = match record_of(&survey.records, &planned.place) {
            Ok(record) => recorded(rollout, planned, record),
            Err(why) => TenantProgress {
                // Nobody knows more before the record can be read.
                is_touched: progress
                    .wave(&wave.name)
                    .is_some_and(|wave| wave.state != WaveState::Pending),
                ..TenantProgress::new(Phase::Deferred { why })
            },
        };
        progress.tenants.insert(planned.place.tenant.clone(), one);
    }
    note_bars(&mut progress, &frozen.plan, &survey.records);
    Ok((frozen, progress))
}

/// What is on record of a tenant.
fn recorded(
    rollout: &RolloutRecord,
    planned: &Planned,
    record: Option<&TenantRecord>,
) -> TenantProgress {
    let mut one = tenant(rollout, planned, record);
    one.is_touched = one.phase != Phase::Pending;
    excuse(&mut one, record, rollout);
    one
}

/// The same of tenants whose cluster did not answer before, and does now. Returns who they are. Who has not
/// begun begins only while others of its wave do; who was left in the middle goes on only with its bundle, `is_at_hand`.
pub fn learn(
    progress: &mut Progress,
    (rollout, plan): (&RolloutRecord, &Plan),
    records: &Records,
    is_at_hand: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut learned = Vec::new();
    for (wave, planned) in plan.tenants() {
        let place = &planned.place;
        let starts_nobody = progress.wave(&wave.name).is_some_and(starts_nobody);
        let Some(one) = progress.tenants.get_mut(&place.tenant) else {
            continue;
        };
        let Phase::Deferred { why } = &one.phase else {
            continue;
        };
        let Ok(record) = record_of(records, place) else {
            continue;
        };
        let mut found = recorded(rollout, planned, record);
        let stays = match found.phase {
            Phase::Pending => starts_nobody,
            Phase::LeftOff => !is_at_hand(&place.tenant),
            _ => false,
        };
        if stays {
            found.phase = Phase::Deferred { why: why.clone() };
        }
        *one = found;
        learned.push(place.tenant.clone());
    }
    note_bars(progress, plan, records);
    learned
}

fn starts_nobody(wave: &WaveProgress) -> bool {
    match wave.state {
        WaveState::Pending | WaveState::Running | WaveState::Breached => false,
        WaveState::Soaking { .. } | WaveState::Advanced | WaveState::Skipped => true,
    }
}

/// A tenant's record, if it has one; why it cannot be read, which is no reason to stop the others.
fn record_of<'a>(records: &'a Records, place: &Place) -> Result<Option<&'a TenantRecord>, String> {
    match records.of(&place.cluster, &place.namespace) {
        Ok(Some(Ok(stored))) => Ok(Some(&stored.value)),
        Ok(Some(Err(error))) => Err(error.to_string()),
        Ok(None) => Ok(None),
        Err(why) => Err(format!("its cluster does not answer: {why}")),
    }
}

fn refused(rollout: &RolloutRecord, why: &str) -> UserError {
    UserError::new(format!("rollout `{}` cannot go on: {why}", rollout.id))
        .hint("end it with `escale abort`, then start anew: what it did is in the tenants' records")
}

/// A plan's line, as long as it names what it is to run.
fn planned(line: &PlanLine, order: &Order<'_>) -> Option<Planned> {
    let is_there =
        |tenant: &&Tenant| tenant.cluster == line.cluster && tenant.namespace == line.namespace;
    let tenant = order.fleet.tenant(&line.tenant).filter(is_there);
    Some(Planned {
        place: tenant.map_or_else(|| bare_place(line), planning::place),
        digest: line.digest.clone()?,
        from: line.from.clone(),
        last_good: line.back_to.clone(),
        unhealthy_before: line.unhealthy_before.clone(),
        unwell_pages: line.unwell_pages.clone(),
        shape: None,
    })
}

fn unrendered(line: &PlanLine, order: &Order<'_>) -> Option<Unrendered> {
    let tenant = order.fleet.tenant(&line.tenant);
    Some(Unrendered {
        place: tenant.map_or_else(|| bare_place(line), planning::place),
        wave: line.counts_in.clone()?,
    })
}

/// Where a tenant is that the fleet does not name any more, or names elsewhere: a newer release may have removed it.
fn bare_place(line: &PlanLine) -> Place {
    Place {
        tenant: line.tenant.clone(),
        cluster: line.cluster.clone(),
        namespace: line.namespace.clone(),
        provider: None,
        group: None,
        after: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// The commit must still render what was planned: a newer escale could render otherwise.
pub fn check_content(
    rollout: &RolloutRecord,
    frozen: &Frozen,
    order: &Order<'_>,
) -> Result<(), UserError> {
    for (_, planned) in frozen.plan.tenants() {
        let tenant = &planned.place.tenant;
        let rendered = order
            .bundles
            .get(tenant)
            .and_then(|bundle| bundle.as_ref().ok());
        let digest = rendered.map(PackedBundle::digest);
        if digest != Some(&planned.digest) {
            let planned = &planned.digest;
            let why = format!("`{tenant}` does not render to the planned bundle {planned}");
            return Err(refused(rollout, &why));
        }
    }
    Ok(())
}

fn state(rollout: &RolloutRecord) -> State {
    let why = rollout.reason.clone().unwrap_or_default();
    if let (Some(by), RolloutState::Running | RolloutState::Paused) =
        (&rollout.superseded_by, rollout.state)
    {
        return State::Superseding { by: by.clone() };
    }
    match rollout.state {
        RolloutState::Paused => {
            let failed = rollout
                .waves
                .iter()
                .any(|wave| wave.state == record::WaveState::Breached);
            State::Paused {
                by: "the record".to_owned(),
                why,
                failed,
            }
        }
        RolloutState::RollingBack => State::RollingBack { why },
        _ => State::Running,
    }
}

fn wave_state(recorded: &record::WaveRecord) -> WaveState {
    let since = recorded.soak_since.unwrap_or(Timestamp::MIN);
    match recorded.state {
        record::WaveState::Waiting => WaveState::Pending,
        record::WaveState::Running => WaveState::Running,
        record::WaveState::Soaking => WaveState::Soaking { since },
        record::WaveState::Passed => WaveState::Advanced,
        record::WaveState::Skipped => WaveState::Skipped,
        record::WaveState::Breached | record::WaveState::RolledBack => WaveState::Breached,
    }
}

/// It was breached, and runs again.
fn is_excused(recorded: &record::WaveRecord) -> bool {
    let runs = matches!(
        recorded.state,
        record::WaveState::Running | record::WaveState::Soaking
    );
    runs && recorded.ended.is_some()
}

/// Where a tenant stands. Whoever was left in the middle is gone on with: every write is the same.
fn tenant(
    rollout: &RolloutRecord,
    planned: &Planned,
    record: Option<&TenantRecord>,
) -> TenantProgress {
    let Some(record) = record else {
        return TenantProgress::new(Phase::Pending);
    };
    if let Some(claim) = &record.claim {
        // What it says of us is over: somebody, dead or alive, is moving it somewhere else.
        if claim.rollout.as_ref() != Some(&rollout.id) {
            let by = claim.holder.clone();
            return TenantProgress::new(Phase::TakenOver { by });
        }
        return if claim.action == record::Action::Rollback {
            let why = claim.because.as_ref().unwrap_or(&claim.why);
            failed(Phase::Failed { at: claim.since }, why)
        } else {
            TenantProgress::new(Phase::LeftOff)
        };
    }
    if record.rollout.as_ref() != Some(&rollout.id) {
        return TenantProgress::new(Phase::Pending);
    }
    let last = record.last_move();
    let why = last.map_or("", |entry| entry.because.as_ref().unwrap_or(&entry.why));
    match record.state {
        Outcome::Succeeded | Outcome::Unchanged
            if record.digest.as_ref() == Some(&planned.digest) =>
        {
            TenantProgress::new(Phase::Succeeded { at: record.since })
        }
        Outcome::RolledBack => failed(Phase::RolledBack { at: record.since }, why),
        Outcome::RollbackFailed => failed(
            Phase::RollbackFailed {
                why: why.to_owned(),
            },
            why,
        ),
        Outcome::Failed | Outcome::TimedOut => failed(
            Phase::Left {
                why: why.to_owned(),
            },
            why,
        ),
        Outcome::UnhealthyBefore => TenantProgress::new(Phase::UnhealthyBefore {
            why: why.to_owned(),
        }),
        Outcome::Succeeded
        | Outcome::Unchanged
        | Outcome::Interrupted
        | Outcome::Deferred
        | Outcome::Held
        | Outcome::NotAttempted => TenantProgress::new(Phase::Pending),
    }
}

/// What was over before somebody said to go on had failed before. Of who is on the way back still, nobody knows when
/// it failed.
fn excuse(one: &mut TenantProgress, record: Option<&TenantRecord>, rollout: &RolloutRecord) {
    let closed = record.filter(|record| record.claim.is_none());
    if let (Some(failed), Some(closed), Some(excused)) = (&mut one.failure, closed, rollout.excused)
    {
        failed.is_excused = closed.since <= excused;
    }
}

fn failed(phase: Phase, why: &str) -> TenantProgress {
    let failure = Failed {
        how: Failure::Unhealthy,
        why: why.to_owned(),
        is_excused: false,
    };
    TenantProgress {
        failure: Some(failure),
        ..TenantProgress::new(phase)
    }
}
