//! Who is behind: tenants that the newest release which ended well was meant for and never reached, because their
//! cluster did not answer, somebody held them, or nobody had approved yet.
//!
//! Whoever met the release is not behind, however that ended: nothing is tried again by a clock alone. Nor is whoever comes
//! `after` somebody who does not run it: that waits for a person, or for the next release.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::clusters::Clusters;
use super::records::Records;
use super::store;
use crate::error::UserError;
use crate::fleet::Fleet;
use crate::fleet::config::Lifecycle;
use crate::record::{PlanLine, RolloutRecord, TenantRecord};

/// What is to be caught up with, and by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// The commit.
    pub release: String,
    pub tenants: BTreeSet<String>,
    /// Of whom nothing is known, as their cluster still does not answer.
    pub away: BTreeSet<String>,
    /// Who was meant, does not run it, and is not brought to it by a clock: it failed there, or somebody holds them.
    pub without: BTreeSet<String>,
    /// Who would be behind, but comes `after` somebody of these, and after whom.
    pub waiting: BTreeMap<String, String>,
}

impl Behind {
    /// Leaves out whom no file names any more, who is leaving, and whoever comes after somebody who is not brought along.
    #[must_use]
    pub fn within(mut self, fleet: &Fleet) -> Self {
        let is_here = |name: &String| {
            let tenant = fleet.tenant(name);
            tenant.is_some_and(|tenant| tenant.lifecycle == Lifecycle::Active)
        };
        for tenants in [&mut self.tenants, &mut self.away, &mut self.without] {
            tenants.retain(is_here);
        }
        while let Some((follower, before)) = self.follower(fleet) {
            self.tenants.remove(&follower);
            self.waiting.insert(follower, before);
        }
        self
    }

    fn follower(&self, fleet: &Fleet) -> Option<(String, String)> {
        let lacks = |name: &&String| {
            self.away.contains(*name)
                || self.without.contains(*name)
                || self.waiting.contains_key(*name)
        };
        self.tenants.iter().find_map(|name| {
            let before = fleet.tenant(name)?.after.iter().find(lacks)?;
            Some((name.clone(), before.clone()))
        })
    }
}

/// Who is behind now, of those that the hub's rollouts knew; `None` if no rollout ended well. Holds no writer.
pub async fn behind(
    clusters: &Clusters,
    environment: &str,
    rollouts: &[RolloutRecord],
    now: Timestamp,
) -> Result<Option<Behind>, UserError> {
    let Some(release) = proven(rollouts) else {
        return Ok(None);
    };
    let of_release = rollouts
        .iter()
        .filter(|rollout| rollout.release.as_deref() == Some(release));
    let of_release: Vec<&RolloutRecord> = of_release.collect();
    let newest = of_release.iter().map(|one| one.created).max();
    let rebuilds = rollouts
        .iter()
        .filter(|one| newest.is_some_and(|newest| newest < one.created));
    let rebuilds: Vec<&RolloutRecord> = rebuilds.filter(|one| one.rebuild.is_some()).collect();
    let records = Records::read(clusters, environment).await;
    let seen = Seen {
        away: records.unreachable().map(|(name, _)| name).collect(),
        tenants: records
            .iter()
            .map(|stored| (stored.value.tenant.as_str(), &stored.value))
            .collect(),
        release,
        rollouts: of_release.iter().map(|one| one.id.as_str()).collect(),
        rebuilds: rebuilds.iter().map(|one| one.id.as_str()).collect(),
        rebuilt: rebuilds
            .iter()
            .filter_map(|one| one.rebuild.as_ref())
            .map(|rebuild| rebuild.cluster.as_str())
            .collect(),
        now,
    };
    let mut behind = Behind {
        release: release.to_owned(),
        ..Behind::default()
    };
    let hub = clusters.hub()?;
    for rollout in of_release.into_iter().filter(|rollout| rollout.is_proof()) {
        let lines = store::plan(&hub.reader(), rollout).await;
        for line in lines.map_err(|trouble| trouble.advise(hub.name()))? {
            seen.note(line, &mut behind);
        }
    }
    Ok(Some(behind))
}

/// The release of the newest rollout that ended well.
fn proven(rollouts: &[RolloutRecord]) -> Option<&str> {
    let proven = rollouts.iter().filter(|rollout| rollout.is_proof());
    let newest = proven.max_by_key(|rollout| rollout.created)?;
    newest.release.as_deref()
}

/// What the clusters say now.
struct Seen<'a> {
    /// Clusters that do not answer.
    away: BTreeSet<&'a str>,
    tenants: BTreeMap<&'a str, &'a TenantRecord>,
    release: &'a str,
    /// Every rollout of the release, however it ended.
    rollouts: BTreeSet<&'a str>,
    /// Rebuilds since then. What their tenants had met before is lost with the cluster: a person takes them on.
    rebuilds: BTreeSet<&'a str>,
    rebuilt: BTreeSet<&'a str>,
    now: Timestamp,
}

impl Seen<'_> {
    fn note(&self, line: PlanLine, behind: &mut Behind) {
        let record = self.tenants.get(line.tenant.as_str());
        if self.away.contains(line.cluster.as_str()) {
            behind.away.insert(line.tenant);
        } else if record.is_none() && self.rebuilt.contains(line.cluster.as_str()) {
            // Not rebuilt, and told so.
            behind.without.insert(line.tenant);
        } else if record.is_none_or(|record| self.is_behind(record)) {
            behind.tenants.insert(line.tenant);
        } else if record.is_some_and(|record| !self.runs_it(record)) {
            behind.without.insert(line.tenant);
        }
    }

    fn runs_it(&self, record: &TenantRecord) -> bool {
        record.release.as_deref() == Some(self.release) && record.state.is_whole()
    }

    fn is_one_of_these(&self, rollout: &str) -> bool {
        self.rollouts.contains(rollout) || self.rebuilds.contains(rollout)
    }

    fn is_behind(&self, record: &TenantRecord) -> bool {
        let moves = record.history.iter().map(|entry| &entry.rollout);
        let mut moves = moves.chain([&record.rollout]).flatten();
        let has_met = record.release.as_deref() == Some(self.release)
            || moves.any(|rollout| self.is_one_of_these(rollout));
        !has_met && record.hold_at(self.now).is_none()
    }
}
