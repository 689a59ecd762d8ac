//! What health and time say of each tenant.

use jiff::Timestamp;

use super::Look;
use crate::rollout::event::{Failure, What};
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::tenant::{Health, Phase, Sample, TenantProgress};

enum Settled {
    Healthy,
    Failed(Failure, String),
    NotYet,
}

impl Look<'_> {
    pub(super) fn verdicts(&self) -> Vec<What> {
        self.tenants()
            .filter_map(|(wave, planned, progress)| self.verdict(wave, planned, progress))
            .collect()
    }

    fn verdict(&self, wave: &Wave, planned: &Planned, progress: &TenantProgress) -> Option<What> {
        let tenant = planned.place.tenant.clone();
        let goes_back = matches!(progress.phase, Phase::SettlingBack { .. });
        match self.settled(planned, progress) {
            Settled::Healthy if goes_back => Some(What::TenantBackHealthy { tenant }),
            Settled::Healthy => Some(What::TenantHealthy { tenant }),
            Settled::Failed(..) if self.may_be_its_cluster(wave, planned, progress) => None,
            Settled::Failed(_, why) if goes_back => {
                Some(What::TenantRollbackFailed { tenant, why })
            }
            Settled::Failed(Failure::DiedLater, why) => Some(What::TenantFailed {
                tenant,
                how: Failure::DiedLater,
                why,
            }),
            Settled::Failed(how, why) => Some(failed(planned, how, why)),
            Settled::NotYet => None,
        }
    }

    /// Since when it is about to be called failed.
    pub(super) fn seems_failed_since(
        &self,
        planned: &Planned,
        progress: &TenantProgress,
    ) -> Option<Timestamp> {
        let Settled::Failed(how, _) = self.settled(planned, progress) else {
            return None;
        };
        match (how, &progress.phase) {
            (
                Failure::TimedOut,
                Phase::Settling { written_at } | Phase::SettlingBack { written_at },
            ) => Some(self.late_at(planned, progress, *written_at)),
            _ => progress.failing_since.max(self.recovered(planned)),
        }
    }

    /// When a tenant is called late. The time in which its cluster did not answer does not count: it is noticed late, and
    /// began when the tenant was last seen.
    pub(super) fn late_at(
        &self,
        planned: &Planned,
        progress: &TenantProgress,
        written_at: Timestamp,
    ) -> Timestamp {
        let since = self.waiting_since(planned, written_at);
        let deadline = self.strategy().spec.tenant.progress_deadline.to_signed();
        let unseen = progress.unseen.min(self.patience());
        since + deadline + self.absent_since(planned, since).max(unseen)
    }

    fn settled(&self, planned: &Planned, progress: &TenantProgress) -> Settled {
        match progress.phase {
            Phase::Settling { written_at } | Phase::SettlingBack { written_at } => {
                self.settling(planned, progress, written_at)
            }
            Phase::Succeeded { .. } => self
                .last_failure(planned, progress)
                .map_or(Settled::NotYet, |sample| {
                    Settled::Failed(Failure::DiedLater, sample.headline.clone())
                }),
            _ => Settled::NotYet,
        }
    }

    /// The last sample, if it says failed. What was seen before its cluster got well again does not count.
    fn last_failure<'s>(
        &self,
        planned: &Planned,
        progress: &'s TenantProgress,
    ) -> Option<&'s Sample> {
        let sample = progress.last_sample.as_ref()?;
        let is_of_now = self.recovered(planned).is_none_or(|at| at < sample.at);
        (sample.health == Health::Failed && is_of_now).then_some(sample)
    }

    fn settling(
        &self,
        planned: &Planned,
        progress: &TenantProgress,
        written_at: Timestamp,
    ) -> Settled {
        let tenant = &self.strategy().spec.tenant;
        let deadline = tenant.progress_deadline;
        // Who was away looks again: what was seen before the gap proves nothing (I11). Seen well once is not seen well
        // for so long: a look at the end of that time decides.
        if let (Some(since), Some(last)) = (progress.healthy_since, &progress.last_sample)
            && self.is_seen_healthy(progress)
            && last.at.duration_since(since) >= tenant.min_healthy_time.to_signed()
        {
            return Settled::Healthy;
        }
        if let Some(sample) = self.last_failure(planned, progress) {
            return Settled::Failed(Failure::Unhealthy, sample.headline.clone());
        }
        // Nor does it prove that it failed.
        let sample = progress.last_sample.as_ref();
        let sample = sample.filter(|sample| self.is_fresh(sample));
        match sample {
            Some(sample)
                if self.late_at(planned, progress, written_at) <= self.now
                    && progress.healthy_since.is_none() =>
            {
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
