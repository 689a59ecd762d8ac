//! A strategy, resolved: what the engine keeps to. Frozen into the plan that uses it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::limits::{Limit, ScopedLimits};

/// How a release is rolled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Strategy {
    pub name: String,
    /// A tenant must stay healthy this long before it counts as succeeded.
    pub min_healthy_time: SignedDuration,
    /// From the last write to healthy; later is a failure.
    pub progress_deadline: SignedDuration,
    /// Health that was not looked at for longer than this is not known.
    pub max_sample_gap: SignedDuration,
    pub on_failure: OnFailure,
    pub max_concurrency: ScopedLimits,
    pub max_failures: ScopedLimits,
    pub waves: Vec<WaveRule>,
    /// A plan that changes this few tenants runs as one wave.
    pub small: usize,
    /// How many tenants may go back at the same time.
    pub rollback_concurrency: ScopedLimits,
    pub rollback_scope: RollbackScope,
    pub unreachable_deadline: SignedDuration,
    pub on_unreachable: OnUnreachable,
}

/// How a wave picks its tenants and what it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveRule {
    pub name: String,
    pub role: Role,
    /// Labels that a tenant must have; empty selects everyone who is left.
    pub select: BTreeMap<String, String>,
    /// How many of those selected; none: all of them.
    pub size: Option<Limit>,
    /// Labels over which the wave spreads when `size` leaves a choice.
    pub spread: Vec<String>,
    pub soak: SignedDuration,
    pub on_breach: OnBreach,
}

/// What a wave is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Tolerates no failure, whatever the limits say.
    Canary,
    Normal,
}

/// What happens to a tenant that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// It goes back to its last good, alone, at once.
    Rollback,
    /// It stays as it is, for a person to look at.
    Leave,
}

/// What happens when a scope has more failures than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnBreach {
    Rollback,
    Pause,
    Continue,
}

/// Who goes back on a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RollbackScope {
    Wave,
    Rollout,
}

/// What becomes of a tenant whose cluster stays silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnUnreachable {
    /// It leaves its wave and is named as an exception.
    Defer,
    Fail,
}
