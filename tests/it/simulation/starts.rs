//! What must hold whenever a rollout starts a tenant.

use escale::record::{Scope, Verb, decode_word};
use escale::rollout::{Frozen, Phase, Planned, Progress, Role, TenantProgress, Wave, WaveState};
use jiff::Timestamp;

use super::intents;
use super::play::commit;
use super::rules::{MARGIN, MAX_SAMPLE_GAP, PAUSED, Rules};

/// A tenant is started.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    pub now: Timestamp,
    /// The time that the process believes it is.
    pub by_its_clock: Timestamp,
    pub rollout: &'a str,
    pub tenant: &'a str,
    pub progress: &'a Progress,
    pub frozen: &'a Frozen,
}

impl<'a> Start<'a> {
    fn in_flight(&self) -> usize {
        let tenants = self.progress.tenants.values();
        tenants.filter(|one| one.phase.is_in_flight()).count()
    }

    /// Whose failure counts, and in which wave.
    fn failed(&self) -> impl Iterator<Item = (&'a Wave, &'a TenantProgress)> {
        let tenants = self.frozen.plan.tenants();
        let tenants =
            tenants.map(|(wave, planned)| (wave, &self.progress.tenants[&planned.place.tenant]));
        tenants.filter(|(_, one)| {
            let failure = one.failure.as_ref();
            failure.is_some_and(|failed| !failed.is_excused)
        })
    }
}

impl Rules {
    pub(super) fn starts(&mut self, start: Start<'_>) {
        // A typed rollback asks nobody.
        if start.rollout.is_empty() {
            return;
        }
        // Whoever was left in the middle is gone on with: that starts nobody. More than may be may be in flight then, with
        // those that go back, which have limits of their own.
        let seen = self.rollouts.get(start.rollout);
        if seen.is_some_and(|seen| seen.in_flight.contains(start.tenant)) {
            return;
        }
        let (in_flight, may) = (start.in_flight(), self.script.knobs.concurrency);
        if in_flight > may {
            let why = format!("{in_flight} in flight, {may} may");
            self.breaks(start.now, "I01", &why);
        }
        self.is_within_failures(start);
        self.is_no_step_back(start);
        self.does_not_leave(start);
        let stopped = self.rollouts.get(start.rollout);
        let stopped = stopped.and_then(|seen| seen.stopped);
        // A pause lets whoever was begun come to its end, also once its cluster is back.
        if let Some(why) = stopped.filter(|why| *why != PAUSED || !self.is_begun(start)) {
            let why = format!("`{}` starts though {why}", start.tenant);
            self.breaks(start.now, "I06", &why);
        }
        if let Some((wave, planned)) = start.frozen.plan.find(start.tenant) {
            self.passes_gates(start, (wave, planned));
            self.comes_in_turn(start, wave);
        }
    }

    /// Whether its claim of this rollout is still open.
    fn is_begun(&self, start: Start<'_>) -> bool {
        let planned = start.frozen.plan.find(start.tenant);
        planned.is_some_and(|(_, planned)| {
            let sim = &self.sims[&planned.place.cluster];
            intents::claimed_by(sim, start.tenant).as_deref() == Some(start.rollout)
        })
    }

    /// Not after the brake (I06), and with `mode: strict` not when more might fail than may (I05).
    fn is_within_failures(&mut self, start: Start<'_>) {
        let may = self.script.knobs.failures;
        let failed = start.failed().count();
        let of_canary = start.failed().any(|(wave, _)| wave.role == Role::Canary);
        if of_canary || failed > may {
            let why = format!("`{}` starts after {failed} failed", start.tenant);
            self.breaks(start.now, "I06", &why);
        }
        let settled = start.failed().filter(|(_, one)| !one.phase.is_in_flight());
        let (in_flight, failed) = (start.in_flight(), settled.count());
        if self.script.knobs.mode == "strict" && in_flight + failed > may + 1 {
            let why = format!("{in_flight} in flight and {failed} failed, {may} may");
            self.breaks(start.now, "I05", &why);
        }
    }

