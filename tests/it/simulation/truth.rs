//! What is true on the clusters, whatever anybody believes: sampled every second.

use std::collections::BTreeMap;
use std::fmt;

use escale::sim::SimCluster;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::script::BY_HAND;

/// One state of a tenant's web workload, and since when.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub since: Timestamp,
    pub tag: String,
    pub is_healthy: bool,
}

/// A tenant is in another state than it was in.
pub struct Change {
    pub cluster: String,
    pub tenant: String,
    /// It was written: it runs another tag than before.
    pub is_moved: bool,
    pub state: State,
}

#[derive(Default)]
pub struct Truth {
    /// Every state that each tenant was in, oldest first.
    states: BTreeMap<String, Vec<State>>,
    /// Up to which version each cluster was read: only what was written since is read again.
    read: BTreeMap<String, u64>,
}

impl Truth {
    /// Takes in what is there now, and tells whose state changed.
    pub fn sample(&mut self, sims: &BTreeMap<String, SimCluster>, now: Timestamp) -> Vec<Change> {
        let mut changed = Vec::new();
        for (cluster, sim) in sims {
            let read = self.read.entry(cluster.clone()).or_default();
            let (written, version) = sim.objects_since("deployments.apps", *read);
            *read = version;
            let news = written
                .iter()
                .filter_map(|one| self.take_in(cluster, one, now));
            changed.extend(news);
        }
        changed
    }

    fn take_in(&mut self, cluster: &str, deployment: &Value, now: Timestamp) -> Option<Change> {
        let tenant = text(&deployment["metadata"]["namespace"]);
        let state = State {
            since: now,
            tag: tag_of(deployment),
            is_healthy: is_healthy(deployment),
        };
        let states = self.states.entry(tenant.clone()).or_default();
        let last = states.last();
        let is_moved = last.is_none_or(|last| last.tag != state.tag);
        if !is_moved && last.is_some_and(|last| last.is_healthy == state.is_healthy) {
            return None;
        }
        states.push(state.clone());
        Some(Change {
            cluster: cluster.to_owned(),
            tenant,
            is_moved,
            state,
        })
    }

    pub fn now(&self, tenant: &str) -> Option<&State> {
        self.states.get(tenant)?.last()
    }

    pub fn runs_what_was_set_by_hand(&self, tenant: &str) -> bool {
        self.now(tenant).is_some_and(|state| state.tag == BY_HAND)
    }

    fn states(&self, tenant: &str) -> &[State] {
        self.states.get(tenant).map_or(&[], Vec::as_slice)
    }

    /// Whether the tenant was healthy on this tag at some time from then on.
    pub fn was_healthy_since(&self, tenant: &str, tag: &str, since: Timestamp) -> bool {
        let states = self.states(tenant);
        states.iter().enumerate().any(|(at, state)| {
            let ended = states.get(at + 1).map_or(Timestamp::MAX, |next| next.since);
            state.is_healthy && state.tag == tag && since <= ended
        })
    }

    /// The longest time without health from then until now.
    pub fn longest_trouble(
        &self,
        tenant: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> SignedDuration {
        let states = self.states(tenant);
        let troubles = states
            .iter()
            .enumerate()
            .filter(|(_, state)| !state.is_healthy);
        let lengths = troubles.map(|(at, state)| {
            let ended = states.get(at + 1).map_or(now, |next| next.since);
            ended.min(now).duration_since(state.since.max(since))
        });
        lengths.max().unwrap_or_default().max(SignedDuration::ZERO)
    }
}

fn tag_of(deployment: &Value) -> String {
    let image = text(&deployment["spec"]["template"]["spec"]["containers"][0]["image"]);
    image.rsplit(':').next().unwrap_or_default().to_owned()
}

/// All wanted pods are of the newest template, and available.
fn is_healthy(deployment: &Value) -> bool {
    let status = &deployment["status"];
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let wanted = count(&deployment["spec"]["replicas"]);
    status["observedGeneration"] == deployment["metadata"]["generation"]
        && count(&status["updatedReplicas"]) == wanted
        && count(&status["availableReplicas"]) == wanted
        && count(&status["replicas"]) == wanted
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let health = if self.state.is_healthy {
            "healthy"
        } else {
            "not healthy"
        };
        write!(f, "{} runs {}, {health}", self.tenant, self.state.tag)
    }
}
