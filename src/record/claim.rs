//! Claims: nobody writes to a tenant without one. Pure transitions from record to record.
//!
//! The engine stores each result by compare-and-swap; a transition says what is legal, the swap
//! that nobody came in between.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::manifest::{Digest, ObjectRef};

use super::history::{entry, hold_entry, in_short, remember};
use super::inventory::Inventory;
use super::keep::Keep;
use super::outcome::Outcome;
use super::refresh::interrupt_refresh;
use super::tenant::{Action, Entry, Good, Hold, TenantRecord};

/// A claim is taken over only this long after its deadline: clocks of two machines differ, and a
/// write that was sent just before the deadline may land just after.
pub const CLAIM_MARGIN: SignedDuration = SignedDuration::from_secs(15);

/// The right to write to a tenant until a deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    pub epoch: u64,
    /// One process: two runs of one pipeline are two holders.
    pub holder: String,
    /// Who asked for it, and why, for people.
    pub who: String,
    pub why: String,
    /// What was wrong, if the tenant goes back by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The bundle that the tenant is being moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    pub steps: Vec<Intent>,
    pub since: Timestamp,
    pub deadline: Timestamp,
}

/// One write that the holder of a claim may make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    pub act: IntentAct,
    pub object: ObjectRef,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IntentAct {
    Apply,
    /// Give the replicas to the autoscaler, then apply.
    HandOver,
    Delete,
    /// Delete, then create again.
    Recreate,
}

/// What is asked for when a claim is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taking {
    pub holder: String,
    pub who: String,
    pub why: String,
    pub because: Option<String>,
    pub action: Action,
    pub rollout: Option<String>,
    pub digest: Option<Digest>,
    pub release: Option<String>,
    pub steps: Vec<Intent>,
    pub deadline: Timestamp,
    pub pass_hold: PassHold,
    pub soak: Soak,
    pub keep: Keep,
}

/// What a hold means to who takes a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassHold {
    /// A hold refuses the claim.
    No,
    /// A person named the tenant, or only what reaches held tenants too is written.
    Yes,
}

/// Whether the bundle that a tenant runs has passed its wave's soak, and so is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Soak {
    Passed,
    NotPassed,
    /// Nobody knows the wave: the time noted in the record decides.
    ByClock,
}

/// A claim, taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub record: TenantRecord,
    /// The expired claim of a holder that vanished: its late writes are to be fenced off.
    pub took_over: Option<Claim>,
}

/// Why a transition is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    Held(Hold),
    Claimed(Box<Claim>),
    NotHeld,
}

/// What is said when a claim is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    pub epoch: u64,
    pub holder: String,
    pub outcome: Outcome,
    /// What was wrong, if it is left as it failed.
    pub because: Option<String>,
    /// The bundle that the tenant was left at: the claim's, or the older one when it went back.
    pub digest: Option<Digest>,
    pub release: Option<String>,
    pub inventory: Inventory,
    pub at: Timestamp,
    pub good_from: Option<Timestamp>,
}

/// How that ended for which a claim was taken, when the tenant goes back instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    pub outcome: Outcome,
    pub at: Timestamp,
}

/// The claim that was to be closed or renewed is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimLost {
    /// Who has it now, if anyone.
    pub now: Option<Box<Claim>>,
}

/// Who holds or releases, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldChange {
    pub who: String,
    pub why: String,
    pub at: Timestamp,
}

/// Takes the claim of a tenant: epoch + 1, the union inventory, the running bundle folded into the
/// good ones if it has earned it.
pub fn take_claim(record: &TenantRecord, taking: Taking, now: Timestamp) -> Result<Taken, Refused> {
    if let (PassHold::No, Some(hold)) = (taking.pass_hold, record.hold_at(now)) {
        return Err(Refused::Held(hold.clone()));
    }
    if let Some(claim) = &record.claim
        && claim.is_live_at(now)
    {
        return Err(Refused::Claimed(Box::new(claim.clone())));
    }
    let mut record = record.clone();
    let took_over = record.claim.take();
    match &took_over {
        Some(claim) if claim.moves() => interrupt(&mut record, claim, &taking.who, now),
        Some(claim) => {
            interrupt_refresh(&mut record, claim, now);
            fold_good(&mut record, taking.soak, now);
        }
        None => fold_good(&mut record, taking.soak, now),
    }
    record.goods = taking.keep.goods(&record, now);
    record.epoch += 1;
    let intended = taking.steps.iter().map(|intent| &intent.object);
    record.inventory = record.inventory.union(intended);
    record.claim = Some(taking.into_claim(record.epoch, now));
    Ok(Taken { record, took_over })
}

/// Moves the deadline of a claim that is ours, and says anew where it moves the tenant and what it may write. If it goes
/// back from now on, that is noted, once.
pub fn renew_claim(
    record: &TenantRecord,
    mine: &Claim,
    (steps, deadline): (Vec<Intent>, Timestamp),
    turned: &Turned,
) -> Result<TenantRecord, ClaimLost> {
    let claim = own_claim(record, mine.epoch, &mine.holder)?;
    let mut renewed = record.clone();
    renewed.inventory = record
        .inventory
        .union(steps.iter().map(|intent| &intent.object));
    if claim.action != mine.action {
        let because = mine.because.clone();
        let tried = (claim.digest.clone(), claim.release.clone());
        let entry = entry(record, claim, turned.at, tried, (turned.outcome, because));
        remember(&mut renewed, entry);
    }
    renewed.claim = Some(Claim {
        digest: mine.digest.clone(),
        release: mine.release.clone(),
        because: mine.because.as_deref().map(in_short),
        action: mine.action,
        steps,
        deadline,
        ..claim.clone()
    });
    Ok(renewed)
}

