//! A context that answers as another cluster than recorded is refused before anything is written.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::clusters::Clusters;
use super::store::{self, Trouble};
use crate::cluster::{CallError, Reader, Writer};
use crate::error::UserError;
use crate::record::{ClusterRecord, Rebuilt, Stored};

/// Clusters that nobody has written to yet, by name, each with its identity.
pub type Newcomers = BTreeMap<String, String>;

/// What the clusters answered as.
#[derive(Default)]
pub struct Identities {
    pub newcomers: Newcomers,
    pub instead: Option<Instead>,
}

/// What answers in place of a cluster that is to be rebuilt.
pub struct Instead {
    pub uid: String,
    /// What the hub has noted of the name.
    pub recorded: Option<Stored<ClusterRecord>>,
}

/// Compares every cluster that answers with what the hub has noted of it. The one that is `lost` may be another now.
pub async fn verify(
    clusters: &Clusters,
    hub: &Reader,
    lost: Option<&str>,
) -> Result<Identities, Trouble> {
    let noted = store::clusters(hub).await?;
    let identities = clusters
        .ask(|cluster| async move { cluster.identity().await })
        .await;
    let mut found_all = Identities::default();
    for (name, answer) in identities {
        // What does not answer is not written to either.
        let Ok(found) = answer else { continue };
        let recorded = noted.get(&name);
        if lost == Some(name.as_str()) {
            found_all.instead = Some(Instead {
                uid: found,
                recorded: recorded.cloned(),
            });
            continue;
        }
        match recorded {
            None => {
                found_all.newcomers.insert(name, found);
            }
            Some(recorded) if recorded.value.uid == found => {}
            // Several may be lost together: a rebuild writes to its own cluster only.
            Some(_) if lost.is_some() => {}
            Some(recorded) => return Err(Trouble::Record(stranger(&recorded.value, &found))),
        }
    }
    Ok(found_all)
}

/// Notes the cluster that is there in place of a lost one. To note it twice is the same as once.
pub async fn replace(
    hub: &Writer,
    rebuilt: &Rebuilt,
    recorded: Option<&Stored<ClusterRecord>>,
    now: Timestamp,
) -> Result<(), CallError> {
    let record = ClusterRecord {
        cluster: rebuilt.cluster.clone(),
        uid: rebuilt.uid.clone(),
        since: now,
    };
    match recorded {
        Some(recorded) if recorded.value.uid == rebuilt.uid => Ok(()),
        Some(recorded) => store::replace_cluster(hub, &record, &recorded.resource_version).await,
        None => store::note_cluster(hub, &record).await,
    }
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
        "if the old one is lost and this one is to get what ran there: `escale rollout --rebuild {} --reason WHY`",
        recorded.cluster
    ))
    .hint(format!(
        "if its tenants are to begin anew, with the newest release: delete ConfigMap `{}` in `{}` on the hub",
        crate::record::cluster_name(&recorded.cluster),
        crate::record::NAMESPACE
    ))
}