    /// Nobody is moved to an older release than he runs (I20), unless that was taken back and could not be where he is.
    fn is_no_step_back(&mut self, start: Start<'_>) {
        let Start { tenant, frozen, .. } = start;
        let planned = frozen.plan.find(tenant).map(|(_, planned)| planned);
        let wanted = planned.and_then(|planned| self.release_of(tenant, &planned.digest));
        let runs = self.truth.now(tenant);
        let runs = runs.and_then(|state| self.script.release_of(&state.tag));
        if let (Some(wanted), Some(runs)) = (wanted, runs)
            && wanted < runs
            && !self.is_quarantined(runs)
        {
            let why = format!("`{tenant}` starts for release {wanted} and runs {runs}");
            self.breaks(start.now, "I20", &why);
        }
    }

    fn is_quarantined(&self, release: usize) -> bool {
        let objects = self.sims["hub"].objects("configmaps");
        let mut words = objects.iter().filter_map(|object| decode_word(object).ok());
        let scope = Scope::Release(commit(release));
        words.any(|word| word.verb == Verb::Quarantine && word.scope == scope)
    }

    /// Who leaves stays as it is (I42).
    fn does_not_leave(&mut self, start: Start<'_>) {
        let planned = start.frozen.plan.find(start.tenant);
        let wanted = planned.map(|(_, planned)| &planned.digest);
        let release = wanted.and_then(|digest| self.release_of(start.tenant, digest));
        let life = self.script.life;
        if release.is_some_and(|release| life.is_leaving(start.tenant, release)) {
            let why = format!("`{}` is leaving, and is moved", start.tenant);
            self.breaks(start.now, "I42", &why);
        }
    }

    /// Only when no gate is closed for it.
    fn passes_gates(&mut self, start: Start<'_>, (wave, planned): (&Wave, &Planned)) {
        let place = (planned.place.cluster.as_str(), wave.name.as_str());
        let knobs = &self.script.knobs.gates;
        let at = |now| {
            let gates = &self.gates;
            gates.objection(knobs, start.rollout, place, now)
        };
        // A machine whose clock is wrong may be early or late by that much.
        let objection = at(start.by_its_clock).and_then(|_| at(start.now));
        let hears_at_once = !self.script.has_faults_of_the_hub();
        if let Some((rule, why)) = objection
            && (rule != "I41" || hears_at_once)
        {
            let why = format!("`{}` starts {why}", start.tenant);
            self.breaks(start.now, rule, &why);
        }
    }

    /// After all earlier waves (I09, I13), and never past a canary that is dead (I12).
    fn comes_in_turn(&mut self, start: Start<'_>, wave: &Wave) {
        let waves = start.frozen.plan.waves.iter();
        for before in waves.take_while(|one| one.name != wave.name) {
            self.is_over(start, before);
            if before.role == Role::Canary {
                self.canary_lives(start, before);
            }
        }
    }

    fn is_over(&mut self, start: Start<'_>, before: &Wave) {
        let wave = start.progress.wave(&before.name);
        let (rule, why) = match wave.map(|wave| (&wave.state, wave.is_excused)) {
            Some((WaveState::Advanced, _) | (WaveState::Skipped, true)) => return,
            Some((WaveState::Skipped, false)) if before.role != Role::Canary => return,
            Some((WaveState::Skipped, false)) => ("I13", "was skipped by nobody's word".to_owned()),
            Some((state, _)) => ("I09", format!("is {state:?}")),
            None => ("I09", "is unknown".to_owned()),
        };
        let (tenant, before) = (start.tenant, &before.name);
        let why = format!("`{tenant}` starts, and wave {before} {why}");
        self.breaks(start.now, rule, &why);
    }

    fn canary_lives(&mut self, start: Start<'_>, canaries: &Wave) {
        let since = start.now - MAX_SAMPLE_GAP - MARGIN;
        for planned in &canaries.tenants {
            let canary = &planned.place.tenant;
            let phase = &start.progress.tenants[canary].phase;
            let trouble = self.truth.longest_trouble(canary, since, start.now);
            // It may have been seen alive again just now.
            let is_dead = self.truth.now(canary).is_none_or(|state| !state.is_healthy);
            let is_counted = matches!(phase, Phase::Succeeded { .. }) && is_dead;
            if is_counted && trouble >= MAX_SAMPLE_GAP + MARGIN {
                let tenant = start.tenant;
                let why = format!("`{tenant}` starts, canary `{canary}` is dead since {trouble:#}");
                self.breaks(start.now, "I12", &why);
            }
        }
    }
}
