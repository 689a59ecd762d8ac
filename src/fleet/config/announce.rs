//! Who is told how rollouts go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An incoming webhook that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Announce {
    pub format: AnnounceFormat,
    /// The variable that has the address, as `env:NAME`: whoever knows the address may write there, so it is not in git.
    pub url: String,
    /// The variable that has the key with which `json` is signed, as `env:NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Only these; default: all of them.
    #[serde(default = "all")]
    pub of: Vec<Moment>,
}

/// What the receiver understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AnnounceFormat {
    Slack,
    Mattermost,
    /// A signed object, for programs.
    Json,
}

/// When somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Moment {
    Started,
    /// A wave has passed.
    Advanced,
    /// A tenant failed. Of many at once one is named, and they are told together.
    Failed,
    /// A wave was stopped.
    Stopped,
    /// A person is waited for.
    Waiting,
    Finished,
}

fn all() -> Vec<Moment> {
    use Moment::{Advanced, Failed, Finished, Started, Stopped, Waiting};
    vec![Started, Advanced, Failed, Stopped, Waiting, Finished]
}
