//! How much may fail, and what stops when more did.

use std::collections::BTreeMap;

use super::Look;
use super::slots::Slots;
use crate::fleet::config::{FailureMode, OnBreach, OnFailure};
use crate::rollout::event::What;
use crate::rollout::few::{NAMED, few_of};
use crate::rollout::limits::Scope;
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::progress::State;
use crate::rollout::strategy::Role;
use crate::rollout::tenant::TenantProgress;

impl Look<'_> {
    /// The breach of the current wave, if more has failed than may.
    pub(super) fn breaches(&self) -> Vec<What> {
        if self.progress.state != State::Running {
            return Vec::new();
        }
        let Some(wave) = self.current_wave() else {
            return Vec::new();
        };
        let on_breach = self
            .failed_canary()
            .map_or(wave.on_breach, |canary| canary.on_breach);
        let breach = self.breach().map(|why| (on_breach, why));
        let breach = breach.or_else(|| self.pausing_failure().map(|why| (OnBreach::Pause, why)));
        let breached = breach.map(|(action, why)| What::WaveBreached {
            wave: wave.name.clone(),
            action,
            why,
        });
        breached.into_iter().collect()
    }

    /// The canary wave that has a failure, if one has: it says what happens, also when a later wave runs by then.
    pub(super) fn failed_canary(&self) -> Option<&Wave> {
        let (wave, ..) = self
            .tenants()
            .find(|(wave, _, progress)| wave.role == Role::Canary && counts(progress))?;
        Some(wave)
    }

    /// `onFailure: pause`: any failure stops the rollout for a person.
    fn pausing_failure(&self) -> Option<String> {
        let pauses = self.strategy().spec.tenant.on_failure == OnFailure::Pause;
        let (_, planned, _) = self
            .tenants()
            .find(|(.., progress)| pauses && counts(progress))?;
        Some(format!(
            "`{}` failed, and `onFailure` is pause",
            planned.place.tenant
        ))
    }

    fn breach(&self) -> Option<String> {
        let mut failures = self.failed_before();
        if !self.tenants().any(|(.., progress)| counts(progress)) {
            // Alone they would have kept it from beginning.
            return None;
        }
        for (wave, planned, progress) in self.tenants() {
            if counts(progress) {
                for scope in planned.place.scopes(&wave.name) {
                    failures
                        .entry(scope)
                        .or_default()
                        .push(&planned.place.tenant);
                }
            }
        }
        failures.iter().find_map(|(scope, failed)| {
            let allowed = self.allowed_failures(scope)?;
            (failed.len() > allowed).then(|| {
                format!(
                    "{} of {scope} failed, {allowed} may: {}",
                    failed.len(),
                    few_of(failed, NAMED)
                )
            })
        })
    }

    /// `mode: strict`: who is in flight counts as if it failed, so that at most one more fails than may.
    pub(super) fn room_for_failures(&self) -> Option<Slots<'_>> {
        let before = self.failed_before();
        let places = |scope: &Scope, total: usize| match self.allowed_failures(scope) {
            Some(allowed) => (allowed + 1).saturating_sub(before.get(scope).map_or(0, Vec::len)),
            None => total,
        };
        let is_used = |_: &Planned, progress: &TenantProgress| {
            progress.phase.is_in_flight() || counts(progress)
        };
        let is_strict = self.strategy().spec.limits.max_failures.mode == FailureMode::Strict;
        is_strict.then(|| Slots::under(self, places, is_used))
    }

    /// Who failed before anything began, unless somebody said to go on since.
    fn failed_before(&self) -> BTreeMap<Scope, Vec<&str>> {
        if self.progress.is_excused {
            return BTreeMap::new();
        }
        self.frozen.plan.failed_before()
    }

    fn allowed_failures(&self, scope: &Scope) -> Option<usize> {
        let canary =
            |wave: &&Wave| wave.role == Role::Canary && *scope == Scope::Wave(wave.name.clone());
        if self.frozen.plan.waves.iter().any(|wave| canary(&wave)) {
            return Some(0);
        }
        let unrendered = self.frozen.plan.failed_before();
        let total = self.frozen.total(scope) + unrendered.get(scope).map_or(0, Vec::len);
        scope
            .limit(&self.strategy().spec.limits.max_failures.limits())
            .map(|limit| limit.of(total))
    }
}

/// Whether a tenant's failure counts against the budgets.
fn counts(progress: &TenantProgress) -> bool {
    let failure = progress.failure.as_ref();
    failure.is_some_and(|failed| !failed.is_excused)
}
