//! What tenants that a rollout has not touched say of their cluster.
//!
//! They run what they ran before, so a release cannot be why they are ill: if several are, their cluster is.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Fewer are no evidence: one tenant may die by itself.
pub(super) const FEW: usize = 2;
/// So is less than one in so many of those that were looked at.
const SHARE: usize = 5;

/// How the untouched tenants of each cluster were last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Controls(BTreeMap<String, Control>);

/// The untouched tenants of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    pub last: ControlSample,
    /// Since when no sample was ill.
    pub well_since: Option<Timestamp>,
}

/// One look at untouched tenants of a cluster, all of which were healthy before the rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlSample {
    pub at: Timestamp,
    /// How many of them were seen.
    pub seen: usize,
    /// Who is unhealthy now, and what is wrong.
    pub ailing: Vec<(String, String)>,
}

impl ControlSample {
    /// Whether so many are unhealthy that it cannot be their own doing.
    pub fn is_ill(&self) -> bool {
        let enough = FEW.max(self.seen.div_ceil(SHARE));
        self.ailing.len() >= enough
    }

    /// Who is ill, for people: how many, and the first of them.
    pub(super) fn words(&self) -> String {
        let first = self.ailing.first();
        let first = first.map(|(tenant, headline)| format!(", `{tenant}`: {headline}"));
        format!(
            "{} of {} tenants turned unhealthy that this rollout has not touched{}",
            self.ailing.len(),
            self.seen,
            first.unwrap_or_default()
        )
    }
}

impl Controls {
    pub fn of(&self, cluster: &str) -> Option<&Control> {
        self.0.get(cluster)
    }

    /// A gap longer than `max_gap` voids what was seen before it.
    pub(super) fn observe(
        &mut self,
        cluster: &str,
        sample: ControlSample,
        max_gap: SignedDuration,
    ) {
        let before = self.0.get(cluster).filter(|before| {
            let gap = sample.at.duration_since(before.last.at);
            !gap.is_negative() && gap <= max_gap
        });
        let well_since = before.and_then(|before| before.well_since);
        let well_since = (!sample.is_ill()).then(|| well_since.unwrap_or(sample.at));
        let control = Control {
            last: sample,
            well_since,
        };
        self.0.insert(cluster.to_owned(), control);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64, ailing: usize, seen: usize) -> ControlSample {
        let ill = |number| (format!("t{number}"), "no pod is ready".to_owned());
        ControlSample {
            at: Timestamp::from_second(second).unwrap(),
            seen,
            ailing: (0..ailing).map(ill).collect(),
        }
    }

    #[test]
    fn one_tenant_is_never_enough_and_of_many_it_takes_a_fifth() {
        let is_ill = |ailing, seen| sample(0, ailing, seen).is_ill();
        assert!(!is_ill(0, 0));
        assert!(!is_ill(1, 1));
        assert!(!is_ill(1, 10));
        assert!(is_ill(2, 2));
        assert!(is_ill(2, 10));
        assert!(!is_ill(2, 11));
        assert!(is_ill(3, 11));
    }

    #[test]
    fn well_is_an_unbroken_run_of_samples() {
        let mut controls = Controls::default();
        let gap = SignedDuration::from_secs(60);
        let mut well_since = |second, ailing| {
            controls.observe("c", sample(second, ailing, 5), gap);
            let since = controls.of("c")?.well_since;
            since.map(Timestamp::as_second)
        };
        assert_eq!(well_since(0, 2), None);
        assert_eq!(well_since(5, 1), Some(5));
        assert_eq!(well_since(10, 0), Some(5));
        assert_eq!(well_since(15, 3), None);
        assert_eq!(well_since(20, 0), Some(20));
        assert_eq!(well_since(90, 0), Some(90), "nobody looked in between");
    }
}
