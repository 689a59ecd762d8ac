//! What planning knows: records of the clusters, rollouts and words of the hub. Holds no writer.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::always;
use super::clock::Clock;
use super::clusters::Clusters;
use super::departures;
use super::identity::{self, Identities, Instead, Newcomers};
use super::lease::Lease;
use super::moves::{self, Seen};
use super::planning::{self, Circumstances};
use super::rebuild;
use super::records::Records;
use super::rollouts::Order;
use super::soaks::Soaks;
use super::store;
use crate::error::UserError;
use crate::manifest::Digest;
use crate::record::{self, RolloutRecord, RolloutState, Standing, Stored};
use crate::rollout::{Candidate, Conducted, Plan};

/// What the hub and the clusters knew before anything was planned.
pub struct Survey {
    pub records: Records,
    pub soaks: Soaks,
    /// Bundles that must not go forward again, and why.
    pub quarantined: BTreeMap<Digest, String>,
    /// The commits that they belong to.
    pub quarantined_releases: Vec<String>,
    pub rollouts: Vec<Stored<RolloutRecord>>,
    /// Everything that people said, by the names of its objects.
    pub words: BTreeMap<String, record::Word>,
    /// What people said last on everything.
    pub last_words: Standing,
    /// Clusters that the hub has not noted yet.
    pub newcomers: Newcomers,
    /// What answers in place of the cluster that is to be rebuilt.
    pub instead: Option<Instead>,
    /// Where rollouts last saw tenants; looked up only if a cluster does not answer.
    pub seen: Seen,
}

/// Reads what planning needs. Holds no writer.
pub async fn survey(
    clusters: &Clusters,
    environment: &str,
    now: Timestamp,
) -> anyhow::Result<Survey> {
    survey_of(clusters, environment, None, now).await
}

/// The same; the cluster that is `rebuilt` may be another now.
pub async fn survey_of(
    clusters: &Clusters,
    environment: &str,
    rebuilt: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Survey> {
    let hub = clusters.hub()?;
    let reader = hub.reader();
    let advise = |trouble: store::Trouble| trouble.advise(hub.name());
    let Identities { newcomers, instead } = identity::verify(clusters, &reader, rebuilt)
        .await
        .map_err(advise)?;
    let records = Records::read(clusters, environment).await;
    let found = store::rollouts(&reader, environment)
        .await
        .map_err(|error| error.advise(hub.name()))?;
    let rollouts = found
        .into_iter()
        .map(|found| found.record)
        .collect::<Result<Vec<_>, UserError>>()?;
    let words = store::words_by_name(&reader, environment);
    let words = words.await.map_err(advise)?;
    let standing = record::standing(words.values(), now);
    let referenced: BTreeSet<&str> = records
        .iter()
        .filter_map(|stored| stored.value.rollout.as_deref())
        .collect();
    let last = rollouts
        .iter()
        .map(|stored| &stored.value)
        .filter(|rollout| referenced.contains(rollout.id.as_str()));
    let soaks = Soaks::read(&reader, last).await.map_err(advise)?;
    let mut quarantined = BTreeMap::new();
    for word in &standing.quarantines {
        for rollout in rollouts
            .iter()
            .filter(|stored| is_of(&stored.value, &word.scope))
        {
            for line in store::plan(&reader, &rollout.value).await.map_err(advise)? {
                quarantined.extend(line.digest.map(|digest| (digest, word.reason.clone())));
            }
        }
    }
    let is_any_away = records.unreachable().next().is_some();
    let seen = if is_any_away {
        moves::seen(&reader, &rollouts).await.map_err(advise)?
    } else {
        Seen::new()
    };
    Ok(Survey {
        seen,
        records,
        soaks,
        quarantined,
        quarantined_releases: standing
            .quarantines
            .iter()
            .filter_map(|word| word.scope.release().map(str::to_owned))
            .collect(),
        rollouts,
        last_words: record::last_words(words.values()),
        words,
        newcomers,
        instead,
    })
}

/// The rollout that is open, else the newest that has begun; and those that wait for their turn.
#[derive(Default)]
pub struct Latest {
    pub rollout: Option<RolloutRecord>,
    /// Oldest first.
    pub queued: Vec<RolloutRecord>,
}

/// Where rollouts stand, as the hub remembers.
pub async fn latest(clusters: &Clusters, environment: &str) -> Result<Latest, UserError> {
    rollouts(clusters, environment).await.map(Latest::of)
}

/// Every rollout that the hub remembers, oldest first.
pub async fn rollouts(
    clusters: &Clusters,
    environment: &str,
) -> Result<Vec<RolloutRecord>, UserError> {
    let hub = clusters.hub()?;
    let found = store::rollouts(&hub.reader(), environment)
        .await
        .map_err(|error| error.advise(hub.name()))?;
    let rollouts = found.into_iter().map(|found| Ok(found.record?.value));
    rollouts.collect()
}

impl Latest {
    pub fn of(rollouts: Vec<RolloutRecord>) -> Self {
        let mut latest = Self::default();
        for rollout in rollouts {
            match rollout.state {
                RolloutState::Planned => latest.queued.push(rollout),
                _ if latest
                    .rollout
                    .as_ref()
                    .is_some_and(|one| one.state.is_open()) => {}
                _ => latest.rollout = Some(rollout),
            }
        }
        latest
    }
}

/// Whether a process conducts an environment now, as far as the hub's lease tells.
pub async fn conducted(
    clusters: &Clusters,
    environment: &str,
    clock: Clock,
) -> Result<Conducted, UserError> {
    let hub = clusters.hub()?;
    Lease::conducted(&hub.reader(), environment, clock)
        .await
        .map_err(|error| error.advise(hub.name()))
}

fn is_of(rollout: &RolloutRecord, scope: &record::Scope) -> bool {
    matches!(scope, record::Scope::Release(release) if rollout.release.as_ref() == Some(release))
}

/// The plan of an order, as things stand. Holds no writer.
pub fn plan(order: &Order<'_>, survey: &Survey, now: Timestamp) -> Plan {
    if let Some(rebuild) = &order.rebuild {
        return rebuild::plan(order, rebuild, survey, now);
    }
    let candidates = candidates(order, survey, now);
    let mut plan = Plan::new(&order.strategy, candidates);
    plan.excluded.extend(survey.records.orphans(order.fleet));
    departures::tell(order, &mut plan, survey, now);
    always::tell(order, &mut plan, survey, now);
    plan
}

/// What an order asks of each tenant, as things stand.
pub fn candidates(order: &Order<'_>, survey: &Survey, now: Timestamp) -> Vec<Candidate> {
    let circumstances = Circumstances {
        now,
        quarantined: &survey.quarantined,
        soaks: &survey.soaks,
        last_words: &survey.last_words,
        elsewhere: &survey.seen,
        selected: order.selected.as_ref(),
    };
    planning::candidates(order.fleet, order.bundles, &survey.records, &circumstances)
}
