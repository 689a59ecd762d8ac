//! What the clusters say that runs: records, stored bundles, people's words. Holds readers only.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::gates;
use super::today::{From, Known, Today};
use crate::cluster::{CallError, Item, Kind, Reader, Within};
use crate::engine::{Bundles, Clusters, store};
use crate::error::UserError;
use crate::fleet::{Fleet, Tenant};
use crate::manifest::Digest;
use crate::record::{
    self, CLAIM_MARGIN, NAMESPACE, PackedBundle, RolloutState, TenantRecord, Word,
};

/// The clusters of a fleet, to be asked and nothing else: whoever holds this cannot write.
pub struct Readers {
    hub: Option<String>,
    by_name: BTreeMap<String, Reader>,
    /// Clusters to which there is no way, and why.
    failed: BTreeMap<String, UserError>,
}

/// Why what runs is not told by the clusters.
pub enum NotLive {
    /// Not one of them answers.
    Silent(String),
    /// They do, and something else is wrong.
    Wrong(UserError),
}

/// How much is read at a time: a list of tenants for each cluster, bundles some at a time.
const AT_A_TIME: usize = 64;

impl Readers {
    pub fn of(clusters: &Clusters) -> Self {
        let readers = clusters.iter().map(|cluster| {
            let name = cluster.name().to_owned();
            (name, cluster.reader())
        });
        Self {
            hub: clusters.hub.clone(),
            by_name: readers.collect(),
            failed: clusters.failed.clone(),
        }
    }

    /// Reads what runs. A cluster that does not answer stays unreachable in the rehearsal.
    pub async fn today(&self, fleet: &Fleet, now: Timestamp) -> Result<Today, NotLive> {
        let environment = &fleet.environment.name;
        let mut reading = Reading::default();
        let mut silent = self.failed.clone();
        for (cluster, answer) in self.lists(&record::selector("tenant")).await {
            match answer {
                Ok(values) => reading.take_in(&cluster, environment, values),
                Err(error) => {
                    silent.insert(cluster.clone(), error.advise(&cluster));
                }
            }
        }
        if reading.answered == 0 {
            let (_, error) = silent.pop_first().expect("a fleet has a cluster");
            return Err(NotLive::Silent(error.to_string()));
        }
        let hub = self.hub(&silent).map_err(NotLive::Wrong)?;
        self.read_hub(hub, environment, &mut reading)
            .await
            .map_err(|trouble| NotLive::Wrong(trouble.advise(hub)))?;
        self.read_bundles(&mut reading).await;
        reading.known.unreachable = silent.into_keys().collect();
        Ok(reading.today(fleet, now))
    }

    /// As a rollout would: without the hub it does not begin.
    fn hub(&self, silent: &BTreeMap<String, UserError>) -> Result<&str, UserError> {
        let Some(hub) = &self.hub else {
            return Err(UserError::new(
                "the environment has no cluster that could keep its records",
            )
            .hint("name one: `records: {hub: NAME}` in environment.yaml"));
        };
        match silent.get(hub) {
            None => Ok(hub),
            Some(error) => Err(error
                .clone()
                .hint("the hub does not answer, others do: `--against REV` rehearses from git")),
        }
    }

    async fn lists(&self, selector: &str) -> Vec<(String, Result<Vec<Value>, CallError>)> {
        let lists = self.by_name.iter().map(|(name, reader)| async move {
            let answer = listed(reader, selector).await;
            (name.clone(), answer)
        });
        join_all(lists).await
    }

    /// Rollouts, their plans and people's words: by them it is known what is good, and what must not go forward.
    async fn read_hub(
        &self,
        hub: &str,
        environment: &str,
        reading: &mut Reading,
    ) -> Result<(), store::Trouble> {
        let reader = &self.by_name[hub];
        let of = |record| {
            let sort = record::selector(record);
            format!("{sort},escale.dev/environment={environment}")
        };
        for plan in listed(reader, &of("plan")).await? {
            reading.copy(hub, plan);
        }
        for rollout in store::rollouts(reader, environment).await? {
            let mut rollout = rollout.record?.value;
            if !rollout.state.is_over() {
                reading.notes.push(format!(
                    "rollout {} is open: the rehearsal begins a new one in its place",
                    rollout.id
                ));
                rollout.state = RolloutState::Superseded;
            }
            reading.moments.push(rollout.since);
            reading.copy(hub, record::encode_rollout(&rollout, None));
        }
        for word in store::words(reader, environment).await? {
            if gates::is_freeze(&word) {
                continue;
            }
            reading.moments.extend(moments_of_word(&word));
            reading.copy(hub, record::encode_word(&word));
        }
        Ok(())
    }

