//! Who may ask for what in chat.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Chat through the pipelines of a GitLab, and who may ask for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chat {
    /// The GitLab whose jobs answer: `https://gitlab.example.com`. Its tokens say who asks.
    pub gitlab: String,
    /// The project of the fleet there: `ops/fleet`. Tokens of others are refused.
    pub project: String,
    /// The `aud` of the job's `id_tokens`.
    #[serde(default = "audience")]
    pub audience: String,
    /// People, each with the number of the user in GitLab: names change hands.
    pub people: BTreeMap<String, u64>,
    /// What they may ask for. What nobody is given, nobody may.
    pub allow: Vec<ChatGrant>,
}

/// Some people, some commands, some tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChatGrant {
    /// Names out of `people`.
    pub people: Vec<String>,
    /// What they may ask for.
    pub verbs: Vec<ChatVerb>,
    /// Names or patterns of tenants. `pause`, `resume` and the approval of a wave need `*`.
    #[serde(default = "everybody")]
    pub tenants: Vec<String>,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChatVerb {
    Status,
    History,
    Diff,
    Rollback,
    Hold,
    ReleaseHold,
    Pause,
    Resume,
    Approve,
}

fn audience() -> String {
    "escale".to_owned()
}

fn everybody() -> Vec<String> {
    vec!["*".to_owned()]
}
