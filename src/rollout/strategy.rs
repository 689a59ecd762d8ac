//! A strategy as a plan keeps to it: what git says, under its name, frozen.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::fleet::config::StrategySpec;

/// How a release is rolled out. Frozen with the plan that uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Strategy {
    pub name: String,
    pub spec: StrategySpec,
    /// Why it is this one, where what changes picks one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// Health that was not looked at for longer than this is not known (`health.maxSampleGap`).
    pub max_sample_gap: SignedDuration,
}

/// What a wave is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Tolerates no failure, whatever the limits say.
    Canary,
    Normal,
}
