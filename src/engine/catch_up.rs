//! Who is behind: tenants that the newest release which ended well was meant for and never reached, because their
//! cluster did not answer, somebody held them, or nobody had approved yet.
//!
//! Whoever met the release is not behind, however that ended: nothing is tried again by a clock alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::clusters::Clusters;
use super::planning::Records;
use super::store::{self, Trouble};
use crate::error::UserError;
use crate::record::{PlanLine, RolloutRecord, RolloutState, TenantRecord};

/// What is to be caught up with, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// The commit.
    pub release: String,
    pub tenants: BTreeSet<String>,
    /// Of whom nothing is known, as their cluster still does not answer.
    pub away: BTreeSet<String>,
}

/// Who is behind now; `None` if no rollout on record ended well. Holds no writer.
pub async fn behind(
    clusters: &Clusters,
    environment: &str,
    now: Timestamp,
) -> Result<Option<Behind>, UserError> {
    let hub = clusters.hub()?;
    let advise = |trouble: Trouble| trouble.advise(hub.name());
    let found = store::rollouts(&hub.reader(), environment).await;
    let found = found.map_err(|error| error.advise(hub.name()))?;
    let mut rollouts = Vec::new();
    for found in found {
        rollouts.push(found.record?.value);
    }
    let Some(release) = proven(&rollouts) else {
        return Ok(None);
    };
    let of_release: Vec<&RolloutRecord> = rollouts
        .iter()
        .filter(|rollout| rollout.release.as_deref() == Some(release))
        .collect();
    let mut behind = Behind {
        release: release.to_owned(),
        tenants: BTreeSet::new(),
        away: BTreeSet::new(),
    };
    let records = Records::read(clusters, environment).await;
    let seen = Seen {
        away: records.unreachable().map(|(name, _)| name).collect(),
        tenants: records
            .iter()
            .map(|stored| (stored.value.tenant.as_str(), &stored.value))
            .collect(),
        of_release,
        now,
    };
    for rollout in seen.of_release.iter().filter(|rollout| is_proof(rollout)) {
        for line in store::plan(&hub.reader(), rollout).await.map_err(advise)? {
            seen.note(line, &mut behind);
        }
    }
    Ok(Some(behind))
}

/// The release of the newest rollout that ended well.
fn proven(rollouts: &[RolloutRecord]) -> Option<&str> {
    let proven = rollouts.iter().filter(|rollout| is_proof(rollout));
    let newest = proven.max_by_key(|rollout| rollout.created)?;
    newest.release.as_deref()
}

fn is_proof(rollout: &RolloutRecord) -> bool {
    let has_ended_well = matches!(
        rollout.state,
        RolloutState::Succeeded | RolloutState::SucceededWithExceptions
    );
    has_ended_well && rollout.release.is_some()
}

/// What the clusters say now.
struct Seen<'a> {
    /// Clusters that do not answer.
    away: BTreeSet<&'a str>,
    tenants: BTreeMap<&'a str, &'a TenantRecord>,
    /// Every rollout of the release, however it ended.
    of_release: Vec<&'a RolloutRecord>,
    now: Timestamp,
}

impl Seen<'_> {
    fn note(&self, line: PlanLine, behind: &mut Behind) {
        let record = self.tenants.get(line.tenant.as_str());
        if self.away.contains(line.cluster.as_str()) {
            behind.away.insert(line.tenant);
        } else if record.is_none_or(|record| self.is_behind(record)) {
            behind.tenants.insert(line.tenant);
        }
    }

    fn is_behind(&self, record: &TenantRecord) -> bool {
        let has_run = self.of_release[0].release == record.release;
        let mut moves = record.history.iter().map(|entry| &entry.rollout);
        let has_met = has_run
            || self.is_of_release(record.rollout.as_ref())
            || moves.any(|id| self.is_of_release(id.as_ref()));
        !has_met && record.hold_at(self.now).is_none()
    }

    fn is_of_release(&self, id: Option<&String>) -> bool {
        let mut ids = self.of_release.iter().map(|rollout| &rollout.id);
        id.is_some_and(|id| ids.any(|of| of == id))
    }
}
