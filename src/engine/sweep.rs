//! Collects bundles that nobody can ask for any more, and what the hub need not remember.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::store;
use super::survey::Survey;
use crate::cluster::{CallError, Cluster, Kind, Preconditions, Reader, Within, Writer};
use crate::manifest::Live;
use crate::record::{self, Forgettable, Keep, Memory, NAMESPACE, StoredPart, TenantRecord};

/// Deletes the parts of bundles that no record of the cluster names and that are older than a day.
/// Answers how many. A record that cannot be read may name any of them: then all stay.
pub async fn sweep(cluster: &Cluster, now: Timestamp) -> Result<usize, CallError> {
    let writer = cluster.writer();
    // Parts first: what is named since then is young, or was named before.
    let parts = listed(&writer, &record::bundle_selector()).await?;
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
        deleted += usize::from(delete(&writer, part).await?);
    }
    Ok(deleted)
}

/// What the hub need not remember, as far as the survey tells. A cluster that does not answer, or a record that cannot be
/// read, may name any rollout: then all stay.
pub fn forgettable(survey: &Survey, keep: Keep, now: Timestamp) -> Forgettable {
    let records = &survey.records;
    if records.unreachable().next().is_some() || records.unreadable().next().is_some() {
        return Forgettable::default();
    }
    let memory = Memory {
        rollouts: survey.rollouts.iter().map(|stored| &stored.value).collect(),
        words: &survey.words,
        last_words: &survey.last_words,
        tenants: records.iter().map(|stored| &stored.value).collect(),
        keep,
    };
    memory.forgettable(now)
}

/// Deletes it from the hub. A rollout's plan goes first: killed after that, its record is still there to be deleted.
/// Answers how many objects went.
pub async fn forget(
    hub: &Writer,
    environment: &str,
    forgettable: &Forgettable,
) -> Result<usize, CallError> {
    let Forgettable { rollouts, words } = forgettable;
    let mut deleted = 0;
    if !rollouts.is_empty() {
        let mut objects = listed(hub, &record::rollouts_selector(rollouts)).await?;
        let ends: BTreeSet<String> = rollouts.iter().map(|id| record::rollout_name(id)).collect();
        objects.sort_by_key(|object| ends.contains(&object.object().name));
        for object in &objects {
            deleted += usize::from(delete(hub, object).await?);
        }
    }
    if !words.is_empty() {
        let objects = listed(hub, &store::words_selector(environment)).await?;
        let by_name = objects.iter().map(|object| (&object.object().name, object));
        let by_name: BTreeMap<&String, &Live> = by_name.collect();
        for object in words.iter().filter_map(|name| by_name.get(name)) {
            deleted += usize::from(delete(hub, object).await?);
        }
    }
    Ok(deleted)
}

async fn listed(reader: &Reader, selector: &str) -> Result<Vec<Live>, CallError> {
    let within = Within::Namespace(NAMESPACE);
    let kind = Kind::config_map();
    reader.list_metadata(&kind, within, Some(selector)).await
}

/// Whether it was there.
async fn delete(writer: &Writer, object: &Live) -> Result<bool, CallError> {
    let meant = Preconditions {
        uid: object.uid().to_owned(),
        resource_version: None,
    };
    match writer.delete(object.object(), &meant, None).await {
        Ok(_) => Ok(true),
        Err(CallError::Gone(_) | CallError::Stale(_)) => Ok(false),
        Err(error) => Err(error),
    }
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
