//! What people said, turned into events of the rollout that it is about.

use std::collections::BTreeMap;

use super::store::{self, Trouble};
use crate::cluster::Reader;
use crate::record::{RolloutRecord, Scope, Verb, Word};
use crate::rollout::{State, What};

/// Up to this many new words are read one by one.
const FEW: usize = 4;

/// The words on the hub, by the names of their objects, each read once: a word never changes. The hub is asked every two
/// seconds for as long as a rollout takes, and nothing is swept while it does.
#[derive(Default)]
pub struct Known(BTreeMap<String, Word>);

impl Known {
    /// All that is said by now.
    pub async fn renew(&mut self, hub: &Reader, environment: &str) -> Result<Vec<Word>, Trouble> {
        let names = store::word_names(hub, environment).await?;
        self.0.retain(|name, _| names.contains(name));
        let new: Vec<String> = names
            .into_iter()
            .filter(|name| !self.0.contains_key(name))
            .collect();
        if new.len() > FEW {
            self.0 = store::words_by_name(hub, environment).await?;
        } else {
            for name in new {
                if let Some(word) = store::word(hub, &name).await? {
                    self.0.insert(name, word);
                }
            }
        }
        Ok(self.0.values().cloned().collect())
    }
}

/// The words that concern a rollout, in the order in which they were said. What was said before
/// it began is not about it, unless it names it.
pub fn about<'a>(words: &'a [Word], rollout: &RolloutRecord) -> Vec<&'a Word> {
    let mut about: Vec<&Word> = words
        .iter()
        .filter(|word| match word.scope.rollout() {
            Some(id) => id == rollout.id,
            None => word.scope == Scope::Environment && word.at >= rollout.created,
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
