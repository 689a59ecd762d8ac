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
    let plan = Plan {
        wanted: deployment["spec"]["replicas"].as_i64().unwrap_or(1),
        bounds: Bounds::of(deployment),
        least: owned::min_ready(deployment),
        now,
    };
    let scales = if deployment["spec"]["strategy"]["type"] == "Recreate" {
        plan.recreate(new, &old)
    } else {
        plan.roll(new, &old)
    };
    let any_change = scales.iter().any(|(set, size)| set.wanted() != *size);
    for (set, size) in scales {
        scale(state, set, size, &plan, now);
    }
    any_change
}

/// What a step is decided from.
struct Plan {
    wanted: i64,
    bounds: Bounds,
    least: SignedDuration,
    now: Timestamp,
}

impl Plan {
    /// Old pods go first; new ones come when the last has gone.
    fn recreate<'a>(&self, new: &'a Set, old: &[&'a Set]) -> Vec<(&'a Set, i64)> {
        let still_there = old.iter().any(|set| !set.pods.is_empty());
        let size = if still_there {
            new.wanted()
        } else {
            self.wanted
        };
        let mut scales: Vec<(&Set, i64)> = old.iter().map(|set| (*set, 0)).collect();
        scales.push((new, size));
        scales
    }

    fn roll<'a>(&self, new: &'a Set, old: &[&'a Set]) -> Vec<(&'a Set, i64)> {
        let total: i64 = old.iter().map(|set| set.wanted()).sum::<i64>() + new.wanted();
        let room = (self.wanted + self.bounds.surge - total).max(0);
        let size = new.wanted() + room.min((self.wanted - new.wanted()).max(0));
        let mut scales = self.shrink(new, old, total);
        scales.push((new, size.min(self.wanted)));
        scales
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
}

fn scale(state: &mut State, set: &Set, size: i64, plan: &Plan, now: Timestamp) {
    let most = plan.wanted + plan.bounds.surge;
    let change = |object: &mut Value| {
        object["spec"]["replicas"] = json!(size);
        let annotations = &mut object["metadata"]["annotations"];
        annotations["deployment.kubernetes.io/desired-replicas"] = json!(plan.wanted.to_string());
        annotations["deployment.kubernetes.io/max-replicas"] = json!(most.to_string());
    };
    if set.wanted() != size {
        owned::update(state, &set.id, None, change, now);
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
