//! Free places under limits on how many tenants may be in flight.

use super::Look;
use crate::fleet::config::LimitSet;
use crate::rollout::limits::Scope;
use crate::rollout::plan::Planned;
use crate::rollout::tenant::TenantProgress;

/// Free places in every scope, counted down as they are given out.
pub(super) struct Slots<'a> {
    /// In the order of the plan: which scopes a tenant is in.
    within: &'a [Vec<usize>],
    free: Vec<usize>,
}

impl<'a> Slots<'a> {
    /// Under limits on concurrency.
    pub(super) fn new(
        look: &Look<'a>,
        limits: &LimitSet,
        is_used: fn(&TenantProgress) -> bool,
    ) -> Self {
        let limit = |scope: &Scope, total: usize| match (scope.limit(limits), scope) {
            (Some(limit), _) => limit.of(total),
            // Tenants of one group serve one client together: never two at once.
            (None, Scope::Group(_)) => 1,
            (None, _) => total,
        };
        Self::under(look, limit, |_, progress| is_used(progress))
    }

    /// Under limits of any kind: how many places a scope of so many tenants has.
    pub(super) fn under(
        look: &Look<'a>,
        places: impl Fn(&Scope, usize) -> usize,
        is_used: impl Fn(&Planned, &TenantProgress) -> bool,
    ) -> Self {
        let within = look.frozen.within.as_slice();
        let scopes = look.frozen.scopes.iter();
        let mut free: Vec<usize> = scopes.map(|(scope, total)| places(scope, *total)).collect();
        for ((_, planned, progress), scopes) in look.tenants().zip(within) {
            if is_used(planned, progress) {
                for scope in scopes {
                    free[*scope] = free[*scope].saturating_sub(1);
                }
            }
        }
        Self { within, free }
    }

    /// Whether there is a place for the tenant that stands there in the plan.
    fn has(&self, at: usize) -> bool {
        self.within[at].iter().all(|scope| 0 < self.free[*scope])
    }
}

/// Takes a place under each of several limits, of two kinds, for the tenant that stands there in the plan; none, and
/// `false`, if one of them has none.
pub(super) fn take<'a>(limits: &mut [Slots<'a>], others: &mut [Slots<'a>], at: usize) -> bool {
    let mut all = limits.iter().chain(others.iter());
    let is_free = all.all(|slots| slots.has(at));
    if is_free {
        for slots in limits.iter_mut().chain(others) {
            for scope in &slots.within[at] {
                slots.free[*scope] -= 1;
            }
        }
    }
    is_free
}
