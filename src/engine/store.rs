//! Our records on one cluster: read, and changed by compare-and-swap.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::{CallError, Depth, Item, Kind, Preconditions, Reader, Within, Writer};
use crate::error::UserError;
use crate::manifest::{Digest, ObjectRef};
use crate::record::{
    self, ClusterRecord, NAMESPACE, PackedBundle, PlanLine, RolloutRecord, RosterShard,
    RosterWrite, Stored, TenantRecord, Word,
};

/// A record, or why it cannot be read, with the name of the object that keeps it.
pub struct Found<T> {
    pub name: String,
    pub record: Result<T, UserError>,
}

/// Why a record was not got.
#[derive(Debug)]
pub enum Trouble {
    /// The cluster did not answer as it should.
    Call(CallError),
    /// What is stored there is damaged or too new.
    Record(UserError),
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<UserError> for Trouble {
    fn from(error: UserError) -> Self {
        Self::Record(error)
    }
}

impl Trouble {
    /// Whether the cluster, not what was asked of it, is the trouble.
    pub fn is_of_the_cluster(&self) -> bool {
        matches!(self, Self::Call(error) if error.is_of_the_cluster())
    }

    /// The trouble as advice for a person.
    pub fn advise(self, cluster: &str) -> UserError {
        match self {
            Self::Call(error) => error.advise(cluster),
            Self::Record(error) => error,
        }
    }
}

/// All tenant records of a cluster, those of other environments among them.
pub async fn tenants(reader: &Reader) -> Result<Vec<Found<Stored<TenantRecord>>>, CallError> {
    let values = list(reader, &record::selector("tenant")).await?;
    let found = values.iter().map(|value| Found {
        name: name_of(value),
        record: record::decode_tenant(value),
    });
    Ok(found.collect())
}

/// The record of the tenant in a namespace.
pub async fn tenant(
    reader: &Reader,
    namespace: &str,
) -> Result<Option<Stored<TenantRecord>>, Trouble> {
    match reader.config_map(NAMESPACE, namespace).await? {
        Some(value) => Ok(Some(record::decode_tenant(&value)?)),
        None => Ok(None),
    }
}

/// Stores a tenant's record in place of `before`, or as its first.
pub async fn swap_tenant(
    writer: &Writer,
    after: &TenantRecord,
    before: Option<&Stored<TenantRecord>>,
) -> Result<Stored<TenantRecord>, Trouble> {
    let version = before.map(|stored| stored.resource_version.as_str());
    let value = record::encode_tenant(after, version);
    let stored = match before {
        Some(_) => writer.replace(&value).await?,
        None => writer.create(&value).await?,
    };
    Ok(record::decode_tenant(&stored)?)
}

/// Removes the record of a tenant of which nothing is left to do; `Stale` if it was changed.
pub async fn delete_tenant(
    writer: &Writer,
    stored: &Stored<TenantRecord>,
) -> Result<(), CallError> {
    let meant = Preconditions {
        uid: stored.uid.clone(),
        resource_version: Some(stored.resource_version.clone()),
    };
    let object = record_of(&stored.value.namespace);
    match writer.delete(&object, &meant, None).await {
        Ok(_) | Err(CallError::Gone(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn record_of(name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "v1".to_owned(),
        kind: "ConfigMap".to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
        name: name.to_owned(),
    }
}

/// Makes sure that a bundle is stored. Parts are immutable and named by content, so one that is
/// there already is the one.
pub async fn put_bundle(writer: &Writer, bundle: &PackedBundle) -> Result<(), CallError> {
    for part in &bundle.parts() {
        match writer.create(part).await {
            Ok(_) | Err(CallError::Exists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a bundle back, its digest checked.
pub async fn bundle(reader: &Reader, digest: &Digest) -> Result<PackedBundle, Trouble> {
    let first = part(reader, digest, 0).await?;
    let count = record::count_of_parts(&first)?;
    let mut parts = vec![first];
    for index in 1..count {
        parts.push(part(reader, digest, index).await?);
    }
    Ok(record::decode_bundle(digest, &parts)?)
}

async fn part(reader: &Reader, digest: &Digest, index: usize) -> Result<Value, Trouble> {
    let names = record::part_names(digest, index + 1);
    let name = &names[index];
    let found = reader.config_map(NAMESPACE, name).await?;
    found.ok_or_else(|| {
        Trouble::Record(
            UserError::new(format!(
                "bundle `{digest}` is not stored any more: `{name}` is missing"
            ))
            .hint("roll out the commit it came from instead"),
        )
    })
}

/// Stores the plan's shards, then the record of a rollout that starts.
pub async fn create_rollout(
    hub: &Writer,
    rollout: &RolloutRecord,
    lines: &[PlanLine],
) -> Result<Stored<RolloutRecord>, Trouble> {
    for shard in record::encode_plan(rollout, lines) {
        hub.create(&shard).await?;
    }
    let stored = hub.create(&record::encode_rollout(rollout, None)).await?;
    Ok(record::decode_rollout(&stored)?)
}

pub async fn replace_rollout(
    hub: &Writer,
    rollout: &RolloutRecord,
    version: &str,
) -> Result<Stored<RolloutRecord>, Trouble> {
    let stored = hub
        .replace(&record::encode_rollout(rollout, Some(version)))
        .await?;
    Ok(record::decode_rollout(&stored)?)
}

/// Removes the record of a rollout that never began.
pub async fn delete_rollout(hub: &Writer, id: &str) -> Result<(), CallError> {
    let name = record::rollout_name(id);
    let Some(found) = hub.reader().config_map(NAMESPACE, &name).await? else {
        return Ok(());
    };
    let text = |path: &str| {
        found
            .pointer(path)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let meant = Preconditions {
        uid: text("/metadata/uid").unwrap_or_default(),
        resource_version: text("/metadata/resourceVersion"),
    };
    let object = record_of(&name);
    hub.delete(&object, &meant, None).await.map(|_| ())
}

/// The rollouts of an environment, oldest first.
pub async fn rollouts(
    hub: &Reader,
    environment: &str,
) -> Result<Vec<Found<Stored<RolloutRecord>>>, CallError> {
    let selector = format!(
        "{},escale.dev/environment={environment}",
        record::selector("rollout")
    );
    let values = list(hub, &selector).await?;
    let mut found: Vec<Found<Stored<RolloutRecord>>> = values
        .iter()
        .map(|value| Found {
            name: name_of(value),
            record: record::decode_rollout(value),
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The frozen plan of a rollout.
pub async fn plan(hub: &Reader, rollout: &RolloutRecord) -> Result<Vec<PlanLine>, Trouble> {
    let shards = list(hub, &record::plan_selector(&rollout.id)).await?;
    Ok(record::decode_plan(rollout, &shards)?)
}

/// Everything people said in an environment. A word that cannot be read is an error: it may be the
/// one that stops us.
pub async fn words(hub: &Reader, environment: &str) -> Result<Vec<Word>, Trouble> {
    Ok(words_by_name(hub, environment)
        .await?
        .into_values()
        .collect())
}

/// The same, by the names of their objects. A name is made from what a word says: under one name stands one word.
pub async fn words_by_name(
    hub: &Reader,
    environment: &str,
) -> Result<BTreeMap<String, Word>, Trouble> {
    let values = list(hub, &words_selector(environment)).await?;
    let words: Result<BTreeMap<String, Word>, UserError> = values
        .iter()
        .map(|value| Ok((name_of(value), record::decode_word(value)?)))
        .collect();
    Ok(words?)
}

/// Their names alone.
pub async fn word_names(hub: &Reader, environment: &str) -> Result<BTreeSet<String>, CallError> {
    let (kind, within) = (Kind::config_map(), Within::Namespace(NAMESPACE));
    let selector = words_selector(environment);
    let pages = hub.list_pages(&kind, within, Some(&selector), Depth::Metadata);
    let mut names = BTreeSet::new();
    for page in pages.await? {
        names.extend(page.read()?.iter().map(|item| item.name().to_owned()));
    }
    Ok(names)
}

/// One of them; `None` if it is gone.
pub async fn word(hub: &Reader, name: &str) -> Result<Option<Word>, Trouble> {
    let value = hub.config_map(NAMESPACE, name).await?;
    Ok(value.as_ref().map(record::decode_word).transpose()?)
}

/// Finds what people said in an environment.
pub fn words_selector(environment: &str) -> String {
    let kind = record::selector("word");
    format!("{kind},escale.dev/environment={environment}")
}

pub async fn say(hub: &Writer, word: &Word) -> Result<(), CallError> {
    hub.ensure_namespace(NAMESPACE).await?;
    match hub.create(&record::encode_word(word)).await {
        Ok(_) | Err(CallError::Exists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is noted of clusters, by name.
pub async fn clusters(hub: &Reader) -> Result<BTreeMap<String, Stored<ClusterRecord>>, Trouble> {
    let values = list(hub, &record::selector("cluster")).await?;
    let mut clusters = BTreeMap::new();
    for value in &values {
        let record = record::decode_cluster(value)?;
        clusters.insert(record.value.cluster.clone(), record);
    }
    Ok(clusters)
}

/// Notes a cluster; who came first wins.
pub async fn note_cluster(hub: &Writer, record: &ClusterRecord) -> Result<(), CallError> {
    match hub.create(&record::encode_cluster(record, None)).await {
        Ok(_) | Err(CallError::Exists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Notes that another cluster is behind a name now; `Stale` if somebody noted something meanwhile.
pub async fn replace_cluster(
    hub: &Writer,
    record: &ClusterRecord,
    version: &str,
) -> Result<(), CallError> {
    let value = record::encode_cluster(record, Some(version));
    hub.replace(&value).await.map(|_| ())
}

/// What the hub remembers of the tenants of all clusters.
pub async fn roster(hub: &Reader, environment: &str) -> Result<Vec<Stored<RosterShard>>, Trouble> {
    let values = list(hub, &record::roster_selector(environment)).await?;
    let shards: Result<Vec<_>, UserError> = values.iter().map(record::decode_roster).collect();
    Ok(shards?)
}

/// Writes a shard of the roster; `Stale` or `Exists` if somebody did meanwhile.
pub async fn write_roster(hub: &Writer, write: &RosterWrite) -> Result<(), CallError> {
    let value = record::encode_roster(&write.shard, write.replaces.as_deref());
    let written = match write.replaces {
        Some(_) => hub.replace(&value).await,
        None => hub.create(&value).await,
    };
    written.map(|_| ())
}

async fn list(reader: &Reader, selector: &str) -> Result<Vec<Value>, CallError> {
    let within = Within::Namespace(NAMESPACE);
    let items = reader
        .list_items(&Kind::config_map(), within, Some(selector))
        .await?;
    items.iter().map(Item::value).collect()
}

fn name_of(value: &Value) -> String {
    let name = value.pointer("/metadata/name").and_then(Value::as_str);
    name.unwrap_or_default().to_owned()
}
