//! Where a rollout stands: a fold of its events and of the health that was observed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::absence::Absences;
use super::control::{ControlSample, Controls};
use super::event::{Event, Failure, What};
use super::gates::Gates;
use super::plan::Plan;
use super::tenant::{Failed, Phase, Sample, TenantProgress};
use crate::fleet::config::OnBreach;

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub state: State,
    /// In the order of the plan.
    pub waves: Vec<WaveProgress>,
    pub tenants: BTreeMap<String, TenantProgress>,
    /// Somebody, or the strategy, said to go on after a failure: what had failed before anything began counts no more.
    pub is_excused: bool,
    /// Objects that were skipped as unchanged and would have changed.
    pub false_no_ops: usize,
    /// When clusters did not answer.
    pub absences: Absences,
    /// When clusters answered, and were unwell.
    pub illnesses: Absences,
    /// What tenants that are not touched yet say of their clusters; observed, like health.
    pub controls: Controls,
    /// What people said last; it is heard, not folded from events.
    pub gates: Gates,
}

/// What the rollout as a whole is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    /// Starts nothing; what is in flight settles. `failed` pauses wait for a person.
    Paused {
        by: String,
        why: String,
        failed: bool,
    },
    /// A newer release waits: starts nothing, lets what is in flight settle, then ends.
    Superseding {
        by: String,
    },
    /// A breach sends tenants back; nothing goes forward any more.
    RollingBack {
        why: String,
    },
    /// Starts nothing, puts nothing back; ends when what is in flight has settled.
    Aborting {
        by: String,
        why: String,
    },
    Finished {
        outcome: Outcome,
        why: String,
    },
}

