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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::tests::at;
    use crate::health::verdict::Verdict::{Failed, Healthy, Progressing, Suspended, Unknown};

    fn tenant(verdict: Verdict) -> TenantHealth {
        TenantHealth {
            verdict,
            objects: Vec::new(),
            headline: String::new(),
        }
    }

    /// Takes samples `(second, verdict)` with gaps of 30 s allowed.
    fn settled(samples: &[(i64, Verdict)]) -> Settling {
        let mut settling = Settling::new(SignedDuration::from_secs(30));
        for (second, verdict) in samples {
            settling.observe(&tenant(*verdict), at(*second));
        }
        settling
    }

    #[test]
    fn a_run_begins_with_its_first_healthy_sample_and_ends_with_its_last() {
        let settling = settled(&[
            (0, Progressing),
            (10, Healthy),
            (40, Healthy),
            (60, Healthy),
        ]);
        assert_eq!(settling.healthy_since(), Some(at(10)));
        assert_eq!(settling.healthy_for(), SignedDuration::from_secs(50));
    }

    #[test]
    fn nothing_was_seen_after_the_last_sample() {
        assert_eq!(settled(&[]).healthy_for(), SignedDuration::ZERO);
        assert_eq!(settled(&[(0, Healthy)]).healthy_for(), SignedDuration::ZERO);
    }

    #[test]
    fn any_other_verdict_ends_the_run() {
        for verdict in [Progressing, Failed, Unknown, Suspended] {
            let settling = settled(&[(0, Healthy), (10, verdict)]);
            assert_eq!(settling.healthy_since(), None, "{verdict}");
            let again = settled(&[(0, Healthy), (10, verdict), (20, Healthy)]);
            assert_eq!(again.healthy_since(), Some(at(20)), "{verdict}");
        }
    }

    #[test]
    fn a_gap_that_is_too_long_voids_what_was_before_it() {
        let settling = settled(&[(0, Healthy), (30, Healthy), (61, Healthy)]);
        assert_eq!(settling.healthy_since(), Some(at(61)));
    }

    #[test]
    fn a_gap_in_which_nothing_happened_voids_nothing() {
        let mut settling = settled(&[(0, Healthy), (30, Healthy)]);
        settling.observe_after_quiet_gap(&tenant(Healthy), at(900));
        assert_eq!(settling.healthy_since(), Some(at(0)));
        settling.observe_after_quiet_gap(&tenant(Failed), at(1_800));
        assert_eq!(settling.healthy_since(), None);
    }

    #[test]
    fn a_clock_that_goes_back_never_shortens_the_wait() {
        let settling = settled(&[(100, Healthy), (120, Healthy), (50, Healthy), (60, Healthy)]);
        assert_eq!(settling.healthy_since(), Some(at(50)));
        assert_eq!(settling.healthy_for(), SignedDuration::from_secs(10));
    }

    #[test]
    fn progress_reads_back_as_it_was_recorded() {
        let settling = settled(&[(0, Healthy), (10, Healthy)]);
        let text = serde_json::to_string(&settling).unwrap();
        assert_eq!(
            text,
            r#"{"maxSampleGap":"PT30S","healthySince":"2026-11-22T00:00:00Z","lastSample":"2026-11-22T00:00:10Z"}"#
        );
        assert_eq!(serde_json::from_str::<Settling>(&text).unwrap(), settling);
    }
}
