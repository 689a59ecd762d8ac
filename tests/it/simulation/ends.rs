//! What must hold when a rollout says that it is over.

use escale::engine::Ended;
use escale::rollout::{Frozen, Outcome, Phase, Progress, WaveState};
use jiff::Timestamp;

use super::intents;
use super::rules::{MARGIN, Rules};

impl Rules {
    pub(super) fn finishes(
        &mut self,
        now: Timestamp,
        rollout: &str,
        outcome: Outcome,
        progress: &Progress,
        frozen: &Frozen,
    ) {
        for (tenant, one) in &progress.tenants {
            let is_settled = !one.phase.is_in_flight();
            if !is_settled {
                self.breaks(
                    now,
                    "I28",
                    &format!("it is over, and `{tenant}` is {:?}", one.phase),
                );
            }
            let succeeded = matches!(one.phase, Phase::Succeeded { .. });
            if let (true, Some((_, planned))) = (succeeded, frozen.plan.find(tenant))
                && outcome == Outcome::Succeeded
                && let Some(tag) = self.tag_of(tenant, &planned.digest)
                && self
                    .truth
                    .now(tenant)
                    .is_some_and(|state| state.tag != tag && state.since < now - MARGIN)
                && !self.truth.runs_what_was_set_by_hand(tenant)
                && !self.held.contains_key(tenant)
                && !self.is_away(&planned.place.cluster, now)
            {
                let runs = self
                    .truth
                    .now(tenant)
                    .map(|state| state.tag.clone())
                    .unwrap_or_default();
                self.breaks(
                    now,
                    "I19",
                    &format!("all succeeded, and `{tenant}` runs {runs} instead of {tag}"),
                );
            }
        }
        if outcome == Outcome::RolledBack {
            self.is_back(now, progress, frozen);
        }
        self.rollouts.entry(rollout.to_owned()).or_default().stopped = Some("it is over");
    }

    /// Whoever is called back runs no release that was taken back (RB1).
    fn is_back(&mut self, now: Timestamp, progress: &Progress, frozen: &Frozen) {
        for (wave, planned) in frozen.plan.tenants() {
            let tenant = &planned.place.tenant;
            let is_breached = progress
                .wave(&wave.name)
                .is_some_and(|wave| wave.state == WaveState::Breached);
            let is_left_out = matches!(
                progress.tenants[tenant].phase,
                Phase::Pending | Phase::TakenOver { .. } | Phase::UnhealthyBefore { .. }
            );
            let taken_back = self.tag_of(tenant, &planned.digest);
            let good = planned.last_good.as_ref();
            let is_same = good.and_then(|good| self.tag_of(tenant, good)) == taken_back;
            let runs = self.truth.now(tenant);
            let runs_it = runs.is_some_and(|runs| {
                Some(&runs.tag) == taken_back.as_ref() && runs.since < now - MARGIN
            });
            let is_by_hand = self.truth.runs_what_was_set_by_hand(tenant);
            if is_breached && runs_it && !is_left_out && !is_same && !is_by_hand {
                let phase = &progress.tenants[tenant].phase;
                let why = format!("all are back, and `{tenant}` runs {taken_back:?}: {phase:?}");
                self.breaks(now, "RB1", &why);
            }
        }
    }

    /// A rollout that is over has no claim open, but where the cluster did not answer (I28).
    pub fn all_are_let_go(&mut self, now: Timestamp, ended: &Ended) {
        for (_, planned) in ended.frozen.plan.tenants() {
            let tenant = &planned.place.tenant;
            let phase = &ended.progress.tenants[tenant].phase;
            let absences = &ended.progress.absences;
            let is_away = absences.current(&planned.place.cluster).is_some();
            let is_out_of_reach = matches!(
                phase,
                Phase::Deferred { .. } | Phase::RollbackFailed { .. } | Phase::TakenOver { .. }
            ) || matches!(phase, Phase::Left { .. }) && is_away;
            let claimed = intents::claimed_by(&self.sims[&planned.place.cluster], tenant);
            if ended.id.is_some() && claimed == ended.id && !is_out_of_reach {
                let why = format!("it is over, and still claims `{tenant}`, which is {phase:?}");
                self.breaks(now, "I28", &why);
            }
        }
    }

    /// Whoever ends asks the clusters once more. One that does not answer takes nothing away from what was seen.
    fn is_away(&self, cluster: &str, now: Timestamp) -> bool {
        self.away
            .get(cluster)
            .is_some_and(|until| now < *until + MARGIN)
    }
}
