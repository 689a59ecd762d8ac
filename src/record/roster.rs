//! The roster: what the hub remembers of each tenant of a cluster, so that a lost cluster can be built again elsewhere.
//!
//! Some shards per cluster, of so many lines each. A line stays in its shard, so that each can be changed alone; their
//! number follows the tenants, never time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::UserError;
use crate::manifest::Digest;

use super::object::{RECORD_LABEL, Reader, Stored, Writer};
use super::rollout::TENANTS_PER_SHARD;
use super::tenant::{Hold, TenantRecord};

const ROSTER: &str = "roster";
const ENVIRONMENT: &str = "escale.dev/environment";
const CLUSTER: &str = "escale.dev/cluster";
const SHARD: &str = "escale.dev/shard";

/// Some tenants of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RosterShard {
    pub environment: String,
    pub cluster: String,
    pub shard: usize,
    /// In the order of their namespaces.
    pub lines: Vec<RosterLine>,
}

/// What a tenant ran last as good, or is held at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RosterLine {
    pub tenant: String,
    pub namespace: String,
    pub digest: Digest,
    /// The commit that `digest` was rendered from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// What is new about one namespace of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterChange {
    Runs(RosterLine),
    /// Nothing of it is left, and no file names it there.
    Gone(String),
}

/// Changes by cluster.
pub type RosterChanges = BTreeMap<String, Vec<RosterChange>>;

/// A shard that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterWrite {
    pub shard: RosterShard,
    /// The version that it replaces; `None`: it is new.
    pub replaces: Option<String>,
}

/// Finds the roster of an environment.
pub fn roster_selector(environment: &str) -> String {
    format!("{RECORD_LABEL}={ROSTER},{ENVIRONMENT}={environment}")
}

pub fn encode_roster(shard: &RosterShard, resource_version: Option<&str>) -> Value {
    let mut value = Writer::new(ROSTER, &shard.name())
        .label(ENVIRONMENT, &shard.environment)
        .label(CLUSTER, &shard.cluster)
        .label(SHARD, &shard.shard.to_string())
        .data("roster", shard)
        .finish();
    if let Some(version) = resource_version {
        value["metadata"]["resourceVersion"] = version.into();
    }
    value
}

pub fn decode_roster(value: &Value) -> Result<Stored<RosterShard>, UserError> {
    let reader = Reader::new(ROSTER, value)?;
    let shard: RosterShard = reader.required_data("roster")?;
    if shard.name() != reader.name() {
        return Err(reader.corrupt(&format!(
            "it is shard {} of cluster `{}`",
            shard.shard, shard.cluster
        )));
    }
    Ok(reader.stored(shard))
}

/// The shards that change, and nothing for those that say it all already.
pub fn update_roster(
    environment: &str,
    stored: &[Stored<RosterShard>],
    changes: &RosterChanges,
) -> Vec<RosterWrite> {
    let each = changes.iter().flat_map(|(cluster, changes)| {
        let stored = stored.iter().filter(|one| one.value.cluster == *cluster);
        let mut shards: Vec<RosterWrite> = stored.map(RosterWrite::of).collect();
        shards.sort_by_key(|one| one.shard.shard);
        let before = shards.clone();
        for change in changes {
            take_in(&mut shards, (environment, cluster), change);
        }
        shards.retain(|after| !before.contains(after));
        shards
    });
    each.collect()
}

fn take_in(
    shards: &mut Vec<RosterWrite>,
    (environment, cluster): (&str, &str),
    change: &RosterChange,
) {
    let namespace = match change {
        RosterChange::Runs(line) => &line.namespace,
        RosterChange::Gone(namespace) => namespace,
    };
    let found = shards.iter_mut().find_map(|one| {
        let lines = &one.shard.lines;
        let at = lines.iter().position(|line| line.namespace == *namespace)?;
        Some((&mut one.shard.lines, at))
    });
    match (found, change) {
        (Some((lines, at)), RosterChange::Runs(line)) => lines[at] = line.clone(),
        (Some((lines, at)), RosterChange::Gone(_)) => {
            lines.remove(at);
        }
        (None, RosterChange::Gone(_)) => {}
        (None, RosterChange::Runs(line)) => {
            let lines = &mut with_room(shards, environment, cluster).lines;
            let at = lines.partition_point(|other| other.namespace < line.namespace);
            lines.insert(at, line.clone());
        }
    }
}

/// The first shard that has room, or one more.
fn with_room<'a>(
    shards: &'a mut Vec<RosterWrite>,
    environment: &str,
    cluster: &str,
) -> &'a mut RosterShard {
    let has_room = |one: &RosterWrite| one.shard.lines.len() < TENANTS_PER_SHARD;
    let at = shards.iter().position(has_room).unwrap_or_else(|| {
        shards.push(RosterWrite {
            shard: RosterShard {
                environment: environment.to_owned(),
                cluster: cluster.to_owned(),
                shard: shards.len(),
                lines: Vec::new(),
            },
            replaces: None,
        });
        shards.len() - 1
    });
    &mut shards[at].shard
}

impl RosterLine {
    /// What a rebuild would bring back: what runs, if it is good or somebody holds the tenant there; else what was good
    /// last. `None` if nothing was. `has_soaked` says whether the wave of what runs has passed.
    pub fn of(record: &TenantRecord, has_soaked: bool, now: Timestamp) -> Option<Self> {
        let hold = record.hold_at(now);
        let is_kept = |digest: &&Digest| {
            let is_good = has_soaked || record.good(digest).is_some();
            let is_held = hold.is_some() && record.state.is_whole();
            record.claim.is_none() && (is_held || is_good && record.state.is_settled())
        };
        let (digest, release) = match (record.digest.as_ref().filter(is_kept), record.last_good()) {
            (Some(digest), _) => (digest, &record.release),
            (None, Some(good)) => (&good.digest, &good.release),
            (None, None) => return None,
        };
        Some(Self {
            tenant: record.tenant.clone(),
            namespace: record.namespace.clone(),
            digest: digest.clone(),
            release: release.clone(),
            hold: hold.cloned(),
        })
    }
}

impl RosterShard {
    /// `roster.ENVIRONMENT.CLUSTER.SHARD`
    fn name(&self) -> String {
        format!(
            "{ROSTER}.{}.{}.{}",
            self.environment, self.cluster, self.shard
        )
    }
}

impl RosterWrite {
    fn of(stored: &Stored<RosterShard>) -> Self {
        Self {
            shard: stored.value.clone(),
            replaces: Some(stored.resource_version.clone()),
        }
    }
}
