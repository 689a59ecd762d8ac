//! A context that answers as another cluster than recorded is refused before anything is written.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::clusters::Clusters;
use super::store::{self, Trouble};
use crate::cluster::{CallError, Reader, Writer};
use crate::error::UserError;
use crate::record::ClusterRecord;

/// Clusters that nobody has written to yet, by name, each with its identity.
pub type Newcomers = BTreeMap<String, String>;

/// Compares every cluster that answers with what the hub has noted of it.
pub async fn verify(clusters: &Clusters, hub: &Reader) -> Result<Newcomers, Trouble> {
    let noted = store::clusters(hub).await?;
    let identities = clusters
        .ask(|cluster| async move { cluster.identity().await })
        .await;
    let mut newcomers = Newcomers::new();
    for (name, answer) in identities {
        // What does not answer is not written to either.
        let Ok(found) = answer else { continue };
        match noted.get(&name) {
            None => {
                newcomers.insert(name, found);
            }
            Some(recorded) if recorded.uid == found => {}
            Some(recorded) => return Err(Trouble::Record(stranger(recorded, &found))),
        }
    }
    Ok(newcomers)
}

/// Notes clusters that are about to be written to for the first time.
pub async fn note(hub: &Writer, newcomers: &Newcomers, now: Timestamp) -> Result<(), CallError> {
    for (cluster, uid) in newcomers {
        let record = ClusterRecord {
            cluster: cluster.clone(),
            uid: uid.clone(),
            since: now,
        };
        store::note_cluster(hub, &record).await?;
    }
    Ok(())
}

fn stranger(recorded: &ClusterRecord, found: &str) -> UserError {
    UserError::new(format!(
        "the context of cluster `{}` answers as another cluster: its `kube-system` has uid {found}, recorded on {} is {}",
        recorded.cluster, recorded.since, recorded.uid
    ))
    .hint("has the context been pointed elsewhere? nothing was written")
    .hint(format!(
        "if the cluster was built anew: delete ConfigMap `{}` in `{}` on the hub",
        crate::record::cluster_name(&recorded.cluster),
        crate::record::NAMESPACE
    ))
}
