//! Clusters that do not answer, or are unwell: nobody there is started, and nobody is waited for longer than the strategy says.

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
        let (how, why) = self.why_given_up(planned);
        let must_go_back = self.must_go_back(wave, progress);
        match self.strategy().spec.on_unreachable.then {
            UnreachableThen::Defer | UnreachableThen::Fail if must_go_back => {
                What::TenantRollbackFailed { tenant, why }
            }
            UnreachableThen::Defer => What::TenantDeferred { tenant, why },
            UnreachableThen::Fail => What::TenantFailed { tenant, how, why },
        }
    }

    fn why_given_up(&self, planned: &Planned) -> (Failure, String) {
        let cluster = &planned.place.cluster;
        let deadline = self.strategy().spec.on_unreachable.deadline;
        let (how, did, seen) = match (self.absence(planned), self.illness(planned)) {
            (Some(absence), _) => (Failure::Unreachable, "did not answer", &*absence.why),
            (None, Some(illness)) => (Failure::Unwell, "was unwell", &*illness.why),
            (None, None) => {
                let seen = "it was interrupted again and again";
                (Failure::Unreachable, "did not answer", seen)
            }
        };
        let why = format!("cluster `{cluster}` {did} for {deadline}: {seen}");
        (how, why)
    }

    pub(super) fn must_go_back(&self, wave: &Wave, progress: &TenantProgress) -> bool {
        matches!(progress.phase, Phase::SettlingBack { .. })
            || self.reason_to_go_back(wave, progress).is_some()
    }

    /// Since when a tenant waits for its cluster to answer, or to be well. A worker that is at it reports by itself.
    pub(super) fn waits_since(
        &self,
        wave: &Wave,
        planned: &Planned,
        progress: &TenantProgress,
    ) -> Option<Timestamp> {
        let absent = self.absence(planned).map(|absence| absence.since);
        let ill = self.illness(planned).map(|illness| illness.since);
        // Whoever was interrupted by an earlier illness has waited since then.
        let interrupted = ill.and(progress.interrupted);
        let is_ill_too = ill.filter(|_| !self.is_seen_healthy(progress));
        let out = earlier(absent, ill);
        match progress.phase {
            Phase::Pending if self.starts_now(wave) => earlier(out, progress.interrupted),
            Phase::LeftOff => earlier(out, progress.interrupted),
            Phase::Failed { .. } => earlier(absent, progress.interrupted),
            Phase::Settling { .. } => earlier(out, interrupted),
            // A way back has a patience of its own.
            Phase::SettlingBack { written_at } => {
                let ill = ill.map(|since| since.max(written_at));
                earlier(earlier(absent, ill), interrupted)
            }
            Phase::Succeeded { .. } if self.must_be_seen(wave, progress) => {
                earlier(absent, is_ill_too)
            }
            Phase::Deferred { .. } if self.must_go_back(wave, progress) => absent,
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
    pub(super) fn must_be_seen(&self, wave: &Wave, progress: &TenantProgress) -> bool {
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

    pub(super) fn patience(&self) -> SignedDuration {
        self.strategy().spec.on_unreachable.deadline.to_signed()
    }

    /// When waiting for clusters that do not answer or are unwell ends, by tenant.
    pub(super) fn ends_of_patience(&self) -> impl Iterator<Item = Timestamp> {
        let waiting = self
            .tenants()
            .filter_map(|(wave, planned, progress)| self.waits_since(wave, planned, progress));
        waiting.map(|since| since + self.patience())
    }

    /// What is waited for, in words.
    pub(super) fn away_words(&self) -> Vec<String> {
        let names_a_tenant = |cluster: &str| {
            self.tenants().any(|(wave, planned, progress)| {
                planned.place.cluster == cluster
                    && self.waits_since(wave, planned, progress).is_some()
            })
        };
        let away = self.progress.absences.all_current();
        let away = away.map(|(cluster, absence)| (cluster, "to answer", absence));
        let ill = self.progress.illnesses.all_current();
        let ill = ill.map(|(cluster, illness)| (cluster, "to be well again", illness));
        away.chain(ill)
            .filter(|(cluster, ..)| names_a_tenant(cluster))
            .map(|(cluster, what, spell)| format!("cluster `{cluster}` {what}: {}", spell.why))
            .collect()
    }
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
