//! The rollout's record on the hub, kept in step with its events.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rebuild::Rebuild;
use super::store::{self, Trouble};
use crate::cluster::Writer;
use crate::fleet::config::OnBreach;
use crate::record::{
    self, PlanLine, Rebuilt, RolloutRecord, RolloutState, Stored, WaveRecord, WaveState,
};
use crate::rollout::{
    Coverage, Event, Excluded, Exclusion, Outcome, Plan, Planned, Role, Strategy, Wave, What,
};

/// The record, and the right to change it.
pub struct Ledger {
    hub: Writer,
    stored: Stored<RolloutRecord>,
}

/// What a plan froze besides its tenants, as it stands in the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FrozenRecord {
    strategy: Strategy,
    waves: Vec<Wave>,
}

/// Who starts a rollout, of what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    pub environment: String,
    pub release: Option<String>,
    pub rebuild: Option<Rebuilt>,
    pub by: String,
    pub why: String,
    pub at: Timestamp,
    /// Whether it is about every tenant of the fleet.
    pub whole: bool,
}

impl Ledger {
    /// Records a new rollout: the frozen plan first, then the rollout itself.
    pub async fn open(
        hub: Writer,
        opening: Opening,
        (plan, rebuild): (&Plan, Option<&Rebuild>),
        strategy: &Strategy,
    ) -> Result<Self, Trouble> {
        let lines = plan_lines(plan, rebuild);
        let record = RolloutRecord {
            waves: plan.waves.iter().map(wave_record).collect(),
            shards: lines.len().div_ceil(record::TENANTS_PER_SHARD),
            frozen: frozen(plan, strategy),
            ..rollout(opening, &strategy.name)
        };
        let stored = store::create_rollout(&hub, &record, &lines).await?;
        Ok(Self { hub, stored })
    }

    /// Goes on with a rollout that was left off.
    pub fn reopen(hub: Writer, stored: Stored<RolloutRecord>) -> Self {
        Self { hub, stored }
    }

    pub fn record(&self) -> &RolloutRecord {
        &self.stored.value
    }

    /// Takes in an event; stores the record if it changed by it.
    pub async fn note(&mut self, event: &Event) -> Result<(), Trouble> {
        let mut record = self.stored.value.clone();
        update(&mut record, event);
        if record == self.stored.value {
            return Ok(());
        }
        self.stored =
            store::replace_rollout(&self.hub, &record, &self.stored.resource_version).await?;
        Ok(())
    }
}

/// The record of a rollout that has no plan yet.
pub fn rollout(opening: Opening, strategy: &str) -> RolloutRecord {
    RolloutRecord {
        id: rollout_id(&opening),
        environment: opening.environment,
        release: opening.release,
        rebuild: opening.rebuild,
        strategy: strategy.to_owned(),
        created: opening.at,
        by: opening.by,
        why: opening.why,
        whole: opening.whole,
        state: RolloutState::Running,
        reason: None,
        since: opening.at,
        superseded_by: None,
        excused: None,
        false_no_ops: 0,
        waves: Vec::new(),
        shards: 0,
        frozen: serde_json::Value::Null,
    }
}

/// The plan and strategy that a record froze, its tenants taken from the plan's lines: `planned`
/// says where each of them is.
pub fn thaw(
    record: &RolloutRecord,
    lines: &[PlanLine],
    planned: impl Fn(&PlanLine) -> Option<Planned>,
) -> Result<(Plan, Strategy), String> {
    let frozen: FrozenRecord = serde_json::from_value(record.frozen.clone())
        .map_err(|error| format!("its frozen plan does not read: {error}"))?;
    let mut waves = frozen.waves;
    for line in lines {
        let record::Place::Wave(name) = &line.place else {
            continue;
        };
        let wave = waves.iter_mut().find(|wave| wave.name == *name);
        let wave = wave.ok_or_else(|| {
            format!(
                "`{}` is in wave `{name}`, which it does not have",
                line.tenant
            )
        })?;
        let planned = planned(line)
            .ok_or_else(|| format!("`{}` is not in the fleet any more", line.tenant))?;
        wave.tenants.push(planned);
    }
    let excluded = lines.iter().filter_map(excluded).collect();
    let plan = Plan {
        waves,
        excluded,
        unrendered: Vec::new(),
        coverage: Coverage::default(),
    };
    Ok((plan, frozen.strategy))
}

