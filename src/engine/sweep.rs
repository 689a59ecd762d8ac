//! Collects bundles that nobody can ask for any more.

use jiff::Timestamp;

use super::store;
use crate::cluster::{CallError, Cluster, Kind, Preconditions, Within};
use crate::manifest::Live;
use crate::record::{self, NAMESPACE, StoredPart, TenantRecord};

/// Deletes the parts of bundles that no record of the cluster names and that are older than a day.
/// Answers how many. A record that cannot be read may name any of them: then all stay.
pub async fn sweep(cluster: &Cluster, now: Timestamp) -> Result<usize, CallError> {
    let writer = cluster.writer();
    // Parts first: what is named since then is young, or was named before.
    let within = Within::Namespace(NAMESPACE);
    let selector = record::bundle_selector();
    let parts = writer
        .list_metadata(&Kind::config_map(), within, Some(&selector))
        .await?;
    let found = store::tenants(writer.reader()).await?;
    let records: Result<Vec<TenantRecord>, _> = found
        .into_iter()
        .map(|found| found.record.map(|stored| stored.value))
        .collect();
    let Ok(records) = records else { return Ok(0) };
    let stored: Vec<StoredPart> = parts.iter().filter_map(stored_part).collect();
    let unreferenced = record::unreferenced_parts(&stored, &records, now);
    let mut deleted = 0;
    for part in parts
        .iter()
        .filter(|part| unreferenced.contains(&part.object().name))
    {
        let meant = Preconditions {
            uid: part.uid().to_owned(),
            resource_version: None,
        };
        match writer.delete(part.object(), &meant, None).await {
            Ok(_) => deleted += 1,
            Err(CallError::Gone(_) | CallError::Stale(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(deleted)
}

/// `None` for what does not look like a part of ours: it stays.
fn stored_part(part: &Live) -> Option<StoredPart> {
    let name = part.object().name.clone();
    let created = part.value().pointer("/metadata/creationTimestamp")?;
    Some(StoredPart {
        bundle: record::bundle_of_part(&name)?,
        created: created.as_str()?.parse().ok()?,
        name,
    })
}
