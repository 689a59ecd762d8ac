//! `kind: Cluster`: one Kubernetes API server, how to reach it, what its tenants share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Values;

/// One Kubernetes API server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// The context of the kubeconfig; the *current* context is never used. Default: the cluster's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Where the platforms of its tenants answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// A proxy to reach the API server by: `socks5://`, `http://` or `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// The most requests in flight to this API server.
    #[serde(default = "default_max_requests")]
    #[schemars(range(min = 1, max = 1024))]
    pub max_requests: u32,
    /// Values of every tenant on the cluster; above the environment's, below the class's.
    #[serde(default)]
    pub values: Values,
    #[serde(default)]
    pub records: ClusterRecords,
}

/// Priority and fairness of a default API server gives one client about this many seats.
fn default_max_requests() -> u32 {
    32
}

/// Pages are asked for there, unless an address says otherwise.
const HTTPS: u16 = 443;

/// Where the platforms of a cluster answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ingress {
    /// The address that domains point to, with a port if that is not 443; health probes go straight there.
    pub address: String,
}

impl Ingress {
    /// `203.0.113.10`, `[2001:db8::1]:8443` or `ingress.example.com:8443`, taken apart.
    pub fn host_and_port(&self) -> (String, u16) {
        let text = self.address.as_str();
        let with_port = text.rsplit_once(':').and_then(|(host, port)| {
            let is_whole = !host.contains(':') || host.starts_with('[') && host.ends_with(']');
            Some((host, port.parse().ok()?)).filter(|_| is_whole)
        });
        let (host, port) = with_port.unwrap_or((text, HTTPS));
        (host.trim_matches(['[', ']']).to_owned(), port)
    }
}

/// Where the tenants' records of a cluster are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClusterRecords {
    /// The namespace of our records, for clusters where we may not own `escale-system`.
    pub namespace: String,
}

impl Default for ClusterRecords {
    fn default() -> Self {
        Self {
            namespace: "escale-system".to_owned(),
        }
    }
}
