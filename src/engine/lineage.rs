//! Which of two releases is the newer one: a rollout never goes to an older one by accident.

use std::collections::{BTreeMap, BTreeSet};

use super::rollouts::Order;
use super::survey::Survey;
use crate::error::UserError;
use crate::repo::Kinship;

/// How the first of two releases stands to the second. Git knows, and only git.
pub type Lineage<'a> = &'a (dyn Fn(&str, &str) -> Kinship + Sync);

/// A newer release than the one that is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    pub release: String,
    pub at: AheadAt,
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AheadAt {
    /// So many tenants run it.
    Tenants(usize),
    /// It is being rolled out.
    Rollout,
    /// It waits for its turn.
    Queue,
}

/// The release that runs and is newer than the one that is ordered, if one is. What cannot be compared is an error:
/// it may be newer.
pub fn ahead_of(order: &Order<'_>, survey: &Survey) -> Result<Option<Ahead>, UserError> {
    for (release, tenants) in running(order, survey) {
        if is_older(order, &release)? {
            let at = AheadAt::Tenants(tenants);
            return Ok(Some(Ahead { release, at }));
        }
    }
    Ok(None)
}

/// Whether the release that is ordered is older than another, which is not what was asked for.
pub fn is_older(order: &Order<'_>, other: &str) -> Result<bool, UserError> {
    if order.may_be_older {
        return Ok(false);
    }
    let ours = &order.release;
    let refused = |why: String| {
        let error = UserError::new(format!("cannot roll out release {ours}: {why}"));
        Err(error.hint("to roll it out all the same: `--older --reason WHY`"))
    };
    match (order.lineage)(ours, other) {
        Kinship::Same | Kinship::Newer => Ok(false),
        Kinship::Older => Ok(true),
        Kinship::Apart => refused(format!("it does not contain release {other}, which runs")),
        Kinship::Unknown { why } => refused(format!(
            "whether release {other}, which runs, is newer cannot be told: {why}"
        )),
    }
}

/// The releases that the ordered tenants run, and how many run each; that to which somebody was moved and left in the
/// middle among them, unless it was taken back.
fn running(order: &Order<'_>, survey: &Survey) -> BTreeMap<String, usize> {
    let tenants = order.fleet.tenants.iter();
    let ordered: BTreeSet<(&str, &str)> = tenants
        .filter(|tenant| {
            let selected = order.selected.as_ref();
            selected.is_none_or(|selected| selected.contains(&tenant.name))
        })
        .map(|tenant| (tenant.cluster.as_str(), tenant.namespace.as_str()))
        .collect();
    let mut running = BTreeMap::new();
    for stored in survey.records.iter() {
        let record = &stored.value;
        if !ordered.contains(&(record.cluster.as_str(), record.namespace.as_str())) {
            continue;
        }
        let is_taken_back =
            |release: &str| survey.quarantined_releases.iter().any(|one| one == release);
        let moved_to = record.running().release.filter(|one| !is_taken_back(one));
        let releases: BTreeSet<&str> = moved_to
            .into_iter()
            .chain(record.release.as_deref())
            .collect();
        for release in releases {
            *running.entry(release.to_owned()).or_default() += 1;
        }
    }
    running
}
