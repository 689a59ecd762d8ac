//! Not forward: what is in flight settles, then the rollout waits for a person or ends.

use jiff::Timestamp;

use super::{Look, Next, Wait, Whom};
use crate::rollout::event::What;
use crate::rollout::plan::Wave;
use crate::rollout::progress::{Outcome, Phase, State, TenantProgress};

impl Look<'_> {
    pub(super) fn settle(&self) -> Next {
        if self
            .tenants()
            .any(|(.., progress)| progress.phase.is_in_flight())
        {
            return Next::Wait(Wait {
                until: self.next_deadline(),
                on: self.in_flight_words(),
                whom: Whom::Tenants,
            });
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

    fn finish_rolled_back(&self, why: &str) -> What {
        let is_stuck =
            |phase: &Phase| matches!(phase, Phase::RollbackFailed { .. } | Phase::Left { .. });
        let stuck: Vec<&str> = self
            .tenants()
            .filter(|(.., progress)| is_stuck(&progress.phase))
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
            why: format!("{why}; not back: {}", stuck.join(", ")),
        }
    }

    pub(super) fn wait_for_tenants(&self, wave: &Wave) -> Wait {
        let mut on = self.in_flight_words();
        on.extend(
            self.unwell_canary(wave)
                .map(|tenant| format!("canary `{tenant}` to be seen healthy again")),
        );
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
                let seen = progress
                    .last_sample
                    .as_ref()
                    .map(|sample| sample.headline.as_str());
                let seen = seen
                    .filter(|headline| !headline.is_empty())
                    .map(|headline| format!(": {headline}"));
                format!("`{}`{}", planned.place.tenant, seen.unwrap_or_default())
            })
            .collect()
    }

    /// When the clock alone decides something about a tenant.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let tenant = &self.strategy().spec.tenant;
        let deadline = |progress: &TenantProgress| match progress.phase {
            Phase::Settling { written_at } | Phase::SettlingBack { written_at } => Some(
                progress
                    .healthy_since
                    .map_or(written_at + tenant.progress_deadline.to_signed(), |since| {
                        since + tenant.min_healthy_time.to_signed()
                    }),
            ),
            _ => None,
        };
        self.tenants()
            .filter_map(|(.., progress)| deadline(progress))
            // What is due already waits for a look, which wakes us itself.
            .filter(|at| self.now < *at)
            .min()
    }
}
