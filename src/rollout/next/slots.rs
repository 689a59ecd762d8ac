//! Free places under limits on concurrency.

use std::collections::BTreeMap;

use super::Look;
use crate::fleet::config::LimitSet;
use crate::rollout::limits::Scope;
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::progress::Phase;

/// Free places under a set of limits, counted down as they are given out.
pub(super) struct Slots<'a> {
    look: &'a Look<'a>,
    limits: &'a LimitSet,
    used: BTreeMap<Scope, usize>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(
        look: &'a Look<'a>,
        limits: &'a LimitSet,
        is_used: fn(&Phase) -> bool,
    ) -> Self {
        let mut used: BTreeMap<Scope, usize> = BTreeMap::new();
        for (wave, planned, progress) in look.tenants() {
            if is_used(&progress.phase) {
                for scope in planned.place.scopes(&wave.name) {
                    *used.entry(scope).or_default() += 1;
                }
            }
        }
        Self { look, limits, used }
    }

    pub(super) fn take(&mut self, wave: &Wave, planned: &Planned) -> bool {
        let scopes = planned.place.scopes(&wave.name);
        if !scopes.iter().all(|scope| self.has_room(scope)) {
            return false;
        }
        for scope in scopes {
            *self.used.entry(scope).or_default() += 1;
        }
        true
    }

    fn has_room(&self, scope: &Scope) -> bool {
        let used = self.used.get(scope).copied().unwrap_or_default();
        let total = self
            .look
            .frozen
            .totals
            .get(scope)
            .copied()
            .unwrap_or_default();
        let limit = match (scope.limit(self.limits), scope) {
            (Some(limit), _) => limit.of(total),
            // Tenants of one group serve one client together: never two at once.
            (None, Scope::Group(_)) => 1,
            (None, _) => total,
        };
        used < limit
    }
}
