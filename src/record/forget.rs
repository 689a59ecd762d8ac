//! What the hub need not remember any more: rollouts that are over and that nobody looks up, words that have done
//! their work. Without it, every start would read all that ever was.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::keep::Keep;
use super::rollout::RolloutRecord;
use super::tenant::TenantRecord;
use super::word::{Standing, Word};

/// So many of the newest rollouts always stay: edits of a tenant's place are looked up in the newest twenty.
const NEWEST: usize = 50;
/// What is forgotten after one rollout: the rest waits for the next ones.
const AT_ONCE: usize = 100;

/// What the hub and the clusters remember.
pub struct Memory<'a> {
    /// Oldest first.
    pub rollouts: Vec<&'a RolloutRecord>,
    pub words: &'a BTreeMap<String, Word>,
    /// What they come to.
    pub last_words: &'a Standing,
    /// Of all tenants: one that is missing may need anything.
    pub tenants: Vec<&'a TenantRecord>,
    pub keep: Keep,
}

/// What may go, in the order in which it may: killed in the middle, what is left means what it meant before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forgettable {
    /// Their ids.
    pub rollouts: Vec<String>,
    /// The names of their objects.
    pub words: Vec<String>,
}

impl Memory<'_> {
    pub fn forgettable(&self, now: Timestamp) -> Forgettable {
        let oldest = self.keep.oldest(now);
        Forgettable {
            rollouts: self.rollouts_before(oldest),
            words: self.words_before(oldest),
        }
    }

    fn rollouts_before(&self, oldest: Timestamp) -> Vec<String> {
        let stay = self.in_use();
        let releases = self.releases_in_use();
        let may_go = |rollout: &&&RolloutRecord| {
            let is_of_use = rollout
                .release
                .as_deref()
                .is_some_and(|release| releases.contains(release));
            let is_over = rollout.state.is_over();
            is_over && rollout.since < oldest && !is_of_use && !stay.contains(rollout.id.as_str())
        };
        let older = self.rollouts.len().saturating_sub(NEWEST);
        let old = self.rollouts[..older].iter();
        let ids = old.filter(may_go).map(|rollout| rollout.id.clone());
        ids.take(AT_ONCE).collect()
    }

    /// Rollouts that records of tenants name: whether what they brought is good is looked up there.
    fn in_use(&self) -> BTreeSet<&str> {
        let last = self.tenants.iter().map(|record| &record.rollout);
        let claims = self
            .tenants
            .iter()
            .filter_map(|record| Some(&record.claim.as_ref()?.rollout));
        last.chain(claims).flatten().map(String::as_str).collect()
    }

    /// The release that everybody should run, whoever has not got it yet; and those that nobody should.
    fn releases_in_use(&self) -> BTreeSet<&str> {
        let proofs = self.rollouts.iter().filter(|rollout| rollout.is_proof());
        let whole = proofs.clone().rfind(|rollout| rollout.whole);
        let proven = proofs.clone().next_back().into_iter().chain(whole);
        let proven = proven.filter_map(|rollout| rollout.release.as_deref());
        let bad = self.last_words.quarantines.iter();
        let bad = bad.filter_map(|word| word.scope.release());
        proven.chain(bad).collect()
    }

    /// In the order in which they were said: what takes another word back goes after it.
    fn words_before(&self, oldest: Timestamp) -> Vec<String> {
        let open: BTreeSet<&str> = self
            .rollouts
            .iter()
            .filter(|rollout| !rollout.state.is_over())
            .map(|rollout| rollout.id.as_str())
            .collect();
        let stands = |word: &Word| match word.scope.rollout() {
            Some(rollout) => open.contains(rollout),
            // What has expired is silent; until it goes, so is what it replaced.
            None => {
                word.expires.is_none_or(|expires| oldest <= expires) && self.last_words.has(word)
            }
        };
        let may_go = |(_, word): &(&String, &Word)| word.at < oldest && !stands(word);
        let mut words: Vec<(&String, &Word)> = self.words.iter().filter(may_go).collect();
        words.sort_by_key(|(name, word)| (word.at, word.verb, *name));
        let names = words.into_iter().map(|(name, _)| name.clone());
        names.take(AT_ONCE).collect()
    }
}
