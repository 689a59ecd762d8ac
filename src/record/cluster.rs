//! Which cluster is behind a name: noted on the hub when a cluster is first written to, so that a
//! context that was pointed elsewhere since is noticed before anything is written there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::UserError;

use super::object::{Reader, Writer};

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

pub fn encode_cluster(record: &ClusterRecord) -> Value {
    Writer::new(RECORD, &cluster_name(&record.cluster))
        .data("cluster", record)
        .finish()
}

pub fn decode_cluster(value: &Value) -> Result<ClusterRecord, UserError> {
    let reader = Reader::new(RECORD, value)?;
    let record: ClusterRecord = reader.required_data("cluster")?;
    if cluster_name(&record.cluster) == reader.name() {
        Ok(record)
    } else {
        Err(reader.corrupt(&format!("it is the record of cluster `{}`", record.cluster)))
    }
}