/// How a rollout ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Succeeded,
    /// Failures within the budget, held, deferred or unrendered tenants.
    SucceededWithExceptions,
    /// Failed; everything touched is back.
    RolledBack,
    /// Failed, and a person is needed.
    Failed,
    Aborted,
    /// A newer release goes on from here.
    Superseded,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveProgress {
    pub name: String,
    pub state: WaveState,
    /// A person said to go on after it was breached.
    pub is_excused: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaveState {
    Pending,
    Running,
    Soaking { since: Timestamp },
    Advanced,
    Skipped,
    Breached,
}

impl Progress {
    /// Nothing has happened yet.
    pub fn new(plan: &Plan) -> Self {
        let waves = plan.waves.iter().map(|wave| WaveProgress {
            name: wave.name.clone(),
            state: WaveState::Pending,
            is_excused: false,
        });
        let tenants = plan.tenants().map(|(_, planned)| {
            (
                planned.place.tenant.clone(),
                TenantProgress::new(Phase::Pending),
            )
        });
        Self {
            state: State::Running,
            waves: waves.collect(),
            tenants: tenants.collect(),
            is_excused: false,
            false_no_ops: 0,
            absences: Absences::default(),
            illnesses: Absences::default(),
            controls: Controls::default(),
            gates: Gates::default(),
        }
    }

    /// Takes in what was seen of a tenant's health. Only a tenant whose writes were accepted has
    /// any health that counts.
    pub fn observe(&mut self, tenant: &str, sample: Sample, max_gap: SignedDuration) {
        let Some(progress) = self.tenants.get_mut(tenant) else {
            return;
        };
        let since = match progress.phase {
            Phase::Settling { written_at } | Phase::SettlingBack { written_at } => written_at,
            Phase::Succeeded { .. } => Timestamp::MIN,
            _ => return,
        };
        if sample.at > since {
            progress.observe(sample, max_gap);
        }
    }

    /// Takes in how the untouched tenants of a cluster are.
    pub fn observe_control(
        &mut self,
        cluster: &str,
        sample: ControlSample,
        max_gap: SignedDuration,
    ) {
        self.controls.observe(cluster, sample, max_gap);
    }

    /// Nobody looked for a while: what was seen before says nothing of who is settling.
    pub fn forget_settling(&mut self) {
        let is_settling =
            |phase: &Phase| matches!(phase, Phase::Settling { .. } | Phase::SettlingBack { .. });
        let tenants = self.tenants.values_mut();
        for tenant in tenants.filter(|tenant| is_settling(&tenant.phase)) {
            tenant.enter(tenant.phase.clone());
        }
    }

    /// Takes in since when a tenant that succeeded is proven to be as it is now seen (I45): a process that comes back
    /// need not begin its soak anew.
    pub fn prove(&mut self, tenant: &str, since: Timestamp) {
        let Some(progress) = self.tenants.get_mut(tenant) else {
            return;
        };
        if let Phase::Succeeded { at } = progress.phase {
            let seen = progress.healthy_since;
            progress.healthy_since = seen.map(|seen| seen.min(since.max(at)));
        }
    }

    /// Takes in an event.
    pub fn fold(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::WaveStarted { wave } => self.enter_wave(wave, WaveState::Running),
            What::SoakStarted { wave } => self.enter_wave(wave, WaveState::Soaking { since: at }),
            What::WaveAdvanced { wave } => self.enter_wave(wave, WaveState::Advanced),
            What::WaveSkipped { wave, .. } => self.enter_wave(wave, WaveState::Skipped),
            What::WaveBreached { wave, action, why } => self.breach(wave, *action, why),
            What::TenantStarted { tenant } => self.enter(tenant, Phase::Writing { since: at }),
            What::HookStarted { tenant, hook, .. } => self.run_hook(tenant, Some(hook)),
            What::HookSucceeded {
                tenant,
                hook,
                is_irreversible,
            } => {
                self.run_hook(tenant, None);
                self.bar(tenant, hook, *is_irreversible);
            }
            What::TenantWritten { tenant, .. } => self.written(tenant, at),
            What::TenantHealthy { tenant } => self.enter(tenant, Phase::Closing { since: at }),
            What::TenantSucceeded { tenant } => self.enter(tenant, Phase::Succeeded { at }),
            What::TenantFailed { tenant, how, why } => self.fail(tenant, at, *how, why),
            What::TenantGoesBack { tenant, .. } => {
                self.enter(tenant, Phase::WritingBack { since: at });
            }
            What::TenantInterrupted {
                tenant, is_touched, ..
            } => self.interrupt(tenant, at, *is_touched),
            What::ClusterUnreachable { cluster, why } => self.absences.begin(cluster, at, why),
            What::ClusterAnswers { cluster } => self.absences.end(cluster, at),
            What::ClusterUnwell { cluster, why } => self.illnesses.begin(cluster, at, why),
            What::ClusterWell { cluster } => self.illnesses.end(cluster, at),
            What::TenantBackWritten { tenant, .. } => {
                self.enter(tenant, Phase::SettlingBack { written_at: at });
            }
            What::TenantBackHealthy { tenant } => {
                self.enter(tenant, Phase::ClosingBack { since: at });
            }
            What::TenantRolledBack { tenant } => self.enter(tenant, Phase::RolledBack { at }),
            What::TenantRollbackFailed { tenant, why } => {
                self.enter(tenant, Phase::RollbackFailed { why: why.clone() });
            }
            What::TenantLeft { tenant, why } => {
                self.enter(tenant, Phase::Left { why: why.clone() });
            }
            What::TenantUnhealthyBefore { tenant, why } => {
                self.enter(tenant, Phase::UnhealthyBefore { why: why.clone() });
            }
            What::TenantDeferred { tenant, why } => {
                self.enter(tenant, Phase::Deferred { why: why.clone() });
            }
            What::TenantTakenOver { tenant, by } => {
                self.enter(tenant, Phase::TakenOver { by: by.clone() });
            }
            What::TenantMended { .. } | What::FieldsSettled { .. } => {}
            What::FalseNoOp { objects, .. } => self.false_no_ops += objects.len(),
            What::Paused { by, why } => {
                self.state = State::Paused {
                    by: by.clone(),
                    why: why.clone(),
                    failed: false,
                };
            }
            What::Superseded { by } => self.state = State::Superseding { by: by.clone() },
            What::Resumed { .. } => self.resume(),
            What::Aborted { by, why } => {
                self.state = State::Aborting {
                    by: by.clone(),
                    why: why.clone(),
                }
            }
            What::Finished { outcome, why } => {
                self.state = State::Finished {
                    outcome: *outcome,
                    why: why.clone(),
                };
            }
        }
    }

    pub fn tenant(&self, tenant: &str) -> Option<&TenantProgress> {
        self.tenants.get(tenant)
    }

    pub fn wave(&self, name: &str) -> Option<&WaveProgress> {
        self.waves.iter().find(|wave| wave.name == name)
    }

    fn enter(&mut self, tenant: &str, phase: Phase) {
        if let Some(progress) = self.tenants.get_mut(tenant) {
            progress.enter(phase);
        }
    }

    fn run_hook(&mut self, tenant: &str, hook: Option<&String>) {
        if let Some(progress) = self.tenants.get_mut(tenant) {
            progress.hook = hook.cloned();
        }
    }

    fn bar(&mut self, tenant: &str, hook: &str, is_irreversible: bool) {
        if let Some(progress) = self.tenants.get_mut(tenant)
            && is_irreversible
        {
            progress.irreversible = Some(hook.to_owned());
        }
    }

    fn written(&mut self, tenant: &str, at: Timestamp) {
        if let Some(progress) = self.tenants.get_mut(tenant) {
            progress.is_touched = true;
            progress.enter(Phase::Settling { written_at: at });
        }
    }

    fn interrupt(&mut self, tenant: &str, at: Timestamp, is_touched: bool) {
        if let Some(progress) = self.tenants.get_mut(tenant) {
            progress.interrupt(at, is_touched);
        }
    }

    fn fail(&mut self, tenant: &str, at: Timestamp, how: Failure, why: &str) {
        if let Some(progress) = self.tenants.get_mut(tenant) {
            progress.enter(Phase::Failed { at });
            progress.failure = Some(Failed {
                how,
                why: why.to_owned(),
                is_excused: false,
            });
        }
    }

    /// A person says to go on. Who paused for another reason has excused nothing that failed meanwhile (I12).
    fn resume(&mut self) {
        let is_after_failure = matches!(self.state, State::Paused { failed: true, .. });
        self.state = State::Running;
        if is_after_failure {
            self.excuse();
        }
    }

    /// Goes on after a breach: what has failed so far counts no more, breached waves run again.
    fn excuse(&mut self) {
        self.is_excused = true;
        for failed in self
            .tenants
            .values_mut()
            .filter_map(|tenant| tenant.failure.as_mut())
        {
            failed.is_excused = true;
        }
        for wave in self
            .waves
            .iter_mut()
            .filter(|wave| wave.state == WaveState::Breached)
        {
            wave.state = WaveState::Running;
            wave.is_excused = true;
        }
    }

    fn enter_wave(&mut self, name: &str, state: WaveState) {
        if let Some(wave) = self.waves.iter_mut().find(|wave| wave.name == name) {
            wave.state = state;
        }
    }

    fn breach(&mut self, wave: &str, action: OnBreach, why: &str) {
        self.enter_wave(wave, WaveState::Breached);
        match action {
            OnBreach::Rollback => {
                self.state = State::RollingBack {
                    why: why.to_owned(),
                }
            }
            OnBreach::Pause => {
                self.state = State::Paused {
                    by: "escale".to_owned(),
                    why: why.to_owned(),
                    failed: true,
                };
            }
            OnBreach::Continue => self.excuse(),
        }
    }
}
