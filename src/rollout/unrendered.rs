//! Tenants whose manifests could not be rendered: each counts as one failure, in the wave that it would have been in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::few::{NAMED, few_of};
use super::limits::Scope;
use super::plan::{Place, Plan};
use super::strategy::{Role, Strategy};
use crate::fleet::config::WaveRole;

/// A tenant that is left out for a mistake of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unrendered {
    #[serde(flatten)]
    pub place: Place,
    /// The wave of the strategy that would have had it. Who would be in none fails nobody.
    pub wave: String,
}

impl Plan {
    /// The tenants that count as failed in each scope before anything began.
    pub(super) fn failed_before(&self) -> BTreeMap<Scope, Vec<&str>> {
        let mut failed: BTreeMap<Scope, Vec<&str>> = BTreeMap::new();
        for one in &self.unrendered {
            for scope in one.place.scopes(&one.wave) {
                failed.entry(scope).or_default().push(&one.place.tenant);
            }
        }
        // A wave that plays the canary, because those that are meant to have nothing to do, is proven by those who render.
        failed.retain(|scope, _| !self.is_canary(scope));
        failed
    }

    fn is_canary(&self, scope: &Scope) -> bool {
        let mut waves = self.waves.iter().filter(|wave| wave.role == Role::Canary);
        waves.any(|wave| *scope == Scope::Wave(wave.name.clone()))
    }

    /// Why a rollout of this plan would have failed before it began: a canary of the strategy, or more tenants than may
    /// fail, could not be rendered.
    pub fn fails_before(&self, strategy: &Strategy) -> Option<String> {
        // Where nobody is to be started, a canary proves nothing.
        let canary = self.lost_canary(strategy).filter(|_| !self.is_empty());
        canary.or_else(|| {
            let totals = self.totals();
            let limits = strategy.spec.limits.max_failures.limits();
            self.failed_before().iter().find_map(|(scope, failed)| {
                let total = totals.get(scope).copied().unwrap_or_default() + failed.len();
                let allowed = scope.limit(&limits)?.of(total);
                (allowed < failed.len()).then(|| {
                    format!(
                        "{} of {scope} cannot be rendered, {allowed} may fail (`limits.maxFailures`): {}",
                        failed.len(),
                        few_of(failed, NAMED)
                    )
                })
            })
        })
    }

    fn lost_canary(&self, strategy: &Strategy) -> Option<String> {
        let is_canary = |name: &str| {
            let mut waves = strategy.spec.waves.iter();
            waves.any(|wave| wave.name == name && wave.role == Some(WaveRole::Canary))
        };
        let one = self.unrendered.iter().find(|one| is_canary(&one.wave))?;
        Some(format!(
            "canary `{}` cannot be rendered, and wave `{}` tolerates no failure",
            one.place.tenant, one.wave
        ))
    }
}
