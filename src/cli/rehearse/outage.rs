//! A cluster that goes away in the middle of a wave, and comes back: when, follows from the seed.

use jiff::{SignedDuration, Timestamp};

use crate::rollout::{Plan, Wave};
use crate::sim::{Fault, SimCluster, random};

/// One cluster's absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    pub cluster: String,
    /// The wave in which it goes away: the one with the most tenants there.
    wave: String,
    is_hub: bool,
    after: SignedDuration,
    lasts: SignedDuration,
    /// Once the wave has come to the cluster.
    pub span: Option<(Timestamp, Timestamp)>,
    told: Told,
}

/// What people have been told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Gone,
    Back,
}

/// It goes away at most so long after its first tenant of the wave was started, in seconds: some are being written
/// then, some wait to get healthy, some are still to come.
const SOON: u64 = 20;
/// It is away for at least and at most so long, in seconds: shorter than a call is retried, longer than the usual
/// strategy waits for it.
const SHORTEST: u64 = 60;
const LONGEST: u64 = 20 * 60;

impl Outage {
    /// `None` if the plan never comes to the cluster.
    pub fn of(cluster: &str, is_hub: bool, plan: &Plan, seed: u64) -> Option<Self> {
        let concerned = |wave: &&Wave| match wave.tenants.len() {
            all if is_hub => all,
            _ => wave
                .tenants
                .iter()
                .filter(|planned| planned.place.cluster == cluster)
                .count(),
        };
        // Of equals `max_by_key` takes the last: the first wave is asked last.
        let wave = plan.waves.iter().rev().max_by_key(concerned)?;
        let chance = |what: &str, from: u64, to: u64| {
            let number = from + random::number(seed, &["outage", cluster, what]) % (to - from + 1);
            SignedDuration::from_secs(i64::try_from(number).unwrap_or_default())
        };
        (0 < concerned(&wave)).then(|| Self {
            cluster: cluster.to_owned(),
            wave: wave.name.clone(),
            is_hub,
            after: chance("after", 0, SOON),
            lasts: chance("lasts", SHORTEST, LONGEST),
            span: None,
            told: Told::Nothing,
        })
    }

    /// A tenant is started: perhaps the one that the outage waits for.
    pub fn hear(&mut self, tenant: &str, at: Timestamp, plan: &Plan, sim: &SimCluster) {
        let Some((wave, planned)) = plan.find(tenant).filter(|_| self.span.is_none()) else {
            return;
        };
        if wave.name == self.wave && (self.is_hub || planned.place.cluster == self.cluster) {
            let from = at + self.after;
            let until = from + self.lasts;
            self.span = Some((from, until));
            sim.tell(Fault::Unreachable {
                from,
                until: Some(until),
            });
        }
    }

    /// What there is to tell now.
    pub fn news(&mut self, now: Timestamp) -> Option<&'static str> {
        let (from, until) = self.span?;
        match self.told {
            Told::Nothing if from <= now => {
                self.told = Told::Gone;
                Some("GOES AWAY")
            }
            Told::Gone if until <= now => {
                self.told = Told::Back;
                Some("is back")
            }
            Told::Nothing | Told::Gone | Told::Back => None,
        }
    }
}