/// Who was left out when the plan was made, and is so still.
fn excluded(line: &PlanLine) -> Option<Excluded> {
    match &line.place {
        record::Place::Wave(_) => None,
        record::Place::Excluded(words) => Some(Excluded {
            tenant: line.tenant.clone(),
            cluster: line.cluster.clone(),
            reason: Exclusion::AsRecorded(words.clone()),
        }),
    }
}

/// The strategy and the waves, without their tenants, that a record froze.
pub fn frozen_of(record: &RolloutRecord) -> Option<(Strategy, Vec<Wave>)> {
    let frozen: FrozenRecord = serde_json::from_value(record.frozen.clone()).ok()?;
    Some((frozen.strategy, frozen.waves))
}

fn frozen(plan: &Plan, strategy: &Strategy) -> serde_json::Value {
    let bare = |wave: &Wave| Wave {
        tenants: Vec::new(),
        ..wave.clone()
    };
    let frozen = FrozenRecord {
        strategy: strategy.clone(),
        waves: plan.waves.iter().map(bare).collect(),
    };
    serde_json::to_value(frozen).expect("a plan is plain JSON")
}

fn rollout_id(opening: &Opening) -> String {
    /// Digits of a commit that people recognise.
    const SHORT: usize = 8;
    let release: String = opening
        .release
        .iter()
        .flat_map(|release| release.chars().take(SHORT))
        .collect();
    let time = opening.at.strftime("%Y%m%d-%H%M%S");
    if opening.rebuild.is_some() {
        format!("{time}-rebuild")
    } else if release.is_empty() {
        time.to_string()
    } else {
        format!("{time}-{release}")
    }
}

fn wave_record(wave: &Wave) -> WaveRecord {
    WaveRecord {
        name: wave.name.clone(),
        role: (wave.role == Role::Canary).then(|| "canary".to_owned()),
        tenants: wave.tenants.len(),
        state: WaveState::Waiting,
        started: None,
        soak_since: None,
        ended: None,
    }
}

fn plan_lines(plan: &Plan, rebuild: Option<&Rebuild>) -> Vec<PlanLine> {
    let last = |tenant: &str| rebuild.and_then(|rebuild| rebuild.find(tenant));
    let planned = plan.tenants().map(|(wave, planned)| PlanLine {
        tenant: planned.place.tenant.clone(),
        cluster: planned.place.cluster.clone(),
        namespace: planned.place.namespace.clone(),
        place: record::Place::Wave(wave.name.clone()),
        digest: Some(planned.digest.clone()),
        release: last(&planned.place.tenant).map(|last| last.release.clone()),
        hold: last(&planned.place.tenant).and_then(|last| last.hold.clone()),
        from: planned.from.clone(),
        back_to: planned.last_good.clone(),
        unhealthy_before: planned.unhealthy_before.clone(),
        unwell_pages: planned.unwell_pages.clone(),
        counts_in: None,
    });
    let excluded = plan.exceptions().map(|excluded: &Excluded| PlanLine {
        tenant: excluded.tenant.clone(),
        cluster: excluded.cluster.clone(),
        namespace: String::new(),
        place: record::Place::Excluded(excluded.reason.words()),
        digest: None,
        release: None,
        hold: None,
        from: None,
        back_to: None,
        unhealthy_before: None,
        unwell_pages: BTreeSet::new(),
        counts_in: plan
            .unrendered
            .iter()
            .find(|one| one.place.tenant == excluded.tenant)
            .map(|one| one.wave.clone()),
    });
    planned.chain(excluded).collect()
}

