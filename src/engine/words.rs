//! What people said, turned into events of the rollout that it is about.

use crate::record::{RolloutRecord, Scope, Verb, Word};
use crate::rollout::{State, What};

/// The words that concern a rollout, in the order in which they were said. What was said before
/// it began is not about it, unless it names it.
pub fn about<'a>(words: &'a [Word], rollout: &RolloutRecord) -> Vec<&'a Word> {
    let mut about: Vec<&Word> = words
        .iter()
        .filter(|word| match &word.scope {
            Scope::Rollout(id) | Scope::Wave { rollout: id, .. } => *id == rollout.id,
            Scope::Environment => word.at >= rollout.created,
            Scope::Cluster(_) | Scope::Tenant(_) | Scope::Bundle { .. } | Scope::Release(_) => {
                false
            }
        })
        .collect();
    about.sort_by_key(|word| word.at);
    about
}

/// Tells one word from another.
pub fn key(word: &Word) -> String {
    format!(
        "{} {:?} {:?} {}",
        word.at, word.verb, word.scope, word.author
    )
}

/// What a word does to a rollout in this state; nothing, if it is there already.
pub fn event(word: &Word, state: &State) -> Option<What> {
    let (by, why) = (word.author.clone(), word.reason.clone());
    match (word.verb, state) {
        (Verb::Pause, State::Running) => Some(What::Paused { by, why }),
        (Verb::Reject, State::Running) => match &word.scope {
            Scope::Wave { wave, .. } => Some(What::Paused {
                by,
                why: format!("wave `{wave}` is rejected: {why}"),
            }),
            Scope::Environment
            | Scope::Cluster(_)
            | Scope::Tenant(_)
            | Scope::Rollout(_)
            | Scope::Bundle { .. }
            | Scope::Release(_) => None,
        },
        (Verb::Resume, State::Paused { .. }) => Some(What::Resumed { by, why }),
        (Verb::Supersede, State::Running | State::Paused { .. }) => {
            Some(What::Superseded { by: why })
        }
        (Verb::Abort, State::Running | State::Paused { .. } | State::Superseding { .. }) => {
            Some(What::Aborted { by, why })
        }
        _ => None,
    }
}
