//! Who goes back, and to what.

use super::Look;
use super::slots::{self, Slots};
use crate::fleet::config::{OnFailure, RollbackScope};
use crate::rollout::event::What;
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::progress::{State, WaveState};
use crate::rollout::tenant::{Phase, TenantProgress};

impl<'a> Look<'a> {
    pub(super) fn ways_back(&self) -> Vec<What> {
        let mut slots = [Slots::new(
            self,
            &self.strategy().spec.rollback.max_concurrency,
            |progress| progress.phase.is_going_back(),
        )];
        self.tenants()
            .enumerate()
            .filter_map(|(at, (wave, planned, progress))| {
                let why = self.reason_to_go_back(wave, progress)?;
                let is_absent = self.absence(planned).is_some();
                // What it was left with is on record there.
                if is_absent && matches!(progress.phase, Phase::Deferred { .. }) {
                    return None;
                }
                let decision = self.way_back(planned, progress, &why);
                let writes = matches!(decision, What::TenantGoesBack { .. });
                // Away from a bad release also where the cluster is unwell: whether that did any good is seen later.
                let is_ill = self.illness(planned).is_some() && progress.interrupted.is_some();
                let is_away = is_absent || is_ill;
                (!writes || !is_away && slots::take(&mut slots, &mut [], at)).then_some(decision)
            })
            .collect()
    }

    pub(super) fn reason_to_go_back(
        &self,
        wave: &Wave,
        progress: &TenantProgress,
    ) -> Option<String> {
        let is_settled_forward = matches!(
            progress.phase,
            Phase::Settling { .. } | Phase::Succeeded { .. }
        );
        let is_left_there = progress.is_touched && matches!(progress.phase, Phase::Deferred { .. });
        match (&progress.phase, &progress.failure) {
            (Phase::Failed { .. }, Some(failed)) => Some(failed.why.clone()),
            // It did not fail: its way back was interrupted.
            (Phase::Failed { .. }, None) => {
                let why = || "its way back was interrupted".to_owned();
                Some(self.reason_to_undo().unwrap_or_else(why))
            }
            (Phase::Left { .. }, _) => None,
            (Phase::LeftOff, _) => self.reason_to_undo(),
            _ if is_settled_forward || is_left_there => match &self.progress.state {
                State::RollingBack { why } if self.is_breached(wave) => Some(why.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a breach takes the wave back.
    pub(super) fn is_breached(&self, wave: &Wave) -> bool {
        let breached = self.breached.get_or_init(|| self.breached_waves());
        breached.iter().any(|one| std::ptr::eq(*one, wave))
    }

    /// A breach takes back the wave that runs and every wave with a failure, or all of them.
    fn breached_waves(&self) -> Vec<&'a Wave> {
        let is_breached = |wave: &&Wave| {
            let recorded = self.progress.wave(&wave.name);
            recorded.is_some_and(|wave| wave.state == WaveState::Breached)
                || self
                    .of_wave(wave)
                    .any(|(_, progress)| progress.failure.is_some())
        };
        let waves = self.frozen.plan.waves.iter();
        match (&self.progress.state, self.strategy().spec.rollback.scope) {
            (State::RollingBack { .. }, RollbackScope::Rollout) => waves.collect(),
            (State::RollingBack { .. }, RollbackScope::Wave) => waves.filter(is_breached).collect(),
            _ => Vec::new(),
        }
    }

    fn way_back(&self, planned: &Planned, progress: &TenantProgress, why: &str) -> What {
        let tenant = planned.place.tenant.clone();
        let left = |reason: &str| What::TenantLeft {
            tenant: tenant.clone(),
            why: format!("{reason}; {why}"),
        };
        match (&self.progress.state, &planned.last_good) {
            (State::Aborting { .. }, _) => left("the rollout was aborted"),
            (_, Some(_)) if let Some(hook) = &progress.irreversible => left(&format!(
                "hook `{hook}` succeeded and is irreversible: it is not put back"
            )),
            (State::RollingBack { .. }, Some(last_good)) if *last_good != planned.digest => {
                What::TenantGoesBack {
                    tenant,
                    why: self.passing(planned, why),
                }
            }
            (_, None) => left("first deployment: there is nothing to go back to"),
            (_, Some(last_good)) if *last_good == planned.digest => {
                left("it already runs its last good")
            }
            (_, Some(_)) => match self.strategy().spec.tenant.on_failure {
                OnFailure::Rollback => What::TenantGoesBack {
                    tenant: tenant.clone(),
                    why: self.passing(planned, why),
                },
                OnFailure::Leave | OnFailure::Pause => left("`onFailure` leaves it as it is"),
            },
        }
    }
}
