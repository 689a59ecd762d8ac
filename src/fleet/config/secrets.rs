//! `spec.secrets` of an Environment: where values may come from, besides encrypted files in git.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

/// Sources of secret values beside encrypted files in git. What is not named here is not read: templates cannot ask for
/// any variable or file of the machine that rolls out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Secrets {
    /// Environment variables that `secret("env:NAME")` may read; `*` stands for any letters: `PLATFORM_*`.
    pub env: Vec<String>,
    /// The folder on the machine that rolls out from which `secret("file:PATH#KEY")` reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// Programs by the scheme that asks them: `vault` answers `secret("vault:PATH#KEY")`.
    pub exec: BTreeMap<String, ExecSource>,
}

/// A program that prints a secret: text, or a JSON or YAML document with keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecSource {
    /// The program and its arguments, as they are: no shell reads them. `{path}` stands for the path of the reference.
    pub command: Vec<String>,
    /// The longest time to an answer.
    #[serde(default = "patience")]
    pub timeout: Duration,
}

fn patience() -> Duration {
    Duration::from_secs(20)
}
