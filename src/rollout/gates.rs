//! Gates: what people said that keeps tenants from being started, as far as it still stands.
//!
//! The conductor hears it from the hub again and again; `next` looks at it right before each start. Whoever waits at
//! a gate holds no place under any limit.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::plan::Place;
use crate::record::{RolloutRecord, Scope, Standing, Word};

/// The words that open and close the gates of one rollout. None: all are open but those that need an approval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gates {
    freezes: Vec<Word>,
    /// By wave.
    approvals: BTreeMap<String, Approval>,
    /// Tenants that somebody took back since the rollout began.
    rejected: BTreeMap<String, Word>,
}

/// What was said of a wave last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    Approved(Word),
    Rejected(Word),
}

impl Gates {
    /// What stands of the last words, for one rollout: an approval of another rollout's wave is none (I26).
    pub fn of(last_words: &Standing, rollout: &RolloutRecord) -> Self {
        let wave = |word: &Word| match &word.scope {
            Scope::Wave { rollout: id, wave } if *id == rollout.id => Some(wave.clone()),
            Scope::Wave { .. }
            | Scope::Environment
            | Scope::Cluster(_)
            | Scope::Tenant(_)
            | Scope::Rollout(_)
            | Scope::Bundle { .. }
            | Scope::Release(_) => None,
        };
        let approved = last_words.approvals.iter();
        let approved = approved.map(|word| (wave(word), Approval::Approved(word.clone())));
        let rejected = last_words.rejections.iter();
        let rejected = rejected.map(|word| (wave(word), Approval::Rejected(word.clone())));
        let approvals = approved.chain(rejected);
        let since = last_words.rejections.iter();
        let since = since.filter(|word| rollout.created <= word.at);
        Self {
            freezes: last_words.freezes.clone(),
            approvals: approvals
                .filter_map(|(wave, approval)| Some((wave?, approval)))
                .collect(),
            rejected: since
                .filter_map(|word| Some((word.scope.tenant()?.to_owned(), word.clone())))
                .collect(),
        }
    }

    /// What stands of the last words for whatever is no part of a rollout: only freezes.
    pub fn of_freezes(last_words: &Standing) -> Self {
        Self {
            freezes: last_words.freezes.clone(),
            ..Self::default()
        }
    }

    /// The freezes that cover a tenant now.
    pub fn over(&self, place: &Place, now: Timestamp) -> impl Iterator<Item = &Word> {
        self.freezes
            .iter()
            .filter(move |word| word.expires.is_none_or(|expires| now < expires))
            .filter(|word| match &word.scope {
                Scope::Environment => true,
                Scope::Cluster(name) => *name == place.cluster,
                Scope::Tenant(name) => *name == place.tenant,
                Scope::Rollout(_)
                | Scope::Wave { .. }
                | Scope::Bundle { .. }
                | Scope::Release(_) => false,
            })
    }

    /// What was said of a wave.
    pub fn approval(&self, wave: &str) -> Option<&Approval> {
        self.approvals.get(wave)
    }

    /// Who took a tenant back since the rollout began, and why.
    pub fn rejection(&self, tenant: &str) -> Option<&Word> {
        self.rejected.get(tenant)
    }
}

/// What a wave without an approval waits for; `None` if it has one.
pub fn missing_approval(gates: &Gates, wave: &str) -> Option<String> {
    let how = format!("`escale approve --wave {wave}`");
    match gates.approval(wave) {
        Some(Approval::Approved(_)) => None,
        Some(Approval::Rejected(word)) => Some(format!(
            "another word on wave `{wave}`, which {} rejected ({}): {how}",
            word.author, word.reason
        )),
        None => Some(format!("approval of wave `{wave}`: {how}")),
    }
}

/// What ends a freeze: time, or a person.
pub fn end_of_freeze(freeze: &Word) -> String {
    let how = match &freeze.expires {
        Some(expires) => format!("at {}", expires.strftime("%F %H:%M:%S UTC")),
        None => format!("by `{}`", thawing(&freeze.scope)),
    };
    format!("{} to end {how}", name_of_freeze(freeze))
}

fn thawing(scope: &Scope) -> String {
    match scope {
        Scope::Cluster(name) => format!("escale thaw --cluster {name}"),
        Scope::Tenant(name) => format!("escale thaw --tenant {name}"),
        Scope::Environment
        | Scope::Rollout(_)
        | Scope::Wave { .. }
        | Scope::Bundle { .. }
        | Scope::Release(_) => "escale thaw".to_owned(),
    }
}

/// `the freeze of cluster `metal-par` by ana (moving the database)`.
pub fn name_of_freeze(freeze: &Word) -> String {
    let Word {
        scope,
        author,
        reason,
        ..
    } = freeze;
    format!("the freeze of {scope} by {author} ({reason})")
}
