//! A rehearsal has nobody who approves, and no reason to wait for Monday: its gates are open, and it says so.

use crate::record::{Verb, Word};
use crate::rollout::Strategy;

/// The strategy without what would only make it wait.
pub fn opened(strategy: &Strategy) -> Strategy {
    let mut strategy = strategy.clone();
    strategy.spec.windows.clear();
    for wave in &mut strategy.spec.waves {
        wave.approval = false;
    }
    strategy
}

/// What a rollout with the strategy would wait for, and a rehearsal does not.
pub fn notes(strategy: &Strategy) -> Vec<String> {
    let waves = strategy.spec.waves.iter();
    let waves = waves.filter(|wave| wave.approval).map(|wave| {
        format!(
            "wave `{}` is taken for approved: a rollout waits for `escale approve --wave {}`",
            wave.name, wave.name
        )
    });
    let windows = strategy.spec.windows.iter();
    let windows = windows.map(|window| {
        format!(
            "it goes on at any hour: a rollout starts tenants in {} ({})",
            window.allow, window.zone
        )
    });
    waves.chain(windows).collect()
}

/// Whether a word of the hub would only make a rehearsal wait.
pub fn is_freeze(word: &Word) -> bool {
    matches!(word.verb, Verb::Freeze | Verb::Thaw)
}