/// Closes a claim with its outcome and the final inventory. To close it twice is the same as once: the first answer
/// may have been lost.
pub fn close_claim(record: &TenantRecord, closing: Closing) -> Result<TenantRecord, ClaimLost> {
    if is_closed(record, &closing) {
        return Ok(record.clone());
    }
    let claim = own_claim(record, closing.epoch, &closing.holder)?.clone();
    debug_assert!(closing.outcome.ends_a_claim(), "{:?}", closing.outcome);
    let mut closed = record.clone();
    let left_at = (closing.digest.clone(), closing.release.clone());
    let because = closing.because.or_else(|| claim.because.clone());
    let entry = entry(
        record,
        &claim,
        closing.at,
        left_at,
        (closing.outcome, because),
    );
    closed.claim = None;
    closed.state = closing.outcome;
    closed.digest = closing.digest;
    closed.release = closing.release;
    closed.rollout = claim.rollout.or(closed.rollout);
    closed.since = closing.at;
    closed.good_from = closing.good_from;
    closed.inventory = closing.inventory;
    for hook in closed.hooks.values_mut() {
        hook.forget_gone(&closed.inventory);
    }
    remember(&mut closed, entry);
    Ok(closed)
}

/// Whoever takes a claim raises the epoch, so that nobody came in between.
fn is_closed(record: &TenantRecord, closing: &Closing) -> bool {
    record.claim.is_none()
        && record.epoch == closing.epoch
        && record.state == closing.outcome
        && record.digest == closing.digest
}

/// Keeps a tenant where it is. A claim that is open now runs to its end.
#[must_use]
pub fn hold(record: &TenantRecord, hold: Hold) -> TenantRecord {
    let mut kept = record.clone();
    let change = HoldChange {
        who: hold.owner.clone(),
        why: hold.reason.clone(),
        at: hold.since,
    };
    remember(&mut kept, hold_entry(record, Action::Hold, change));
    kept.hold = Some(hold);
    kept
}

/// Lets a tenant go with the fleet again.
pub fn release_hold(record: &TenantRecord, change: HoldChange) -> Result<TenantRecord, Refused> {
    if record.hold.is_none() {
        return Err(Refused::NotHeld);
    }
    let mut released = record.clone();
    released.hold = None;
    remember(
        &mut released,
        hold_entry(record, Action::ReleaseHold, change),
    );
    Ok(released)
}

impl Claim {
    /// Whether its holder may still be writing.
    pub fn is_live_at(&self, now: Timestamp) -> bool {
        now <= self
            .deadline
            .saturating_add(CLAIM_MARGIN)
            .unwrap_or(Timestamp::MAX)
    }
}

impl Taking {
    fn into_claim(self, epoch: u64, since: Timestamp) -> Claim {
        Claim {
            epoch,
            holder: self.holder,
            who: self.who,
            why: self.why,
            because: self.because.as_deref().map(in_short),
            action: self.action,
            rollout: self.rollout,
            digest: self.digest,
            release: self.release,
            steps: self.steps,
            since,
            deadline: self.deadline,
        }
    }
}

pub(super) fn own_claim<'a>(
    record: &'a TenantRecord,
    epoch: u64,
    holder: &str,
) -> Result<&'a Claim, ClaimLost> {
    match &record.claim {
        Some(claim) if claim.epoch == epoch && claim.holder == holder => Ok(claim),
        other => Err(ClaimLost {
            now: other.clone().map(Box::new),
        }),
    }
}

/// Somebody vanished while moving the tenant: it may run any mixture of two bundles, and counts as
/// moved, so that a typed rollback goes back to what was good before.
fn interrupt(record: &mut TenantRecord, claim: &Claim, who: &str, now: Timestamp) {
    let entry = Entry {
        at: now,
        who: who.to_owned(),
        why: format!(
            "the claim of `{}` (epoch {}) ended at {} without being closed",
            claim.holder, claim.epoch, claim.deadline
        ),
        action: Action::TakeOver,
        rollout: claim.rollout.clone(),
        from: record.digest.clone(),
        to: claim.digest.clone(),
        release: claim.release.clone(),
        outcome: Some(Outcome::Interrupted),
        because: None,
    };
    record.state = Outcome::Interrupted;
    record.digest = claim.digest.clone().or_else(|| record.digest.take());
    record.release = claim.release.clone().or_else(|| record.release.take());
    record.rollout = claim.rollout.clone().or_else(|| record.rollout.take());
    record.since = now;
    record.good_from = None;
    remember(record, entry);
}

fn fold_good(record: &mut TenantRecord, soak: Soak, now: Timestamp) {
    let passed = match soak {
        Soak::Passed => true,
        Soak::NotPassed => false,
        Soak::ByClock => record.good_from.is_some_and(|from| from <= now),
    };
    let Some(digest) = record.digest.clone() else {
        return;
    };
    if !passed || !record.state.is_settled() {
        return;
    }
    record.goods.retain(|good| good.digest != digest);
    let good = Good {
        digest,
        release: record.release.clone(),
        at: record.since,
    };
    record.goods.insert(0, good);
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(hold) => write!(f, "it is held: {hold}"),
            Self::Claimed(claim) => write!(
                f,
                "`{}` is writing to it until {} ({}, {})",
                claim.holder, claim.deadline, claim.action, claim.who
            ),
            Self::NotHeld => f.write_str("it is not held"),
        }
    }
}

impl std::error::Error for Refused {}

impl fmt::Display for ClaimLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.now {
            Some(claim) => write!(
                f,
                "the claim was taken over by `{}` (epoch {})",
                claim.holder, claim.epoch
            ),
            None => f.write_str("the claim is closed"),
        }
    }
}

impl std::error::Error for ClaimLost {}
