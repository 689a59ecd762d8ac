//! How a Deployment moves its replicas from old ReplicaSets to the new one.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::deployment::Set;
use super::owned;
use crate::sim::state::State;
use crate::sim::view::View;

/// How many pods more, and how many available ones fewer, a rollout may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub surge: i64,
    pub unavailable: i64,
}

impl Bounds {
    /// Surge is rounded up, unavailability down; both zero means one unavailable.
    pub fn of(deployment: &View) -> Self {
        let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        let strategy = &deployment["spec"]["strategy"];
        if strategy["type"] == "Recreate" {
            return Self {
                surge: 0,
                unavailable: 0,
            };
        }
        let surge = share(&strategy["rollingUpdate"]["maxSurge"], wanted, true);
        let unavailable = share(&strategy["rollingUpdate"]["maxUnavailable"], wanted, false);
        let unavailable = if surge == 0 && unavailable == 0 {
            1
        } else {
            unavailable
        };
        Self {
            surge,
            unavailable: unavailable.min(wanted),
        }
    }
}

/// A number, or a percentage of a total.
pub fn share(value: &Value, total: i64, round_up: bool) -> i64 {
    let percent = value
        .as_str()
        .and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok());
    match percent {
        Some(percent) if round_up => (percent * total + 99) / 100,
        Some(percent) => percent * total / 100,
        None => value.as_i64().unwrap_or_default(),
    }
}

/// Takes one step towards the template's ReplicaSet; says whether anything was scaled.
pub fn step(
    state: &mut State,
    deployment: &View,
    sets: &[Set],
    hash: &str,
    now: Timestamp,
) -> bool {
    let is_new = |set: &&Set| set.value["metadata"]["labels"]["pod-template-hash"] == hash;
    let Some(new) = sets.iter().find(is_new) else {
        return false;
    };
    let old: Vec<&Set> = sets.iter().filter(|set| !is_new(set)).collect();
    let plan = Plan::of(deployment, now);
    let mut scales = plan.shrunk(new, &old);
    scales.push((new, plan.size_of_new(new.wanted(), &old)));
    let any_change = scales.iter().any(|(set, size)| set.wanted() != *size);
    for (set, size) in scales {
        if set.wanted() != size {
            owned::update(state, &set.id, None, |set| plan.size(set, size), now);
        }
    }
    any_change
}

/// Gives a ReplicaSet that is about to be created its size.
pub fn size_first(set: &mut Value, deployment: &View, old: &[Set], now: Timestamp) {
    let old: Vec<&Set> = old.iter().collect();
    let plan = Plan::of(deployment, now);
    plan.size(set, plan.size_of_new(0, &old));
}

/// What a step is decided from.
struct Plan {
    recreates: bool,
    wanted: i64,
    bounds: Bounds,
    least: SignedDuration,
    now: Timestamp,
}

impl Plan {
    fn of(deployment: &View, now: Timestamp) -> Self {
        Self {
            recreates: deployment["spec"]["strategy"]["type"] == "Recreate",
            wanted: deployment["spec"]["replicas"].as_i64().unwrap_or(1),
            bounds: Bounds::of(deployment),
            least: owned::min_ready(deployment),
            now,
        }
    }

    /// The size of the new set, which has `size` so far.
    fn size_of_new(&self, size: i64, old: &[&Set]) -> i64 {
        if self.recreates {
            // New pods come when the last old one has gone.
            let still_there = old.iter().any(|set| !set.pods.is_empty());
            return if still_there { size } else { self.wanted };
        }
        let total = old.iter().map(|set| set.wanted()).sum::<i64>() + size;
        let room = (self.wanted + self.bounds.surge - total).max(0);
        (size + room.min((self.wanted - size).max(0))).min(self.wanted)
    }

    fn shrunk<'a>(&self, new: &Set, old: &[&'a Set]) -> Vec<(&'a Set, i64)> {
        if self.recreates {
            return old.iter().map(|set| (*set, 0)).collect();
        }
        let total = old.iter().map(|set| set.wanted()).sum::<i64>() + new.wanted();
        self.shrink(new, old, total)
    }

    /// Takes old replicas away as far as enough pods stay available: those first that are not available anyway.
    fn shrink<'a>(&self, new: &Set, old: &[&'a Set], total: i64) -> Vec<(&'a Set, i64)> {
        // A set that was just scaled down still has the pods that it is about to lose.
        let available = |set: &Set| set.available(self.least, self.now).min(set.wanted());
        let least_available = self.wanted - self.bounds.unavailable;
        let new_unavailable = new.wanted() - available(new);
        let mut room = total - least_available - new_unavailable;
        let mut sizes: Vec<(&Set, i64)> = old.iter().map(|set| (*set, set.wanted())).collect();
        if room <= 0 {
            return sizes;
        }
        for (set, size) in &mut sizes {
            let broken = (*size - available(set)).clamp(0, room);
            *size -= broken;
            room -= broken;
        }
        let all_available: i64 = old.iter().map(|set| available(set)).sum::<i64>() + available(new);
        let mut spare = (all_available - least_available).max(0);
        for (_, size) in &mut sizes {
            let taken = (*size).min(spare);
            *size -= taken;
            spare -= taken;
        }
        sizes
    }

    /// Writes the size of a set, and what it was decided from.
    fn size(&self, set: &mut Value, size: i64) {
        let most = self.wanted + self.bounds.surge;
        set["spec"]["replicas"] = json!(size);
        let annotations = &mut set["metadata"]["annotations"];
        annotations["deployment.kubernetes.io/desired-replicas"] = json!(self.wanted.to_string());
        annotations["deployment.kubernetes.io/max-replicas"] = json!(most.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_round_as_the_deployment_controller_does() {
        let deployment = |replicas: i64, surge: &str, unavailable: &str| {
            View::from(
                json!({"spec": {"replicas": replicas, "strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}}}),
            )
        };
        let bounds = |surge, unavailable| Bounds { surge, unavailable };
        assert_eq!(Bounds::of(&deployment(2, "25%", "25%")), bounds(1, 0));
        assert_eq!(Bounds::of(&deployment(10, "25%", "25%")), bounds(3, 2));
        assert_eq!(Bounds::of(&deployment(3, "0%", "0%")), bounds(0, 1));
    }
}
