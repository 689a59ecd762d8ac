//! People's words: what someone asked of a rollout or the fleet, one immutable object each.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::UserError;
use crate::manifest::Digest;

use super::object::{Reader, Writer};

const RECORD: &str = "word";
const ENVIRONMENT: &str = "escale.dev/environment";
const VERB: &str = "escale.dev/verb";
/// Digits of the content's hash in a name: two people may say the same in the same second.
const HASH_DIGITS: usize = 8;

/// Something a person said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Word {
    pub verb: Verb,
    pub environment: String,
    pub scope: Scope,
    pub author: String,
    pub reason: String,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    Pause,
    Resume,
    Abort,
    /// A newer release waits: its commit is the reason.
    Supersede,
    Approve,
    Reject,
    Hold,
    ReleaseHold,
    Freeze,
    Thaw,
    Quarantine,
    /// Takes a quarantine back.
    Clear,
}

/// What a word is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    Environment,
    Cluster(String),
    Tenant(String),
    Rollout(String),
    /// One wave of one rollout: an approval of it does not travel to another.
    Wave {
        rollout: String,
        wave: String,
    },
    /// A tenant at the bundle that it would get: an approval of it is for no other bundle.
    Bundle {
        tenant: String,
        digest: Digest,
    },
    /// A commit.
    Release(String),
}

/// What still stands of all that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub freezes: Vec<Word>,
    pub quarantines: Vec<Word>,
    pub holds: Vec<Word>,
    pub pauses: Vec<Word>,
    pub aborts: Vec<Word>,
    pub approvals: Vec<Word>,
    pub rejections: Vec<Word>,
}

/// The immutable `ConfigMap` of a word: `word.20261122t013500z.freeze.1a2b3c4d`.
pub fn encode_word(word: &Word) -> Value {
    let content = serde_json::to_vec(word).expect("a word is plain JSON");
    let hash = blake3::hash(&content).to_hex();
    let second = word.at.strftime("%Y%m%dt%H%M%Sz");
    let verb = word.verb.as_str();
    let name = format!("word.{second}.{verb}.{}", &hash[..HASH_DIGITS]);
    Writer::new(RECORD, &name)
        .label(ENVIRONMENT, &word.environment)
        .label(VERB, verb)
        .data("word", word)
        .immutable()
        .finish()
}

pub fn decode_word(value: &Value) -> Result<Word, UserError> {
    Reader::new(RECORD, value)?.required_data("word")
}

/// Folds words into what stands at `now`: the last word on a scope wins, expired ones are silent.
pub fn standing<'a>(words: impl IntoIterator<Item = &'a Word>, now: Timestamp) -> Standing {
    let mut standing = fold(words.into_iter().filter(|word| word.at <= now));
    for list in standing.lists() {
        list.retain(|word| word.expires.is_none_or(|expires| now < expires));
    }
    standing
}

/// Folds words into the last one on each scope, whatever the clocks of those who said them, and also those that
/// expire some time: who asks later still knows until when.
pub fn last_words<'a>(words: impl IntoIterator<Item = &'a Word>) -> Standing {
    fold(words.into_iter())
}

fn fold<'a>(words: impl Iterator<Item = &'a Word>) -> Standing {
    let mut sorted: Vec<&Word> = words.collect();
    sorted.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.verb.cmp(&b.verb)));
    let mut standing = Standing::default();
    for word in sorted {
        standing.hear(word);
    }
    standing
}

impl Standing {
    fn hear(&mut self, word: &Word) {
        match word.verb {
            Verb::Freeze => replace(&mut self.freezes, word),
            Verb::Thaw => take_back(&mut self.freezes, word),
            Verb::Quarantine => replace(&mut self.quarantines, word),
            Verb::Clear => take_back(&mut self.quarantines, word),
            Verb::Hold => replace(&mut self.holds, word),
            Verb::ReleaseHold => take_back(&mut self.holds, word),
            Verb::Pause => replace(&mut self.pauses, word),
            Verb::Resume => take_back(&mut self.pauses, word),
            Verb::Abort => replace(&mut self.aborts, word),
            // It is about one rollout, which ends by it.
            Verb::Supersede => {}
            Verb::Approve => {
                take_back(&mut self.rejections, word);
                replace(&mut self.approvals, word);
            }
            Verb::Reject => {
                take_back(&mut self.approvals, word);
                replace(&mut self.rejections, word);
            }
        }
    }

    /// Whether a word is among what stands.
    pub fn has(&self, word: &Word) -> bool {
        let lists = [
            &self.freezes,
            &self.quarantines,
            &self.holds,
            &self.pauses,
            &self.aborts,
            &self.approvals,
            &self.rejections,
        ];
        lists.iter().any(|list| list.contains(word))
    }

    fn lists(&mut self) -> [&mut Vec<Word>; 7] {
        [
            &mut self.freezes,
            &mut self.quarantines,
            &mut self.holds,
            &mut self.pauses,
            &mut self.aborts,
            &mut self.approvals,
            &mut self.rejections,
        ]
    }
}

impl Scope {
    /// Whether a word on one is also about the other: of a tenant's bundles, one is approved at a time.
    fn is_about(&self, other: &Self) -> bool {
        match (self.tenant(), other.tenant()) {
            (Some(tenant), Some(other)) => tenant == other,
            (None, None) => self == other,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// The commit, if it is about one.
    pub fn release(&self) -> Option<&str> {
        match self {
            Self::Release(release) => Some(release),
            Self::Environment
            | Self::Cluster(_)
            | Self::Tenant(_)
            | Self::Rollout(_)
            | Self::Wave { .. }
            | Self::Bundle { .. } => None,
        }
    }

    /// The rollout, if it is about one.
    pub fn rollout(&self) -> Option<&str> {
        match self {
            Self::Rollout(rollout) | Self::Wave { rollout, .. } => Some(rollout),
            Self::Environment
            | Self::Cluster(_)
            | Self::Tenant(_)
            | Self::Bundle { .. }
            | Self::Release(_) => None,
        }
    }

    /// The tenant, if it is about one.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Tenant(tenant) | Self::Bundle { tenant, .. } => Some(tenant),
            Self::Environment
            | Self::Cluster(_)
            | Self::Rollout(_)
            | Self::Wave { .. }
            | Self::Release(_) => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("the whole environment"),
            Self::Cluster(name) => write!(f, "cluster `{name}`"),
            Self::Tenant(name) => write!(f, "tenant `{name}`"),
            Self::Rollout(id) => write!(f, "rollout `{id}`"),
            Self::Wave { rollout, wave } => write!(f, "wave `{wave}` of rollout `{rollout}`"),
            Self::Bundle { tenant, digest } => write!(f, "tenant `{tenant}` at {}", digest.short()),
            Self::Release(commit) => write!(f, "release `{commit}`"),
        }
    }
}

impl Verb {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
            Self::Supersede => "supersede",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Hold => "hold",
            Self::ReleaseHold => "release-hold",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Quarantine => "quarantine",
            Self::Clear => "clear",
        }
    }
}

fn replace(list: &mut Vec<Word>, word: &Word) {
    take_back(list, word);
    list.push(word.clone());
}

fn take_back(list: &mut Vec<Word>, word: &Word) {
    let is_same =
        |other: &Word| other.scope.is_about(&word.scope) && other.environment == word.environment;
    list.retain(|other| !is_same(other));
}
