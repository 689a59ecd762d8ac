//! Not forward: what is in flight settles, then the rollout waits for a person or ends.

use jiff::Timestamp;

use super::{Look, Next, Seen, Wait, Whom};
use crate::rollout::event::What;
use crate::rollout::few::{NAMED, few_of};
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::progress::{Outcome, State};
use crate::rollout::tenant::{Phase, TenantProgress};

impl Look<'_> {
    pub(super) fn settle(&self) -> Next {
        if self.tenants().any(|seen| self.is_unsettled(seen)) {
            return Next::Wait(self.wait_to_settle());
        }
        match &self.progress.state {
            State::Paused { by, why, failed } => Next::Wait(Wait {
                until: None,
                on: vec![format!("a person: paused by {by}: {why}")],
                whom: Whom::Person { failed: *failed },
            }),
            State::RollingBack { why } => Next::Do(vec![self.finish_rolled_back(why)]),
            State::Aborting { by, why } => Next::Do(vec![What::Finished {
                outcome: Outcome::Aborted,
                why: format!("aborted by {by}: {why}"),
            }]),
            State::Superseding { by } => Next::Do(vec![What::Finished {
                outcome: Outcome::Superseded,
                why: format!("superseded by release {by}"),
            }]),
            State::Running | State::Finished { .. } => self.forward(),
        }
    }

    pub(super) fn wait_to_settle(&self) -> Wait {
        let on = self.in_flight_words().into_iter();
        Wait {
            until: self.next_deadline(),
            on: on.chain(self.away_words()).collect(),
            whom: Whom::Tenants,
        }
    }

    /// In flight, or has to go back and waits for its cluster.
    fn is_unsettled(&self, (wave, planned, progress): Seen<'_>) -> bool {
        progress.phase.is_in_flight()
            || self.must_go_back(wave, progress)
                && self.waits_since(wave, planned, progress).is_some()
    }

    fn finish_rolled_back(&self, why: &str) -> What {
        let stuck: Vec<&str> = self
            .tenants()
            .filter(|(wave, _, progress)| match progress.phase {
                Phase::RollbackFailed { .. } | Phase::Left { .. } => true,
                Phase::Deferred { .. } => progress.is_touched && self.is_breached(wave),
                _ => false,
            })
            .map(|(_, planned, _)| planned.place.tenant.as_str())
            .collect();
        if stuck.is_empty() {
            return What::Finished {
                outcome: Outcome::RolledBack,
                why: why.to_owned(),
            };
        }
        What::Finished {
            outcome: Outcome::Failed,
            why: format!("{why}; not back: {}", few_of(&stuck, NAMED)),
        }
    }

    pub(super) fn wait_for_tenants(&self, wave: &Wave) -> Wait {
        let mut on = self.in_flight_words();
        if on.is_empty()
            && let Some(wait) = self.wait_for_available()
        {
            return wait;
        }
        on.extend(
            self.unwell_canary(wave)
                .map(|tenant| format!("canary `{tenant}` to be seen healthy again")),
        );
        on.extend(self.away_words());
        let shut = self.shut(wave);
        let whom = if on.is_empty() && !shut.on.is_empty() {
            shut.whom()
        } else {
            Whom::Tenants
        };
        on.extend(shut.on);
        Wait {
            until: self.next_deadline().into_iter().chain(shut.until).min(),
            on,
            whom,
        }
    }

    pub(super) fn in_flight_words(&self) -> Vec<String> {
        let in_flight = self
            .tenants()
            .filter(|(.., progress)| progress.phase.is_in_flight());
        in_flight
            .map(|(_, planned, progress)| {
                let hook = progress.hook.as_ref();
                let hook = hook.map(|hook| format!(": hook `{hook}` runs"));
                let seen = progress
                    .last_sample
                    .as_ref()
                    .map(|sample| sample.headline.as_str());
                let seen = seen
                    .filter(|headline| !headline.is_empty())
                    .map(|headline| format!(": {headline}"));
                let seen = hook.or(seen);
                format!("`{}`{}", planned.place.tenant, seen.unwrap_or_default())
            })
            .collect()
    }

    /// When the clock alone decides something about a tenant.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let tenant = &self.strategy().spec.tenant;
        let deadline = |planned: &Planned, progress: &TenantProgress| match progress.phase {
            Phase::Settling { written_at } | Phase::SettlingBack { written_at } => {
                let settled = progress
                    .healthy_since
                    .map(|since| since + tenant.min_healthy_time.to_signed());
                Some(settled.unwrap_or_else(|| self.late_at(planned, progress, written_at)))
            }
            _ => None,
        };
        self.tenants()
            .filter_map(|(_, planned, progress)| deadline(planned, progress))
            .chain(self.ends_of_patience())
            // What is due already waits for a look, which wakes us itself.
            .filter(|at| self.now < *at)
            .min()
    }
}
