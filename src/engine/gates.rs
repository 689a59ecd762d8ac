//! What an open rollout waits for at its gates, as the hub tells whoever asks. Holds no writer.

use jiff::Timestamp;

use super::ledger;
use crate::record::{RolloutRecord, Standing, WaveState};
use crate::rollout::{
    Door, Gates, Place, Strategy, Wave, Windows, end_of_freeze, missing_approval, opening_words,
};

/// Whether a wave of a rollout starts only when somebody approves it.
pub fn needs_approval(rollout: &RolloutRecord, name: &str) -> bool {
    let waves = ledger::frozen_of(rollout).map(|(_, waves)| waves);
    waves
        .unwrap_or_default()
        .iter()
        .any(|wave| wave.name == name && wave.approval)
}

/// An approval that is missing, a window that is closed; freezes are told of by themselves.
pub fn waits_at_gates(
    rollout: &RolloutRecord,
    last_words: &Standing,
    now: Timestamp,
) -> Vec<String> {
    let Some((strategy, waves)) = ledger::frozen_of(rollout) else {
        return Vec::new();
    };
    let gates = Gates::of(last_words, rollout);
    let next = rollout
        .waves
        .iter()
        .find(|wave| wave.state == WaveState::Waiting);
    let next = next.and_then(|next| waves.iter().find(|wave| wave.name == next.name));
    let approval = next.and_then(|wave: &Wave| {
        wave.approval
            .then(|| missing_approval(&gates, &wave.name))
            .flatten()
    });
    let starts_more = |state| matches!(state, WaveState::Waiting | WaveState::Running);
    let is_any_left = rollout.waves.iter().any(|wave| starts_more(wave.state));
    approval
        .into_iter()
        .chain(closed_window(&strategy, now).filter(|_| is_any_left))
        .collect()
}

/// A freeze over a tenant, or a closed window: what keeps it from being touched outside of waves, too.
pub fn closed_gate(
    (strategy, place): (&Strategy, &Place),
    last_words: &Standing,
    now: Timestamp,
) -> Option<String> {
    let gates = Gates::of_freezes(last_words);
    let freeze = gates.over(place, now).next().map(end_of_freeze);
    freeze.or_else(|| closed_window(strategy, now))
}

/// When the next window of a strategy opens, if none is open now.
pub fn closed_window(strategy: &Strategy, now: Timestamp) -> Option<String> {
    match Windows::new(&strategy.spec.windows).door(now) {
        Door::Open => None,
        Door::Closed { opens } => Some(opening_words(opens.as_ref())),
    }
}
