//! A claim that moves a tenant nowhere: under it only objects are written that reach held tenants too.

use jiff::Timestamp;

use super::claim::{Claim, ClaimLost, own_claim};
use super::history::{entry, remember};
use super::inventory::Inventory;
use super::outcome::Outcome;
use super::tenant::{Action, Entry, TenantRecord};

/// What is said when such a claim is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    pub epoch: u64,
    pub holder: String,
    pub outcome: Outcome,
    /// What was wrong, if something was not written.
    pub because: Option<String>,
    pub inventory: Inventory,
    pub at: Timestamp,
}

/// Closes a claim under which nothing was moved: what the tenant runs, since when and how well, stays as it is. To close
/// it twice is the same as once.
pub fn close_refresh(
    record: &TenantRecord,
    refreshed: Refreshed,
) -> Result<TenantRecord, ClaimLost> {
    if record.claim.is_none() && record.epoch == refreshed.epoch {
        return Ok(record.clone());
    }
    let claim = own_claim(record, refreshed.epoch, &refreshed.holder)?;
    let ended = (refreshed.outcome, refreshed.because);
    let entry = noted(record, claim, refreshed.at, ended);
    let mut closed = record.clone();
    closed.claim = None;
    closed.inventory = refreshed.inventory;
    remember(&mut closed, entry);
    Ok(closed)
}

/// Notes that whoever wrote under such a claim vanished. The tenant runs what it ran.
pub(super) fn interrupt_refresh(record: &mut TenantRecord, claim: &Claim, now: Timestamp) {
    let because = format!("`{}` ended without closing its claim", claim.holder);
    let entry = noted(record, claim, now, (Outcome::Interrupted, Some(because)));
    remember(record, entry);
}

fn noted(
    record: &TenantRecord,
    claim: &Claim,
    at: Timestamp,
    ended: (Outcome, Option<String>),
) -> Entry {
    let stays = (record.digest.clone(), record.release.clone());
    Entry {
        from: record.digest.clone(),
        ..entry(record, claim, at, stays, ended)
    }
}

impl Claim {
    /// Whether the tenant is moved to another bundle under it.
    pub(super) fn moves(&self) -> bool {
        !matches!(self.action, Action::Refresh | Action::Leave)
    }
}
