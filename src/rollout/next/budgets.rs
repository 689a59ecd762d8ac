//! How much may fail, and what stops when more did.

use std::collections::BTreeMap;

use super::Look;
use crate::rollout::event::What;
use crate::rollout::limits::Scope;
use crate::rollout::plan::Wave;
use crate::rollout::progress::State;
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
        self.breach()
            .map(|why| What::WaveBreached {
                wave: wave.name.clone(),
                action: wave.on_breach,
                why,
            })
            .into_iter()
            .collect()
    }

    fn breach(&self) -> Option<String> {
        let mut failures: BTreeMap<Scope, Vec<&str>> = BTreeMap::new();
        for (wave, planned, progress) in self.tenants() {
            if progress
                .failure
                .as_ref()
                .is_some_and(|failed| !failed.is_excused)
            {
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
        let total = self.frozen.totals.get(scope).copied().unwrap_or_default();
        self.strategy()
            .max_failures
            .limit(scope)
            .map(|limit| limit.of(total))
    }
}
