//! The record of one rollout on the hub: the frozen plan, and how far it is.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::Digest;

use super::tenant::Hold;

/// Tenants in one shard of a plan: some 150 KB of JSON, so that no object grows with the fleet.
pub const TENANTS_PER_SHARD: usize = 500;

/// One execution of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutRecord {
    /// Fits into the name of an object; unique on the hub.
    pub id: String,
    pub environment: String,
    /// The commit; `None` for a rebuild, whose bundles come from many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The lost cluster that it brings back as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<Rebuilt>,
    pub strategy: String,
    pub created: Timestamp,
    pub by: String,
    pub why: String,
    /// Whether it is about every tenant of the fleet: whoever its plan does not name ran what it brings.
    #[serde(default)]
    pub whole: bool,
    pub state: RolloutState,
    /// What the state is about: what it waits for, what broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub since: Timestamp,
    /// The release that waits for it to come to rest, or went before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// What had failed by then counts no more: somebody, or the strategy, said to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excused: Option<Timestamp>,
    /// Objects that were skipped as unchanged, and would have changed by the server's word.
    #[serde(default)]
    pub false_no_ops: usize,
    pub waves: Vec<WaveRecord>,
    /// How many shards the plan has; all are written before this record is.
    pub shards: usize,
    /// The strategy as it was when the plan was frozen, for whoever continues.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub frozen: serde_json::Value,
}

/// A cluster in place of one that was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebuilt {
    /// The name of both.
    pub cluster: String,
    /// The uid of the new one's namespace `kube-system`.
    pub uid: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RolloutState {
    /// Waits for its turn: it has no plan yet.
    Planned,
    Running,
    Paused,
    RollingBack,
    Succeeded,
    SucceededWithExceptions,
    Failed,
    Aborted,
    Superseded,
    RolledBack,
}

/// One wave of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveRecord {
    pub name: String,
    /// `canary`, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub tenants: usize,
    pub state: WaveState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WaveState {
    Waiting,
    Running,
    Soaking,
    Passed,
    /// Nothing in it succeeded; it proves nothing.
    Skipped,
    Breached,
    RolledBack,
}

/// What a plan says of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanLine {
    pub tenant: String,
    pub cluster: String,
    pub namespace: String,
    #[serde(flatten)]
    pub place: Place,
    /// What it shall run; `None` if it could not be rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The commit of `digest`, if it is not that of the rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The hold that is put back with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// What it ran when the plan was frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    /// Its last good bundle when the plan was frozen: where an automatic rollback goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<Digest>,
    /// What was wrong with it when the plan was frozen, in words for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy_before: Option<String>,
    /// Addresses of pages that did not answer well when the plan was frozen: that is not held against the release.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unwell_pages: BTreeSet<String>,
    /// The wave in which it counts as failed, though it was left out: it could not be rendered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts_in: Option<String>,
}

/// Each tenant is in exactly one wave, or excluded with a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    Wave(String),
    Excluded(String),
}

impl RolloutRecord {
    /// Whether it ended well, so that its release is what should run.
    pub fn is_proof(&self) -> bool {
        let has_ended_well = matches!(
            self.state,
            RolloutState::Succeeded | RolloutState::SucceededWithExceptions
        );
        has_ended_well && self.release.is_some()
    }
}

impl RolloutState {
    /// Whether there is nothing left to do for it.
    pub fn is_over(self) -> bool {
        match self {
            Self::Planned | Self::Running | Self::Paused | Self::RollingBack => false,
            Self::Succeeded
            | Self::SucceededWithExceptions
            | Self::Failed
            | Self::Aborted
            | Self::Superseded
            | Self::RolledBack => true,
        }
    }

    /// Whether it has begun and is not over.
    pub fn is_open(self) -> bool {
        !self.is_over() && self != Self::Planned
    }

    /// The spelling in records and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::RollingBack => "rollingBack",
            Self::Succeeded => "succeeded",
            Self::SucceededWithExceptions => "succeededWithExceptions",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Superseded => "superseded",
            Self::RolledBack => "rolledBack",
        }
    }
}

impl WaveState {
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Running,
        Self::Soaking,
        Self::Passed,
        Self::Skipped,
        Self::Breached,
        Self::RolledBack,
    ];

    /// The spelling in records and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Soaking => "soaking",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Breached => "breached",
            Self::RolledBack => "rolledBack",
        }
    }
}
