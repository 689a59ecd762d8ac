//! Who was left in the middle by a process that is gone: forward if the rollout may, else back.

use super::Look;
use crate::rollout::event::What;
use crate::rollout::progress::State;
use crate::rollout::tenant::Phase;

impl Look<'_> {
    /// They are in flight, so nobody else has their place. Whoever goes back is in [`ways_back`](Look::ways_back).
    pub(super) fn left_off(&self) -> Vec<What> {
        if self.reason_to_undo().is_some() {
            return Vec::new();
        }
        let is_aborted = matches!(self.progress.state, State::Aborting { .. });
        self.tenants()
            .filter(|(.., progress)| progress.phase == Phase::LeftOff)
            .filter(|(wave, planned, _)| {
                let may_go_on = !self.is_out(planned)
                    && !self.is_to_be_asked(planned)
                    && self.unwell_canary(wave).is_none();
                is_aborted || may_go_on
            })
            .map(|(_, planned, _)| match &self.progress.state {
                State::Aborting { .. } => What::TenantLeft {
                    tenant: planned.place.tenant.clone(),
                    why: "left in the middle, and the rollout was aborted".to_owned(),
                },
                _ => What::TenantStarted {
                    tenant: planned.place.tenant.clone(),
                },
            })
            .collect()
    }

    /// Why someone who was left in the middle goes back rather than forward.
    pub(super) fn reason_to_undo(&self) -> Option<String> {
        match &self.progress.state {
            State::RollingBack { why } => Some(why.clone()),
            State::Aborting { .. } => None,
            State::Paused {
                why, failed: true, ..
            } => Some(format!(
                "left in the middle, and the rollout stopped: {why}"
            )),
            State::Running
            | State::Paused { failed: false, .. }
            | State::Superseding { .. }
            | State::Finished { .. } => {
                let canary = self.failed_canary()?;
                Some(format!(
                    "left in the middle, and wave `{}` failed",
                    canary.name
                ))
            }
        }
    }
}