    /// What each tenant runs, and what it would go back to.
    async fn read_bundles(&self, reading: &mut Reading) {
        let records = reading.known.records.clone();
        for some in records.chunks(AT_A_TIME) {
            let read = some.iter().map(|record| async move {
                let reader = &self.by_name[&record.cluster];
                let mut bundles = Vec::new();
                for digest in asked(record) {
                    let bundle = store::bundle(reader, digest).await;
                    bundles.push(bundle.map_err(|trouble| trouble.advise(&record.cluster)));
                }
                (record, bundles)
            });
            for (record, bundles) in join_all(read).await {
                for bundle in bundles {
                    reading.take_bundle(record, bundle);
                }
            }
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    answered: usize,
    known: Known,
    bundles: Bundles,
    copied: BTreeSet<(String, String)>,
    /// Everything that has a time.
    moments: Vec<Timestamp>,
    notes: Vec<String>,
}

impl Reading {
    /// Records that cannot be read are copied as they are: a rollout leaves their tenants out.
    fn take_in(&mut self, cluster: &str, environment: &str, values: Vec<Value>) {
        self.answered += 1;
        for value in values {
            match record::decode_tenant(&value) {
                Ok(stored) if stored.value.environment == environment => {
                    self.moments.extend(moments_of(&stored.value));
                    self.known.records.push(stored.value);
                }
                Ok(_) | Err(_) => self.copy(cluster, value),
            }
        }
    }

    fn take_bundle(&mut self, record: &TenantRecord, bundle: Result<PackedBundle, UserError>) {
        let tenant = &record.tenant;
        match bundle {
            Ok(bundle) if record.digest.as_ref() == Some(bundle.digest()) => {
                self.bundles.insert(tenant.clone(), Ok(bundle));
            }
            Ok(bundle) => {
                for part in bundle.parts() {
                    self.copy(&record.cluster, part);
                }
            }
            Err(error) => self.notes.push(format!("`{tenant}`: {error}")),
        }
    }

    /// The same object, without what its cluster added.
    fn copy(&mut self, cluster: &str, mut value: Value) {
        let name = value["metadata"]["name"].as_str().unwrap_or_default();
        if !self.copied.insert((cluster.to_owned(), name.to_owned())) {
            return;
        }
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.retain(|key, _| {
                ["name", "namespace", "labels", "annotations"].contains(&key.as_str())
            });
        }
        self.known.objects.push((cluster.to_owned(), value));
    }

    fn today(self, fleet: &Fleet, now: Timestamp) -> Today {
        let mut planted = fleet.clone();
        let runs = |tenant: &Tenant| {
            let mut records = self.known.records.iter();
            records.any(|record| {
                record.tenant == tenant.name
                    && record.cluster == tenant.cluster
                    && record.namespace == tenant.namespace
            })
        };
        planted
            .tenants
            .retain(|tenant| self.bundles.contains_key(&tenant.name) && runs(tenant));
        let passed = self.moments.iter().filter(|moment| **moment <= now);
        Today {
            described: "the live fleet".to_owned(),
            from: From::Clusters,
            fleet: planted,
            bundles: self.bundles,
            release: String::new(),
            // What has passed now has passed then, and nothing else: so the same fleet is rehearsed at the same time,
            // and tells the same.
            now: passed
                .max()
                .map_or(now, |last| *last + SignedDuration::from_secs(1)),
            known: self.known,
            notes: self.notes,
        }
    }
}

/// What a tenant runs, and its last good bundle where that is another.
fn asked(record: &TenantRecord) -> BTreeSet<&Digest> {
    let good = record.last_good().map(|good| &good.digest);
    record.digest.iter().chain(good).collect()
}

fn moments_of(record: &TenantRecord) -> Vec<Timestamp> {
    let claim = record.claim.as_ref();
    let moments = [
        Some(record.since),
        record.good_from,
        record.hold.as_ref().map(|hold| hold.since),
        record.hold.as_ref().and_then(|hold| hold.expires),
        claim.map(|claim| claim.since),
        claim.and_then(|claim| claim.deadline.checked_add(CLAIM_MARGIN).ok()),
    ];
    moments.into_iter().flatten().collect()
}

fn moments_of_word(word: &Word) -> impl Iterator<Item = Timestamp> {
    [Some(word.at), word.expires].into_iter().flatten()
}

async fn listed(reader: &Reader, selector: &str) -> Result<Vec<Value>, CallError> {
    let within = Within::Namespace(NAMESPACE);
    let items = reader
        .list_items(&Kind::config_map(), within, Some(selector))
        .await?;
    items.iter().map(Item::value).collect()
}
