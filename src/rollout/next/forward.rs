//! Waves: start tenants, let the wave soak, advance, finish.

use jiff::Timestamp;

use super::slots::{self, Slots};
use super::{Look, Next, Seen, Wait, Whom};
use crate::fleet::config::OnBreach;
use crate::rollout::event::What;
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::progress::{Outcome, WaveState};
use crate::rollout::strategy::Role;
use crate::rollout::tenant::{Health, Phase, Sample, TenantProgress};

enum Predecessor {
    Done,
    Running,
    Failed(String),
}

impl<'a> Look<'a> {
    pub(super) fn current_wave(&self) -> Option<&'a Wave> {
        let is_over = |name: &str| {
            let state = self.progress.wave(name).map(|wave| &wave.state);
            matches!(state, Some(WaveState::Advanced | WaveState::Skipped))
        };
        self.frozen
            .plan
            .waves
            .iter()
            .find(|wave| !is_over(&wave.name))
    }

    pub(super) fn forward(&self) -> Next {
        let Some(wave) = self.current_wave() else {
            return self.finish();
        };
        let state = self
            .progress
            .wave(&wave.name)
            .map_or(&WaveState::Pending, |wave| &wave.state);
        match state {
            WaveState::Pending if self.shut(wave).is_whole => {
                Next::Wait(self.wait_for_tenants(wave))
            }
            WaveState::Pending => Next::Do(vec![What::WaveStarted {
                wave: wave.name.clone(),
            }]),
            WaveState::Running | WaveState::Breached => self.run_wave(wave),
            WaveState::Soaking { since } => self.soak(wave, *since),
            WaveState::Advanced | WaveState::Skipped => self.finish(),
        }
    }

    fn run_wave(&self, wave: &Wave) -> Next {
        let starts = self.starts(wave);
        if !starts.is_empty() {
            return Next::Do(starts);
        }
        let is_open = |phase: &Phase| *phase == Phase::Pending || phase.is_in_flight();
        if self.of_wave(wave).any(|(_, one)| is_open(&one.phase)) {
            return Next::Wait(self.wait_for_tenants(wave));
        }
        if !self.has_evidence(wave) {
            return self.without_evidence(wave);
        }
        Next::Do(vec![What::SoakStarted {
            wave: wave.name.clone(),
        }])
    }

    fn has_evidence(&self, wave: &Wave) -> bool {
        let succeeded =
            |progress: &TenantProgress| matches!(progress.phase, Phase::Succeeded { .. });
        self.of_wave(wave).any(|(_, progress)| succeeded(progress))
    }

    /// Nothing in the wave succeeded, or nothing that did is ours any more. A canary that proves nothing is no canary
    /// (I13): a person decides. Another wave is skipped, once whoever goes back is there: after the last one comes the end.
    fn without_evidence(&self, wave: &Wave) -> Next {
        let is_excused = self
            .progress
            .wave(&wave.name)
            .is_some_and(|wave| wave.is_excused);
        let name = wave.name.clone();
        if wave.role == Role::Canary && !is_excused {
            return Next::Do(vec![What::WaveBreached {
                wave: name,
                action: OnBreach::Pause,
                why: "no tenant of the canary succeeded and is still ours: it proves nothing"
                    .to_owned(),
            }]);
        }
        if self.is_anybody_in_flight() {
            return Next::Wait(self.wait_for_tenants(wave));
        }
        Next::Do(vec![What::WaveSkipped {
            wave: name,
            why: "none of its tenants succeeded".to_owned(),
        }])
    }

    fn is_anybody_in_flight(&self) -> bool {
        let mut tenants = self.tenants();
        tenants.any(|(.., progress)| progress.phase.is_in_flight())
    }

    fn starts(&self, wave: &Wave) -> Vec<What> {
        if self.unwell_canary(wave).is_some() || self.shut(wave).is_whole {
            return Vec::new();
        }
        let mut slots = vec![Slots::new(
            self,
            &self.strategy().spec.limits.max_concurrency,
            |progress| progress.phase.is_in_flight(),
        )];
        slots.extend(self.room_for_failures());
        let mut available = [self.room_for_unavailable()];
        let is_pending = |(_, (of, _, progress)): &(usize, Seen<'_>)| {
            std::ptr::eq(*of, wave) && progress.phase == Phase::Pending
        };
        let is_fit = |(_, (_, planned, _)): &(usize, Seen<'_>)| !self.is_out(planned);
        self.tenants()
            .enumerate()
            .filter(is_pending)
            .filter(is_fit)
            .filter_map(|(at, (_, planned, _))| match self.predecessor(planned) {
                // Whoever waits at a gate takes nobody's place (I39).
                Predecessor::Done if self.is_frozen(planned) => None,
                Predecessor::Done => {
                    let available = if Self::can_be_missed(planned) {
                        available.as_mut_slice()
                    } else {
                        &mut []
                    };
                    slots::take(&mut slots, available, at).then(|| What::TenantStarted {
                        tenant: planned.place.tenant.clone(),
                    })
                }
                Predecessor::Running => None,
                Predecessor::Failed(why) => Some(What::TenantDeferred {
                    tenant: planned.place.tenant.clone(),
                    why,
                }),
            })
            .collect()
    }

    /// What `after` says. A plan puts nobody into an earlier wave than those that it comes after; in one of an older escale,
    /// where waves stood above `after`, they are not waited for.
    fn predecessor(&self, planned: &Planned) -> Predecessor {
        let started = |wave: &Wave| {
            self.progress
                .wave(&wave.name)
                .is_some_and(|wave| wave.state != WaveState::Pending)
        };
        if let Some(why) = self.rejection(planned) {
            return Predecessor::Failed(why);
        }
        for name in &planned.place.after {
            let Some((wave, _)) = self.frozen.plan.find(name) else {
                continue;
            };
            match &self.progress.tenants[name].phase {
                Phase::Succeeded { .. } => {}
                Phase::Pending if !started(wave) => {}
                phase if *phase == Phase::Pending || phase.is_in_flight() => {
                    return Predecessor::Running;
                }
                Phase::Deferred { why } => {
                    return Predecessor::Failed(format!(
                        "comes after `{name}`, which is deferred: {why}"
                    ));
                }
                _ => {
                    return Predecessor::Failed(format!(
                        "comes after `{name}`, which did not succeed"
                    ));
                }
            }
        }
        Predecessor::Done
    }

    /// A canary that is not seen healthy right now: nothing later starts (I12).
    pub(super) fn unwell_canary(&self, wave: &Wave) -> Option<String> {
        let canaries = self
            .tenants()
            .take_while(|(earlier, ..)| earlier.name != wave.name);
        canaries
            .filter(|(wave, ..)| wave.role == Role::Canary)
            .find_map(|(_, planned, progress)| {
                let is_counted = matches!(progress.phase, Phase::Succeeded { .. });
                (is_counted && !self.is_seen_healthy(progress))
                    .then(|| planned.place.tenant.clone())
            })
    }

    pub(super) fn is_seen_healthy(&self, progress: &TenantProgress) -> bool {
        progress
            .last_sample
            .as_ref()
            .is_some_and(|sample| sample.health == Health::Healthy && self.is_fresh(sample))
    }

    pub(super) fn is_fresh(&self, sample: &Sample) -> bool {
        self.now.duration_since(sample.at) <= self.strategy().max_sample_gap
    }

    fn soak(&self, wave: &Wave, since: Timestamp) -> Next {
        if !self.has_evidence(wave) {
            return self.without_evidence(wave);
        }
        // Whoever goes back is waited for, however long ago the soak was over.
        let mut on = self.in_flight_words();
        if wave.soak.is_zero() && on.is_empty() {
            return Next::Do(vec![What::WaveAdvanced {
                wave: wave.name.clone(),
            }]);
        }
        let mut until = since + wave.soak;
        for (planned, progress) in self.of_wave(wave) {
            match (&progress.phase, progress.healthy_since) {
                (Phase::Succeeded { .. }, Some(healthy)) if self.is_seen_healthy(progress) => {
                    until = until.max(healthy + wave.soak);
                }
                (Phase::Succeeded { .. }, _) => {
                    on.push(format!("`{}` to be seen healthy", planned.place.tenant));
                }
                _ => {}
            }
        }
        if on.is_empty() && self.now >= until {
            return Next::Do(vec![What::WaveAdvanced {
                wave: wave.name.clone(),
            }]);
        }
        on.insert(
            0,
            format!("wave `{}` to soak until {}", wave.name, clock_time(until)),
        );
        on.extend(self.unapproved_next(wave));
        // A time that has passed wakes nobody: what is left to wait for is being seen.
        let until = (self.now < until).then_some(until);
        Next::Wait(Wait {
            until: until.into_iter().chain(self.next_deadline()).min(),
            on,
            whom: Whom::Tenants,
        })
    }

    /// Nothing is over while somebody is in flight.
    fn finish(&self) -> Next {
        if self.is_anybody_in_flight() {
            return Next::Wait(self.wait_to_settle());
        }
        let count = |test: fn(&Phase) -> bool| {
            self.tenants()
                .filter(|(.., progress)| test(&progress.phase))
                .count()
        };
        // Seen dead where the cluster is unwell: it did not fail, and no longer proves anything.
        let is_lost = |planned: &Planned, progress: &TenantProgress| {
            matches!(progress.phase, Phase::Succeeded { .. })
                && self.illness(planned).is_some()
                && self.seems_failed_since(planned, progress).is_some()
        };
        let lost = self
            .tenants()
            .filter(|(_, planned, progress)| is_lost(planned, progress))
            .count();
        let succeeded = count(|phase| matches!(phase, Phase::Succeeded { .. })) - lost;
        let stuck =
            count(|phase| matches!(phase, Phase::RollbackFailed { .. } | Phase::Left { .. }));
        let back = count(|phase| matches!(phase, Phase::RolledBack { .. }));
        let total = self.frozen.plan.len();
        let left_out = self.frozen.plan.exceptions().count();
        let doubted = self.progress.false_no_ops;
        let outcome = if stuck > 0 {
            Outcome::Failed
        } else if succeeded == 0 && back > 0 {
            // However much may fail: nobody runs it.
            Outcome::RolledBack
        } else if succeeded < total || left_out > 0 || doubted > 0 {
            Outcome::SucceededWithExceptions
        } else {
            Outcome::Succeeded
        };
        let counts = [
            (left_out, "left out"),
            (doubted, "wrongly taken for unchanged"),
        ];
        let told = counts.into_iter().filter(|(count, _)| *count > 0);
        let mut whys = vec![format!("{succeeded} of {total} tenants succeeded")];
        whys.extend(told.map(|(count, what)| format!("{count} {what}")));
        let why = whys.join(", ");
        Next::Do(vec![What::Finished { outcome, why }])
    }
}

/// `09:30:00Z`: rollouts last minutes, the day is known.
fn clock_time(at: Timestamp) -> String {
    at.strftime("%H:%M:%SZ").to_string()
}
