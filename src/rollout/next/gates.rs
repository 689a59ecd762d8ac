//! Gates of waves and tenants: looked at in the same breath as each start.

use jiff::{Timestamp, Zoned};

use super::{Look, Whom};
use crate::record::Word;
use crate::rollout::gates::{end_of_freeze, missing_approval, name_of_freeze};
use crate::rollout::plan::{Planned, Wave};
use crate::rollout::tenant::Phase;
use crate::rollout::window::{Door, opening_words};

/// What keeps tenants of a wave from being started; nothing, if none of them waits at a gate.
#[derive(Default)]
pub(super) struct Shut {
    pub(super) on: Vec<String>,
    /// When the first of the gates opens by itself.
    pub(super) until: Option<Timestamp>,
    /// Only a person opens one of them.
    needs_person: bool,
    /// Whether nobody of the wave may be started, rather than some.
    pub(super) is_whole: bool,
}

impl Look<'_> {
    /// Every gate that is closed for those of a wave who were not started yet. They do not wait for one another.
    pub(super) fn shut(&self, wave: &Wave) -> Shut {
        let mut shut = Shut::default();
        let pending = self.of_wave(wave);
        let pending: Vec<&Planned> = pending
            .filter(|(_, progress)| progress.phase == Phase::Pending)
            .map(|(planned, _)| planned)
            .collect();
        if pending.is_empty() {
            return shut;
        }
        shut.on.extend(self.unapproved(wave));
        shut.needs_person = !shut.on.is_empty();
        if let Door::Closed { opens } = self.frozen.windows.door(self.now) {
            shut.until_then(opens.as_ref().map(Zoned::timestamp));
            shut.on.push(opening_words(opens.as_ref()));
        }
        let is_every_one_frozen = pending.iter().all(|planned| self.is_frozen(planned));
        shut.is_whole = !shut.on.is_empty() || is_every_one_frozen;
        for freeze in self.freezes_over(&pending) {
            shut.until_then(freeze.expires);
            shut.on.push(end_of_freeze(freeze));
        }
        shut
    }

    /// Each freeze that covers one of them, once.
    fn freezes_over(&self, pending: &[&Planned]) -> Vec<&Word> {
        let mut freezes: Vec<&Word> = Vec::new();
        for planned in pending {
            for freeze in self.progress.gates.over(&planned.place, self.now) {
                if !freezes.contains(&freeze) {
                    freezes.push(freeze);
                }
            }
        }
        freezes
    }

    /// What is missing for a wave that needs an approval.
    fn unapproved(&self, wave: &Wave) -> Option<String> {
        let missing = || missing_approval(&self.progress.gates, &wave.name);
        wave.approval.then(missing).flatten()
    }

    /// What the wave after this one will wait for: an approval may be given meanwhile.
    pub(super) fn unapproved_next(&self, wave: &Wave) -> Option<String> {
        let mut waves = self.frozen.plan.waves.iter();
        waves.find(|one| one.name == wave.name)?;
        self.unapproved(waves.next()?)
    }

    pub(super) fn is_frozen(&self, planned: &Planned) -> bool {
        let mut over = self.progress.gates.over(&planned.place, self.now);
        over.next().is_some()
    }

    /// Who took the tenant back after the rollout had begun.
    pub(super) fn rejection(&self, planned: &Planned) -> Option<String> {
        let word = self.progress.gates.rejection(&planned.place.tenant)?;
        Some(format!("rejected by {}: {}", word.author, word.reason))
    }

    /// Why a tenant goes back, and which freezes that passes.
    pub(super) fn passing(&self, planned: &Planned, why: &str) -> String {
        let over = self.progress.gates.over(&planned.place, self.now);
        over.fold(why.to_owned(), |why, freeze| {
            format!("{why}; passes {}", name_of_freeze(freeze))
        })
    }
}

impl Shut {
    fn until_then(&mut self, opens: Option<Timestamp>) {
        self.until = self.until.into_iter().chain(opens).min();
    }

    /// Who opens the gates, once nothing is in flight any more.
    pub(super) fn whom(&self) -> Whom {
        if self.needs_person {
            Whom::Person { failed: false }
        } else {
            Whom::Gate
        }
    }
}
