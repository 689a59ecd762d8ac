//! How long a tenant has been healthy without interruption: `minHealthyTime` and soak.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::health::tenant::TenantHealth;
use crate::health::verdict::Verdict;

/// The unbroken run of healthy samples of one tenant, up to the last one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settling {
    max_sample_gap: SignedDuration,
    healthy_since: Option<Timestamp>,
    last_sample: Option<Timestamp>,
}

impl Settling {
    /// Nobody knows what happened between two samples that are further apart than the gap.
    pub fn new(max_sample_gap: SignedDuration) -> Self {
        Self {
            max_sample_gap,
            healthy_since: None,
            last_sample: None,
        }
    }

    /// Takes a sample. One that is not healthy ends the run; so does a gap that is too long, or
    /// a clock that went back: a new run begins then, so that no time is counted twice.
    pub fn observe(&mut self, health: &TenantHealth, at: Timestamp) {
        let is_unbroken = self.last_sample.is_some_and(|last| {
            let gap = at.duration_since(last);
            !gap.is_negative() && gap <= self.max_sample_gap
        });
        self.take(health, at, is_unbroken);
    }

    /// Takes a sample after a gap in which nothing happened, as `gap::proves_quiet` showed.
    pub fn observe_after_quiet_gap(&mut self, health: &TenantHealth, at: Timestamp) {
        let is_unbroken = self.last_sample.is_some_and(|last| last <= at);
        self.take(health, at, is_unbroken);
    }

    fn take(&mut self, health: &TenantHealth, at: Timestamp, is_unbroken: bool) {
        let run = self.healthy_since.filter(|_| is_unbroken);
        self.healthy_since = (health.verdict == Verdict::Healthy).then_some(run.unwrap_or(at));
        self.last_sample = Some(at);
    }

    /// The first sample of the run that the last sample belongs to.
    pub fn healthy_since(&self) -> Option<Timestamp> {
        self.healthy_since
    }

    /// The length of the run. It ends at the last sample, not now: what was not sampled was not seen.
    pub fn healthy_for(&self) -> SignedDuration {
        match (self.healthy_since, self.last_sample) {
            (Some(since), Some(last)) => last.duration_since(since),
            _ => SignedDuration::ZERO,
        }
    }
}
