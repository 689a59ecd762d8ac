//! Who goes back, and to what.

use super::Look;
use super::slots::Slots;
use crate::fleet::config::{OnFailure, RollbackScope};
use crate::rollout::event::What;
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::progress::{Phase, State, TenantProgress, WaveState};

impl Look<'_> {
    pub(super) fn ways_back(&self) -> Vec<What> {
        let mut slots = Slots::new(
            self,
            &self.strategy().spec.rollback.max_concurrency,
            Phase::is_going_back,
        );
        self.tenants()
            .filter_map(|(wave, planned, progress)| {
                let why = self.reason_to_go_back(wave, progress)?;
                let decision = self.way_back(planned, why);
                let writes = matches!(decision, What::TenantGoesBack { .. });
                (!writes || slots.take(wave, planned)).then_some(decision)
            })
            .collect()
    }

    fn reason_to_go_back(&self, wave: &Wave, progress: &TenantProgress) -> Option<String> {
        let is_settled_forward = matches!(
            progress.phase,
            Phase::Settling { .. } | Phase::Succeeded { .. }
        );
        match (&progress.phase, &progress.failure) {
            (Phase::Failed { .. }, Some(failed)) => Some(failed.why.clone()),
            (Phase::Left { .. }, _) => None,
            _ if is_settled_forward => match &self.progress.state {
                State::RollingBack { why } if self.goes_back_on_breach(wave) => Some(why.clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// A breach takes back the wave that runs and every wave with a failure, or all of them.
    fn goes_back_on_breach(&self, wave: &Wave) -> bool {
        match self.strategy().spec.rollback.scope {
            RollbackScope::Rollout => true,
            RollbackScope::Wave => {
                let is_breached = self
                    .progress
                    .wave(&wave.name)
                    .is_some_and(|wave| wave.state == WaveState::Breached);
                is_breached
                    || self
                        .of_wave(wave)
                        .any(|(_, progress)| progress.failure.is_some())
            }
        }
    }

    fn way_back(&self, planned: &Planned, why: String) -> What {
        let tenant = planned.place.tenant.clone();
        let left = |reason: &str| What::TenantLeft {
            tenant: tenant.clone(),
            why: format!("{reason}; {why}"),
        };
        match (&self.progress.state, &planned.last_good) {
            (State::Aborting { .. }, _) => left("the rollout was aborted"),
            (State::RollingBack { .. }, Some(last_good)) if *last_good != planned.digest => {
                What::TenantGoesBack { tenant, why }
            }
            (_, None) => left("first deployment: there is nothing to go back to"),
            (_, Some(last_good)) if *last_good == planned.digest => {
                left("it already runs its last good")
            }
            (_, Some(_)) => match self.strategy().spec.tenant.on_failure {
                OnFailure::Rollback => What::TenantGoesBack { tenant, why },
                OnFailure::Leave | OnFailure::Pause => left("`onFailure` leaves it as it is"),
            },
        }
    }
}
