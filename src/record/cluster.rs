//! Which cluster is behind a name: noted on the hub when a cluster is first written to, so that a
//! context that was pointed elsewhere since is noticed before anything is written there. Replaced only when a lost
//! cluster is rebuilt.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::UserError;

use super::object::{Reader, Stored, Writer};

const RECORD: &str = "cluster";

/// A cluster, as it was when we first wrote to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRecord {
    /// Its name in the fleet.
    pub cluster: String,
    /// The uid of its namespace `kube-system`.
    pub uid: String,
    pub since: Timestamp,
}

/// The name of a cluster's record: `cluster.NAME`.
pub fn cluster_name(cluster: &str) -> String {
    format!("cluster.{cluster}")
}

/// The `ConfigMap` of a cluster. To change a stored one, give its `resource_version`.
pub fn encode_cluster(record: &ClusterRecord, resource_version: Option<&str>) -> Value {
    let mut value = Writer::new(RECORD, &cluster_name(&record.cluster))
        .data("cluster", record)
        .finish();
    if let Some(version) = resource_version {
        value["metadata"]["resourceVersion"] = version.into();
    }
    value
}

pub fn decode_cluster(value: &Value) -> Result<Stored<ClusterRecord>, UserError> {
    let reader = Reader::new(RECORD, value)?;
    let record: ClusterRecord = reader.required_data("cluster")?;
    if cluster_name(&record.cluster) == reader.name() {
        Ok(reader.stored(record))
    } else {
        Err(reader.corrupt(&format!("it is the record of cluster `{}`", record.cluster)))
    }
}
