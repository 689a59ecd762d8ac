//! `kind: Tenant` and `kind: Platform`: one namespace, and the clients' sites inside it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Day, Values};

/// One namespace on one cluster: the smallest thing that is rolled out, held or rolled back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantSpec {
    /// The cluster it lives on.
    pub cluster: String,
    /// Default: the tenant's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// One of the environment's classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Tenants that serve one client together: never two of a group in flight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Tenants that go first, of any group or none: what it depends on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// The folder below `templates/`. Default: the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// Whether releases come by themselves. Default: the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<Updates>,
    /// Values of this tenant; above the class's.
    #[serde(default)]
    pub values: Values,
    /// The platforms inside, by name; or one `kind: Platform` file each, in the tenant's folder.
    #[serde(default)]
    pub platforms: BTreeMap<String, PlatformSpec>,
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// The last day on which a leaving tenant stays: `2027-06-30`. A rollout of a later day may remove it; without one, none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    pub delete_after: Option<String>,
}

impl TenantSpec {
    /// The last day on which it stays, if it leaves. One that the calendar does not have is told as a mistake.
    pub fn last_day(&self) -> Option<Day> {
        self.delete_after.as_ref()?.parse().ok()
    }
}

/// Whether a tenant takes releases by itself.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Updates {
    /// With every rollout.
    #[default]
    Automatic,
    /// Once somebody approved what it would get.
    OnApproval,
    /// When it is named, or once somebody approved.
    OnRequest,
}

/// Whether a tenant is here to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Lifecycle {
    #[default]
    Active,
    /// Rollouts do not change it any more; after `deleteAfter` one removes it.
    Leaving,
}

/// One client's site inside a tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlatformSpec {
    /// Whose site it is; `client=NAME` selects by it.
    pub client: String,
    /// The primary domain.
    pub domain: String,
    /// Other domains that lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The apps switched on, from the environment's catalogue, each with settings of its own.
    #[serde(default)]
    pub apps: BTreeMap<String, Values>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The highest layer of values; seen as `platform.values`.
    #[serde(default)]
    pub values: Values,
}

/// The platform's own certificate; without one it uses what the cluster offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tls {
    /// An encrypted file in the repository with certificate and key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<String>,
    /// A Secret that is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_name: Option<String>,
}
