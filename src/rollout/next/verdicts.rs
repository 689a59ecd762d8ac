//! What health and time say of each tenant.

use jiff::Timestamp;

use super::Look;
use crate::rollout::event::{Failure, What};
use crate::rollout::plan::Planned;
use crate::rollout::tenant::{Health, Phase, TenantProgress};

enum Settled {
    Healthy,
    Failed(Failure, String),
    NotYet,
}

impl Look<'_> {
    pub(super) fn verdicts(&self) -> Vec<What> {
        self.tenants()
            .filter_map(|(_, planned, progress)| self.verdict(planned, progress))
            .collect()
    }

    fn verdict(&self, planned: &Planned, progress: &TenantProgress) -> Option<What> {
        let name = || planned.place.tenant.clone();
        match progress.phase {
            Phase::Settling { written_at } => match self.settled(planned, progress, written_at) {
                Settled::Healthy => Some(What::TenantHealthy { tenant: name() }),
                Settled::Failed(how, why) => Some(failed(planned, how, why)),
                Settled::NotYet => None,
            },
            Phase::SettlingBack { written_at } => match self.settled(planned, progress, written_at)
            {
                Settled::Healthy => Some(What::TenantBackHealthy { tenant: name() }),
                Settled::Failed(_, why) => Some(What::TenantRollbackFailed {
                    tenant: name(),
                    why,
                }),
                Settled::NotYet => None,
            },
            Phase::Succeeded { .. } => {
                let sample = progress.last_sample.as_ref()?;
                let has_died = sample.health == Health::Failed;
                has_died.then(|| What::TenantFailed {
                    tenant: name(),
                    how: Failure::DiedLater,
                    why: sample.headline.clone(),
                })
            }
            _ => None,
        }
    }

    fn settled(
        &self,
        planned: &Planned,
        progress: &TenantProgress,
        written_at: Timestamp,
    ) -> Settled {
        let tenant = &self.strategy().spec.tenant;
        let deadline = tenant.progress_deadline;
        // Who was away looks again: what was seen before the gap proves nothing (I11).
        if let Some(since) = progress.healthy_since
            && self.is_seen_healthy(progress)
            && self.now.duration_since(since) >= tenant.min_healthy_time.to_signed()
        {
            return Settled::Healthy;
        }
        let sample = progress.last_sample.as_ref();
        if let Some(sample) = sample.filter(|sample| sample.health == Health::Failed) {
            return Settled::Failed(Failure::Unhealthy, sample.headline.clone());
        }
        let waited = self.now.duration_since(written_at) - self.absent_since(planned, written_at);
        // Nor does it prove that it failed.
        let sample = sample.filter(|sample| self.is_fresh(sample));
        match sample {
            Some(sample) if waited >= deadline.to_signed() && progress.healthy_since.is_none() => {
                let why = format!("not healthy after {deadline}: {}", sample.headline);
                Settled::Failed(Failure::TimedOut, why)
            }
            _ => Settled::NotYet,
        }
    }
}

/// What was not healthy before is not held against the release.
fn failed(planned: &Planned, how: Failure, why: String) -> What {
    let tenant = planned.place.tenant.clone();
    match planned.unhealthy_before {
        Some(_) => What::TenantUnhealthyBefore { tenant, why },
        None => What::TenantFailed { tenant, how, why },
    }
}
