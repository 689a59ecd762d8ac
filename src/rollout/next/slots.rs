//! Free places under limits on concurrency.

use super::Look;
use crate::fleet::config::LimitSet;
use crate::rollout::limits::Scope;
use crate::rollout::progress::Phase;

/// Free places in every scope, counted down as they are given out.
pub(super) struct Slots<'a> {
    /// In the order of the plan: which scopes a tenant is in.
    within: &'a [Vec<usize>],
    free: Vec<usize>,
}

impl<'a> Slots<'a> {
    pub(super) fn new(look: &Look<'a>, limits: &LimitSet, is_used: fn(&Phase) -> bool) -> Self {
        let limit = |(scope, total): &(Scope, usize)| match (scope.limit(limits), scope) {
            (Some(limit), _) => limit.of(*total),
            // Tenants of one group serve one client together: never two at once.
            (None, Scope::Group(_)) => 1,
            (None, _) => *total,
        };
        let within = look.frozen.within.as_slice();
        let mut free: Vec<usize> = look.frozen.scopes.iter().map(limit).collect();
        for ((.., progress), scopes) in look.tenants().zip(within) {
            if is_used(&progress.phase) {
                for scope in scopes {
                    free[*scope] = free[*scope].saturating_sub(1);
                }
            }
        }
        Self { within, free }
    }

    /// Takes a place for the tenant that stands there in the plan; `false` if there is none.
    pub(super) fn take(&mut self, at: usize) -> bool {
        let scopes = &self.within[at];
        if scopes.iter().any(|scope| self.free[*scope] == 0) {
            return false;
        }
        for scope in scopes {
            self.free[*scope] -= 1;
        }
        true
    }
}
