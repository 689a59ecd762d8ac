//! The config files: six kinds, Kubernetes-shaped, exactly as people write them.
//!
//! These types are the format: the JSON Schemas that `escale schema` prints and that files are
//! checked against are derived from them, so the comments here are what an editor shows.

mod announce;
mod chat;
mod cluster;
mod day;
mod duration;
mod environment;
mod limit;
mod schema;
mod secrets;
mod strategy;
mod tenant;
mod window;

pub use announce::{Announce, AnnounceFormat, Moment};
pub use chat::{Chat, ChatGrant, ChatVerb};
pub use cluster::{ClusterRecords, ClusterSpec, Ingress};
pub use day::Day;
pub use duration::Duration;
pub use environment::{
    AppSpec, CertificatePolicy, Class, Defaults, Disclose, EnvironmentSpec, Health, Keep, Policies,
    Probe, Records, Require, Source, Strictness, VersionsSpec,
};
pub use limit::{FailureLimits, FailureMode, Limit, LimitSet};
pub use schema::{properties_at, schema_of};
pub use secrets::{ExecSource, Secrets};
pub use strategy::{
    Brake, Cover, Limits, OnBreach, OnFailure, OnNewer, OnUnreachable, RollbackScope,
    RollbackStrategy, StrategySpec, TenantStrategy, UnreachableThen, Wave, WaveRole, When,
};
pub use tenant::{Lifecycle, PlatformSpec, TenantSpec, Tls, Updates};
pub use window::{Hours, Window};

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The one version of the format.
pub const API_VERSION: &str = "escale.dev/v1alpha1";

/// Free values for templates: a JSON object whose keys are sorted.
pub type Values = serde_json::Map<String, serde_json::Value>;

/// The kinds of config files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Environment,
    Versions,
    Strategy,
    Cluster,
    Tenant,
    Platform,
}

impl Kind {
    pub const ALL: [Self; 6] = [
        Self::Environment,
        Self::Versions,
        Self::Strategy,
        Self::Cluster,
        Self::Tenant,
        Self::Platform,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "Environment",
            Self::Versions => "Versions",
            Self::Strategy => "Strategy",
            Self::Cluster => "Cluster",
            Self::Tenant => "Tenant",
            Self::Platform => "Platform",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One config file of a kind: the same four fields that Kubernetes objects have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document<Spec> {
    /// Always `escale.dev/v1alpha1`.
    pub api_version: String,
    /// Which of the six kinds this is.
    pub kind: String,
    pub metadata: Metadata,
    pub spec: Spec,
}

/// The name that everything else uses, and labels to select by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// A Kubernetes name (lower case, digits, `-`), the same as the file's or the folder's.
    pub name: String,
    /// What `-l` and the waves of a strategy select by, beside `cluster` and `class`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}
