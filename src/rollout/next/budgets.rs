//! How much may fail, and what stops when more did.

use std::collections::BTreeMap;

use super::Look;
use crate::fleet::config::{OnBreach, OnFailure};
use crate::rollout::event::What;
use crate::rollout::limits::Scope;
use crate::rollout::plan::Wave;
use crate::rollout::progress::{State, TenantProgress};
use crate::rollout::strategy::Role;

impl Look<'_> {
    /// The breach of the current wave, if more has failed than may.
    pub(super) fn breaches(&self) -> Vec<What> {
        if self.progress.state != State::Running {
            return Vec::new();
        }
        let Some(wave) = self.current_wave() else {
            return Vec::new();
        };
        let breach = self.breach().map(|why| (wave.on_breach, why));
        let breach = breach.or_else(|| self.pausing_failure().map(|why| (OnBreach::Pause, why)));
        let breached = breach.map(|(action, why)| What::WaveBreached {
            wave: wave.name.clone(),
            action,
            why,
        });
        breached.into_iter().collect()
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
        let mut failures: BTreeMap<Scope, Vec<&str>> = BTreeMap::new();
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
                    failed.join(", ")
                )
            })
        })
    }

    fn allowed_failures(&self, scope: &Scope) -> Option<usize> {
        let canary =
            |wave: &&Wave| wave.role == Role::Canary && *scope == Scope::Wave(wave.name.clone());
        if self.frozen.plan.waves.iter().any(|wave| canary(&wave)) {
            return Some(0);
        }
        let total = self.frozen.total(scope);
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
