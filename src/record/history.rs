//! What a tenant's record notes of what was done to it.

use jiff::Timestamp;

use super::claim::{Claim, HoldChange};
use super::outcome::Outcome;
use super::tenant::{Action, Entry, TenantRecord};
use crate::manifest::Digest;

/// Entries of history that a record keeps: some 15 KB, a month of two releases a day.
const HISTORY: usize = 60;

/// Letters of what was wrong that a record keeps: a refusal may be as long as what was refused.
const LONG: usize = 400;

/// What is noted of a claim: where it moved the tenant, how that ended, and what was wrong.
pub(super) fn entry(
    record: &TenantRecord,
    claim: &Claim,
    at: Timestamp,
    (to, release): (Option<Digest>, Option<String>),
    (outcome, because): (Outcome, Option<String>),
) -> Entry {
    Entry {
        at,
        who: claim.who.clone(),
        why: claim.why.clone(),
        action: claim.action,
        rollout: claim.rollout.clone(),
        from: left_behind(record, claim),
        to,
        release,
        outcome: Some(outcome),
        because: because.as_deref().map(in_short),
    }
}

pub(super) fn in_short(text: &str) -> String {
    let end = text.floor_char_boundary(LONG);
    if end == text.len() {
        return text.to_owned();
    }
    format!("{}…", &text[..end])
}

/// What a tenant runs that a claim moves somewhere: what the same rollout moved it to before, or what it ran then.
fn left_behind(record: &TenantRecord, claim: &Claim) -> Option<Digest> {
    let is_ours = |entry: &&Entry| claim.rollout.is_some() && entry.rollout == claim.rollout;
    let before = record.last_move().filter(is_ours);
    let tried = before.and_then(|entry| entry.to.clone());
    tried.or_else(|| record.digest.clone())
}

pub(super) fn hold_entry(record: &TenantRecord, action: Action, change: HoldChange) -> Entry {
    Entry {
        at: change.at,
        who: change.who,
        why: change.why,
        action,
        rollout: None,
        from: record.digest.clone(),
        to: record.digest.clone(),
        release: record.release.clone(),
        outcome: None,
        because: None,
    }
}

pub(super) fn remember(record: &mut TenantRecord, entry: Entry) {
    record.history.insert(0, entry);
    record.history.truncate(HISTORY);
}