fn update(record: &mut RolloutRecord, event: &Event) {
    let at = event.at;
    match &event.what {
        What::WaveStarted { wave } => update_wave(record, wave, |wave| {
            wave.state = WaveState::Running;
            wave.started = Some(at);
        }),
        What::SoakStarted { wave } => update_wave(record, wave, |wave| {
            wave.state = WaveState::Soaking;
            wave.soak_since = Some(at);
        }),
        What::WaveAdvanced { wave } => end_wave(record, wave, WaveState::Passed, at),
        What::WaveSkipped { wave, .. } => end_wave(record, wave, WaveState::Skipped, at),
        What::WaveBreached { wave, action, why } => {
            end_wave(record, wave, WaveState::Breached, at);
            match action {
                OnBreach::Rollback => enter(record, RolloutState::RollingBack, why, at),
                OnBreach::Pause => enter(record, RolloutState::Paused, why, at),
                OnBreach::Continue => excuse(record, at),
            }
        }
        What::Paused { by, why } => {
            enter(record, RolloutState::Paused, &format!("by {by}: {why}"), at);
        }
        What::Resumed { by, why } => {
            if record.waves.iter().any(is_breached) {
                excuse(record, at);
            }
            enter(
                record,
                RolloutState::Running,
                &format!("resumed by {by}: {why}"),
                at,
            );
        }
        What::FalseNoOp { objects, .. } => record.false_no_ops += objects.len(),
        What::Superseded { by } => record.superseded_by = Some(by.clone()),
        What::Finished { outcome, why } => enter(record, ended(*outcome), why, at),
        What::Aborted { .. }
        | What::TenantStarted { .. }
        | What::HookStarted { .. }
        | What::HookSucceeded { .. }
        | What::TenantWritten { .. }
        | What::TenantMended { .. }
        | What::FieldsSettled { .. }
        | What::TenantHealthy { .. }
        | What::TenantSucceeded { .. }
        | What::TenantFailed { .. }
        | What::TenantGoesBack { .. }
        | What::TenantBackWritten { .. }
        | What::TenantBackHealthy { .. }
        | What::TenantRolledBack { .. }
        | What::TenantRollbackFailed { .. }
        | What::TenantLeft { .. }
        | What::TenantUnhealthyBefore { .. }
        | What::TenantDeferred { .. }
        | What::TenantInterrupted { .. }
        | What::ClusterUnreachable { .. }
        | What::ClusterAnswers { .. }
        | What::ClusterUnwell { .. }
        | What::ClusterWell { .. }
        | What::TenantTakenOver { .. } => {}
    }
}

fn is_breached(wave: &WaveRecord) -> bool {
    wave.state == WaveState::Breached
}

/// The waves that were breached go on. Their end stays in the record, which tells them from others that run.
fn excuse(record: &mut RolloutRecord, at: Timestamp) {
    record.excused = Some(at);
    let waves = record.waves.iter_mut();
    for wave in waves.filter(|wave| is_breached(wave)) {
        wave.state = WaveState::Running;
    }
}

fn ended(outcome: Outcome) -> RolloutState {
    match outcome {
        Outcome::Succeeded => RolloutState::Succeeded,
        Outcome::SucceededWithExceptions => RolloutState::SucceededWithExceptions,
        Outcome::RolledBack => RolloutState::RolledBack,
        Outcome::Failed => RolloutState::Failed,
        Outcome::Aborted => RolloutState::Aborted,
        Outcome::Superseded => RolloutState::Superseded,
    }
}

fn enter(record: &mut RolloutRecord, state: RolloutState, why: &str, at: Timestamp) {
    record.state = state;
    record.reason = Some(why.to_owned());
    record.since = at;
}

fn end_wave(record: &mut RolloutRecord, name: &str, state: WaveState, at: Timestamp) {
    update_wave(record, name, |wave| {
        wave.state = state;
        wave.ended = Some(at);
    });
}

fn update_wave(record: &mut RolloutRecord, name: &str, change: impl FnOnce(&mut WaveRecord)) {
    if let Some(wave) = record.waves.iter_mut().find(|wave| wave.name == name) {
        change(wave);
    }
}
