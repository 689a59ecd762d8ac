//! What a fleet is watched with: all that is on record at one time, and what could not be read.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::clock::Clock;
use super::clusters::Clusters;
use super::records::Records;
use super::store;
use super::survey::{Latest, conducted, latest};
use super::words;
use crate::error::UserError;
use crate::record::{RolloutRecord, TenantRecord, Verb, Word};
use crate::rollout::{Conducted, HubSight, Sight, Stall};

/// Everything that is on record. Holds no writer.
pub struct Reading {
    pub environment: String,
    pub at: Timestamp,
    pub records: Records,
    pub hub: Result<HubReading, UserError>,
}

/// What the hub has on record.
pub struct HubReading {
    pub latest: Latest,
    pub conducted: Conducted,
    /// What was said to the rollout since it is in its state, oldest first.
    pub said: Vec<Word>,
}

/// Something that could not be read: whatever it would have told is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unread {
    pub what: String,
    pub why: String,
}

/// Reads hub and clusters, each for itself: whoever does not answer keeps nobody else from being read.
pub async fn reading(clusters: &Clusters, environment: &str, clock: Clock) -> Reading {
    let records = Records::read(clusters, environment).await;
    let hub = hub(clusters, environment, clock).await;
    Reading {
        environment: environment.to_owned(),
        at: clock.now(),
        records,
        hub,
    }
}

async fn hub(
    clusters: &Clusters,
    environment: &str,
    clock: Clock,
) -> Result<HubReading, UserError> {
    let hub = clusters.hub()?;
    let latest = latest(clusters, environment).await?;
    let words = store::words(&hub.reader(), environment).await;
    let words = words.map_err(|trouble| trouble.advise(hub.name()))?;
    Ok(HubReading {
        said: said(&words, latest.rollout.as_ref()),
        latest,
        conducted: conducted(clusters, environment, clock).await?,
    })
}

fn said(words: &[Word], rollout: Option<&RolloutRecord>) -> Vec<Word> {
    let about = rollout.map(|rollout| (rollout.since, words::about(words, rollout)));
    let (since, about) = about.unwrap_or_default();
    let is_new = |word: &&Word| {
        word.at >= since && matches!(word.verb, Verb::Pause | Verb::Resume | Verb::Abort)
    };
    about.into_iter().filter(is_new).cloned().collect()
}

impl Reading {
    /// What stands still, as far as could be read.
    pub fn stalls(&self, patience: SignedDuration) -> Vec<Stall> {
        let hub = self.hub.as_ref().ok().map(|hub| HubSight {
            rollout: hub.latest.rollout.as_ref(),
            queued: &hub.latest.queued,
            conducted: &hub.conducted,
            said: hub.said.last(),
        });
        let sight = Sight {
            environment: &self.environment,
            now: self.at,
            patience,
            hub,
            tenants: self.tenants().collect(),
        };
        sight.stalls()
    }

    pub fn tenants(&self) -> impl Iterator<Item = &TenantRecord> {
        self.records.iter().map(|stored| &stored.value)
    }

    /// What could not be read. Absence of evidence is not success.
    pub fn unread(&self) -> Vec<Unread> {
        let hub = self.hub.as_ref().err().map(|error| Unread {
            what: "the hub does not answer, so rollouts are not known".to_owned(),
            why: error.to_string(),
        });
        let clusters = self.records.unreachable().map(|(cluster, why)| Unread {
            what: format!("cluster `{cluster}` does not answer"),
            why: why.to_owned(),
        });
        let records = self.records.unreadable();
        let records = records.map(|(cluster, namespace, error)| Unread {
            what: format!("`{namespace}` on `{cluster}`"),
            why: error.to_string(),
        });
        hub.into_iter().chain(clusters).chain(records).collect()
    }
}
