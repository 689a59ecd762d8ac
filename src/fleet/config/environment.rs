//! `kind: Environment` and `kind: Versions`: what a fleet is made of, and which images it runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tenant::Updates;
use super::{Announce, Chat, Duration, Secrets, Values};

/// A fleet: where it comes from, where its records are kept, what its tenants share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentSpec {
    #[serde(default)]
    pub source: Source,
    #[serde(default)]
    pub records: Records,
    #[serde(default)]
    pub defaults: Defaults,
    /// The catalogue of apps that a platform may switch on; any other name is an error.
    #[serde(default)]
    pub apps: BTreeMap<String, AppSpec>,
    /// Named layers of values and rules that tenants share.
    #[serde(default)]
    pub classes: BTreeMap<String, Class>,
    #[serde(default)]
    pub health: Health,
    #[serde(default)]
    pub policies: Policies,
    #[serde(default)]
    pub secrets: Secrets,
    /// Who is told how rollouts go, by a name of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub announce: BTreeMap<String, Announce>,
    /// Who may ask for what in chat. Without it nobody may anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Chat>,
}

/// Which commits may be rolled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Source {
    /// Only commits of this branch are rolled out.
    pub branch: String,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            branch: "main".to_owned(),
        }
    }
}

/// Where records of rollouts are kept, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Records {
    /// The cluster that keeps the rollout records. Default: the first cluster by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    pub keep: Keep,
}

/// How many bundles each tenant keeps to go back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Keep {
    /// The newest good bundles, by number.
    pub releases: u32,
    /// And those of so many days. The hub keeps rollouts and people's words as long, and the newest 50 rollouts in any case.
    pub days: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            releases: 20,
            days: 7,
        }
    }
}

/// What a tenant has that says nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Defaults {
    /// The folder below `templates/` that tenants are rendered from.
    pub bundle: String,
    pub updates: Updates,
    /// The lowest layer of values.
    pub values: Values,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            bundle: "platform".to_owned(),
            updates: Updates::default(),
            values: Values::new(),
        }
    }
}

/// One app of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AppSpec {
    /// Whether clients pay for it; for reports.
    pub paid: bool,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A named layer of values and rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Class {
    /// Values of every tenant of the class; above the cluster's, below the tenant's.
    pub values: Values,
    pub require: Require,
    pub disclose: Disclose,
}

/// What a cluster must offer to tenants of a class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Require {
    /// Labels that the tenant's cluster must carry.
    pub cluster_labels: BTreeMap<String, String>,
    /// Every Deployment and StatefulSet has at least so many replicas, kept apart in so many zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<u32>,
}

/// What may be shown of tenants of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Disclose {
    /// Whether log lines of its pods may appear in CI, notes and chat.
    pub logs: bool,
}

impl Default for Disclose {
    fn default() -> Self {
        Self { logs: true }
    }
}

/// How health is watched beyond what workloads say of themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Health {
    /// The longest time without a look during a soak.
    pub max_sample_gap: Duration,
    /// Requests made to every domain of every platform whose cluster says where it answers (`ingress.address`).
    pub probes: BTreeMap<String, Probe>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            max_sample_gap: Duration::from_secs(30),
            probes: BTreeMap::new(),
        }
    }
}

/// A request to a platform's domains and what a good answer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Probe {
    pub path: String,
    /// The statuses of a good answer.
    pub status: Vec<u16>,
    /// Text that a good answer contains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The longest time to a good answer.
    pub within: Duration,
    /// A domain that does not answer well for so long has failed, though its workloads are healthy.
    pub fail_after: Duration,
    /// Fewer days than this until the certificate ends is a warning.
    pub certificate_days: u32,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            status: vec![200],
            contains: None,
            within: Duration::from_secs(5),
            fail_after: Duration::from_secs(30),
            certificate_days: 14,
        }
    }
}

/// Rules that every rendered manifest is held to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policies {
    /// Images come only from these registries: a host with an optional path, as
    /// `registry.example.com/platform`. Empty: from anywhere.
    pub registries: Vec<String>,
    /// Whether images must be named by digest.
    pub digests: bool,
    /// Cluster-scoped kinds that templates may render beside the tenant's Namespace.
    pub cluster_scoped: Vec<String>,
    /// What a container without requests and limits is.
    pub resources: Strictness,
    /// What a field that Kubernetes does not know is.
    pub unknown_fields: Strictness,
    pub certificates: CertificatePolicy,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            registries: Vec::new(),
            digests: false,
            cluster_scoped: Vec::new(),
            resources: Strictness::Warn,
            unknown_fields: Strictness::Error,
            certificates: CertificatePolicy::default(),
        }
    }
}

/// Rules for certificates, which `check --secrets` looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CertificatePolicy {
    /// Fewer days than this until the end is a mistake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_days: Option<u32>,
}

/// What breaking a rule is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Strictness {
    /// Not looked at. (Not `off`, which YAML reads as `false`.)
    Ignore,
    /// Told, and gone on.
    #[default]
    Warn,
    /// A mistake: nothing is rolled out.
    Error,
}

/// The images of a release by the name that templates use: the one file a release bot changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct VersionsSpec {
    pub images: BTreeMap<String, String>,
}
