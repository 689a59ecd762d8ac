//! Clusters that do not answer: nobody there is started, and nobody is waited for longer than the strategy says.

use jiff::{SignedDuration, Timestamp};

use super::Look;
use crate::fleet::config::UnreachableThen;
use crate::rollout::absence::Absence;
use crate::rollout::event::{Failure, What};
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::progress::{State, WaveState};
use crate::rollout::strategy::Role;
use crate::rollout::tenant::{Phase, TenantProgress};

impl Look<'_> {
    /// That a tenant's cluster does not answer now.
    pub(super) fn absence(&self, planned: &Planned) -> Option<&Absence> {
        self.progress.absences.current(&planned.place.cluster)
    }

    /// Who has been waited for long enough.
    pub(super) fn given_up(&self) -> Vec<What> {
        let is_over = |since: Timestamp| since + self.patience() <= self.now;
        self.tenants()
            .filter(|(wave, planned, progress)| {
                let since = self.waits_since(wave, planned, progress);
                since.is_some_and(is_over)
            })
            .map(|(wave, planned, progress)| self.give_up(wave, planned, progress))
            .collect()
    }

    fn give_up(&self, wave: &Wave, planned: &Planned, progress: &TenantProgress) -> What {
        let tenant = planned.place.tenant.clone();
        let seen = self.absence(planned).map_or_else(
            || "it was interrupted again and again".to_owned(),
            |absence| absence.why.clone(),
        );
        let cluster = &planned.place.cluster;
        let deadline = self.strategy().spec.on_unreachable.deadline;
        let why = format!("cluster `{cluster}` did not answer for {deadline}: {seen}");
        let must_go_back = self.must_go_back(wave, progress);
        match self.strategy().spec.on_unreachable.then {
            UnreachableThen::Defer | UnreachableThen::Fail if must_go_back => {
                What::TenantRollbackFailed { tenant, why }
            }
            UnreachableThen::Defer => What::TenantDeferred { tenant, why },
            UnreachableThen::Fail => What::TenantFailed {
                tenant,
                how: Failure::Unreachable,
                why,
            },
        }
    }

    fn must_go_back(&self, wave: &Wave, progress: &TenantProgress) -> bool {
        matches!(progress.phase, Phase::SettlingBack { .. })
            || self.reason_to_go_back(wave, progress).is_some()
    }

    /// Since when a tenant waits for its cluster to answer. A worker that is at it reports by itself.
    fn waits_since(
        &self,
        wave: &Wave,
        planned: &Planned,
        progress: &TenantProgress,
    ) -> Option<Timestamp> {
        let absent = self.absence(planned).map(|absence| absence.since);
        match progress.phase {
            Phase::Pending if self.starts_now(wave) => earlier(absent, progress.interrupted),
            Phase::LeftOff | Phase::Failed { .. } => earlier(absent, progress.interrupted),
            Phase::Settling { .. } | Phase::SettlingBack { .. } => absent,
            Phase::Succeeded { .. } if self.must_be_seen(wave, progress) => absent,
            Phase::Pending
            | Phase::Succeeded { .. }
            | Phase::Writing { .. }
            | Phase::Closing { .. }
            | Phase::WritingBack { .. }
            | Phase::ClosingBack { .. }
            | Phase::RolledBack { .. }
            | Phase::RollbackFailed { .. }
            | Phase::Left { .. }
            | Phase::UnhealthyBefore { .. }
            | Phase::Deferred { .. }
            | Phase::TakenOver { .. } => None,
        }
    }

    fn starts_now(&self, wave: &Wave) -> bool {
        let current = self.current_wave();
        let is_current = current.is_some_and(|current| std::ptr::eq(current, wave));
        is_current && self.progress.state == State::Running
    }

    /// Whether the rollout cannot go on without seeing a tenant that succeeded: it soaks, is a canary, or goes back.
    fn must_be_seen(&self, wave: &Wave, progress: &TenantProgress) -> bool {
        let recorded = self.progress.wave(&wave.name);
        let is_over = recorded.is_some_and(|wave| wave.state == WaveState::Advanced);
        match self.progress.state {
            State::Running => !is_over || wave.role == Role::Canary,
            State::RollingBack { .. } => self.must_go_back(wave, progress),
            State::Paused { .. }
            | State::Superseding { .. }
            | State::Aborting { .. }
            | State::Finished { .. } => false,
        }
    }

    /// How long its cluster did not answer since then; it does not count against a tenant, within reason.
    pub(super) fn absent_since(&self, planned: &Planned, since: Timestamp) -> SignedDuration {
        let absences = &self.progress.absences;
        let length = absences.length(&planned.place.cluster, since, self.now);
        length.min(self.patience())
    }

    fn patience(&self) -> SignedDuration {
        self.strategy().spec.on_unreachable.deadline.to_signed()
    }

    /// When waiting for clusters that do not answer ends, by tenant.
    pub(super) fn ends_of_patience(&self) -> impl Iterator<Item = Timestamp> {
        let waiting = self
            .tenants()
            .filter_map(|(wave, planned, progress)| self.waits_since(wave, planned, progress));
        waiting.map(|since| since + self.patience())
    }

    /// What is waited for, in words.
    pub(super) fn away_words(&self) -> Vec<String> {
        let away = self.progress.absences.all_current();
        let names_a_tenant = |cluster: &str| {
            self.tenants().any(|(wave, planned, progress)| {
                planned.place.cluster == cluster
                    && self.waits_since(wave, planned, progress).is_some()
            })
        };
        away.filter(|(cluster, _)| names_a_tenant(cluster))
            .map(|(cluster, absence)| format!("cluster `{cluster}` to answer: {}", absence.why))
            .collect()
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
