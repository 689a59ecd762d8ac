//! How many tenants may be without the pods that somebody would miss, before no other is started.

use super::Look;
use super::slots::Slots;
use super::{Wait, Whom};
use crate::rollout::limits::Scope;
use crate::rollout::plan::Planned;
use crate::rollout::tenant::{Phase, TenantProgress};

impl Look<'_> {
    /// Places for those that a start may make unavailable (`limits.maxUnavailable`).
    pub(super) fn room_for_unavailable(&self) -> Slots<'_> {
        let limits = self.strategy().spec.limits.max_unavailable;
        let places = |scope: &Scope, total: usize| {
            let limit = scope.limit(&limits);
            limit.map_or(total, |limit| limit.of(total))
        };
        Slots::under(self, places, |planned, progress| {
            self.is_unavailable(planned, progress)
        })
    }

    /// Whether a start may make it unavailable: who is new has nobody to miss it, and who was not healthy before is
    /// counted apart (I3).
    pub(super) fn can_be_missed(planned: &Planned) -> bool {
        planned.from.is_some() && planned.unhealthy_before.is_none()
    }

    /// Not seen to serve. Tenants of a cluster that does not answer or is unwell stop nobody elsewhere.
    fn is_unavailable(&self, planned: &Planned, progress: &TenantProgress) -> bool {
        if !Self::can_be_missed(planned) || self.is_out(planned) {
            return false;
        }
        let sample = progress.last_sample.as_ref();
        let is_seen_to_serve = sample.is_some_and(|sample| sample.serves && self.is_fresh(sample));
        match progress.phase {
            Phase::LeftOff
            | Phase::Writing { .. }
            | Phase::Failed { .. }
            | Phase::WritingBack { .. }
            | Phase::RollbackFailed { .. }
            | Phase::Left { .. } => true,
            Phase::Settling { .. } | Phase::SettlingBack { .. } => !is_seen_to_serve,
            // It was healthy a moment ago, as long as nothing else was seen.
            Phase::Succeeded { .. } => sample.is_some() && !is_seen_to_serve,
            Phase::Pending
            | Phase::Closing { .. }
            | Phase::ClosingBack { .. }
            | Phase::RolledBack { .. }
            | Phase::UnhealthyBefore { .. }
            | Phase::Deferred { .. }
            | Phase::TakenOver { .. } => false,
        }
    }

    /// Nothing is in flight, and too many are unavailable for anybody to be started.
    pub(super) fn wait_for_available(&self) -> Option<Wait> {
        let unavailable = self
            .tenants()
            .filter(|(_, planned, progress)| self.is_unavailable(planned, progress));
        let (mut names, mut is_stuck) = (Vec::new(), false);
        for (_, planned, progress) in unavailable {
            names.push(format!("`{}`", planned.place.tenant));
            is_stuck |= !progress.phase.is_watched();
        }
        let whom = if is_stuck {
            Whom::Person { failed: true }
        } else {
            Whom::Tenants
        };
        (!names.is_empty()).then(|| Wait {
            until: None,
            on: vec![format!(
                "{} to serve again: no more tenants may be unavailable (`limits.maxUnavailable`)",
                names.join(", ")
            )],
            whom,
        })
    }
}
