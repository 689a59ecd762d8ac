//! What can be said of a time in which nobody looked.
//!
//! Kubernetes remembers a little: a pod has a uid, counts its restarts, and dates its last change
//! from ready to not ready and back. If all of these are the same before and after a gap, nothing
//! happened in it. Transition times have whole seconds, so a change within the second of an
//! earlier one is not seen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::health::ownership::controller;
use crate::health::reading::{Condition, Reading};
use crate::health::words::counted;
use crate::manifest::Live;

/// What is remembered of a tenant at one moment, to compare it with a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    taken_at: Timestamp,
    /// By uid. Pods of Jobs are left out: they come and go by design.
    pods: BTreeMap<String, PodMark>,
    /// By kind and name.
    workloads: BTreeMap<String, WorkloadMark>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodMark {
    name: String,
    /// Of all its containers together; counters only grow.
    restarts: i64,
    /// `None` if it is not ready.
    ready_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkloadMark {
    uid: String,
    generation: Option<i64>,
    /// Of a Deployment; the others have no such condition.
    available_since: Option<Timestamp>,
}

impl Sample {
    /// What is to be remembered of the workloads and pods that were found.
    pub fn of(found: &[Live], pods: &[Live], taken_at: Timestamp) -> Self {
        let pods = pods.iter().filter(|pod| !is_of_job(pod));
        let workloads = found.iter().filter(|live| runs_pods(live));
        Self {
            taken_at,
            pods: pods
                .map(|pod| (pod.uid().to_owned(), PodMark::of(pod)))
                .collect(),
            workloads: workloads
                .map(|live| (live.object().to_string(), WorkloadMark::of(live)))
                .collect(),
        }
    }
}

/// Whether nothing happened between two samples; if that is not proven, what stands against it.
pub fn proves_quiet(before: &Sample, after: &Sample) -> Result<(), String> {
    if after.taken_at < before.taken_at {
        return Err("the clock went back between the two samples".to_owned());
    }
    if before.pods.is_empty() && before.workloads.is_empty() {
        return Err("there was nothing to compare with".to_owned());
    }
    same_workloads(before, after)?;
    same_pods(before, after)
}

/// Since when these pods, of which some may be those of Jobs, have been as they are: all ready, none of them new, no
/// container restarted. `None` if one is not ready.
pub fn quiet_since(pods: &[Live]) -> Option<Timestamp> {
    let pods = pods.iter().filter(|pod| !is_of_job(pod));
    let mut since = pods.map(|pod| {
        let ready = PodMark::of(pod).ready_since?;
        let started = Reading::of(pod).items("/status/containerStatuses").iter();
        let started = started.filter_map(started_at);
        Some(started.fold(ready, Timestamp::max))
    });
    since.try_fold(Timestamp::MIN, |latest, since| Some(latest.max(since?)))
}

/// A container may be back before anybody noticed that its pod was not ready.
fn started_at(status: &Value) -> Option<Timestamp> {
    let started = status.pointer("/state/running/startedAt")?.as_str()?;
    started.parse().ok()
}

fn same_workloads(before: &Sample, after: &Sample) -> Result<(), String> {
    for (name, earlier) in &before.workloads {
        match after.workloads.get(name) {
            None => return Err(format!("{name} is gone")),
            Some(later) => earlier
                .is_as(later)
                .map_err(|change| format!("{name} {change}"))?,
        }
    }
    let new = after
        .workloads
        .keys()
        .find(|name| !before.workloads.contains_key(*name));
    new.map_or(Ok(()), |name| Err(format!("{name} is new")))
}

fn same_pods(before: &Sample, after: &Sample) -> Result<(), String> {
    for (uid, earlier) in &before.pods {
        let name = &earlier.name;
        match after.pods.get(uid) {
            None => return Err(format!("pod `{name}` is gone")),
            Some(later) => earlier
                .is_as(later)
                .map_err(|change| format!("pod `{name}` {change}"))?,
        }
    }
    let new = after
        .pods
        .iter()
        .find(|(uid, _)| !before.pods.contains_key(*uid));
    new.map_or(Ok(()), |(_, pod)| Err(format!("pod `{}` is new", pod.name)))
}

impl PodMark {
    fn of(pod: &Live) -> Self {
        let reading = Reading::of(pod);
        let ready = reading
            .condition("Ready")
            .filter(|it| it.is_true() && !pod.is_terminating());
        Self {
            name: pod.object().name.clone(),
            restarts: restarts(reading),
            ready_since: ready.and_then(Condition::changed_at),
        }
    }

    fn is_as(&self, later: &Self) -> Result<(), String> {
        let restarts = later.restarts.saturating_sub(self.restarts);
        match (self.ready_since, later.ready_since) {
            _ if restarts != 0 => Err(format!("restarted {}", counted(restarts, "time"))),
            (None, _) => Err("was not ready before".to_owned()),
            (_, None) => Err("is not ready".to_owned()),
            (Some(before), Some(after)) if before != after => Err(format!(
                "was not ready for a while; ready again since {after}"
            )),
            (Some(_), Some(_)) => Ok(()),
        }
    }
}

impl WorkloadMark {
    fn of(live: &Live) -> Self {
        let available = Reading::of(live)
            .condition("Available")
            .filter(|it| it.is_true());
        Self {
            uid: live.uid().to_owned(),
            generation: live.generation(),
            available_since: available.and_then(Condition::changed_at),
        }
    }

    fn is_as(&self, later: &Self) -> Result<(), String> {
        if self.uid != later.uid {
            return Err("was deleted and made again".to_owned());
        }
        if self.generation != later.generation {
            return Err("was changed".to_owned());
        }
        if self.available_since != later.available_since {
            return Err("was not available for a while".to_owned());
        }
        Ok(())
    }
}

fn restarts(reading: Reading) -> i64 {
    let lists = ["/status/initContainerStatuses", "/status/containerStatuses"];
    let statuses = lists.iter().flat_map(|list| reading.items(list));
    let counts = statuses.filter_map(|status| status.get("restartCount")?.as_i64());
    counts.fold(0, i64::saturating_add)
}

fn is_of_job(pod: &Live) -> bool {
    controller(pod).is_some_and(|owner| owner["kind"] == "Job")
}

fn runs_pods(live: &Live) -> bool {
    matches!(
        live.object().kind.as_str(),
        "Deployment" | "StatefulSet" | "DaemonSet"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::tests::{at, deployment, live, pod, ready};

    fn web() -> Value {
        let mut value = deployment(1);
        value["status"]["conditions"][0]["lastTransitionTime"] = json!(at(10));
        value
    }

    fn web_pod(name: &str, ready_since: i64, restarts: i64) -> Value {
        let mut status = ready();
        status["restartCount"] = json!(restarts);
        let mut value = pod(name, ("ReplicaSet", "web-new"), 0, status);
        value["status"]["conditions"][0]["lastTransitionTime"] = json!(at(ready_since));
        value
    }

    fn sample(second: i64, found: Vec<Value>, pods: Vec<Value>) -> Sample {
        let found: Vec<Live> = found.into_iter().map(live).collect();
        let pods: Vec<Live> = pods.into_iter().map(live).collect();
        Sample::of(&found, &pods, at(second))
    }

    fn before() -> Sample {
        sample(100, vec![web()], vec![web_pod("web-1", 10, 2)])
    }

    #[track_caller]
    fn objection(found: Vec<Value>, pods: Vec<Value>, objection: &str) {
        let after = sample(900, found, pods);
        assert_eq!(proves_quiet(&before(), &after), Err(objection.to_owned()));
    }

    #[test]
    fn the_same_pods_ready_for_as_long_and_never_restarted_prove_a_quiet_gap() {
        let after = sample(900, vec![web()], vec![web_pod("web-1", 10, 2)]);
        assert_eq!(proves_quiet(&before(), &after), Ok(()));
    }

    #[test]
    fn each_thing_that_may_have_happened_is_named() {
        objection(
            vec![web()],
            vec![web_pod("web-1", 10, 3)],
            "pod `web-1` restarted 1 time",
        );
        objection(
            vec![web()],
            vec![web_pod("web-1", 500, 2)],
            "pod `web-1` was not ready for a while; ready again since 2026-11-22T00:08:20Z",
        );
        objection(vec![web()], vec![], "pod `web-1` is gone");
        let two = vec![web_pod("web-1", 10, 2), web_pod("web-2", 500, 0)];
        objection(vec![web()], two, "pod `web-2` is new");
        objection(
            vec![],
            vec![web_pod("web-1", 10, 2)],
            "Deployment/web is gone",
        );

        let mut unready = web_pod("web-1", 10, 2);
        unready["status"]["conditions"][0]["status"] = json!("False");
        objection(vec![web()], vec![unready], "pod `web-1` is not ready");

        let mut changed = web();
        changed["metadata"]["generation"] = json!(3);
        objection(vec![changed], vec![], "Deployment/web was changed");

        let mut unavailable = web();
        unavailable["status"]["conditions"][0]["lastTransitionTime"] = json!(at(700));
        objection(
            vec![unavailable],
            vec![],
            "Deployment/web was not available for a while",
        );
    }

    #[test]
    fn a_nightly_job_is_not_noise() {
        let backup = pod("backup-1", ("Job", "backup"), 200, ready());
        let after = sample(900, vec![web()], vec![web_pod("web-1", 10, 2), backup]);
        assert_eq!(proves_quiet(&before(), &after), Ok(()));
    }

    #[test]
    fn nothing_proves_nothing() {
        let nothing = sample(100, vec![], vec![]);
        assert!(proves_quiet(&nothing, &nothing).is_err());
        let earlier = sample(50, vec![web()], vec![web_pod("web-1", 10, 2)]);
        assert!(proves_quiet(&before(), &earlier).is_err());
    }

    #[test]
    fn a_sample_reads_back_as_it_was_recorded() {
        let text = serde_json::to_string(&before()).unwrap();
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), before());
    }

    #[test]
    fn pods_are_quiet_since_the_last_of_them_got_ready_or_its_container_started() {
        let pods = |values: Vec<Value>| values.into_iter().map(live).collect::<Vec<Live>>();
        let quiet = pods(vec![web_pod("web-1", 10, 2), web_pod("web-2", 40, 0)]);
        assert_eq!(quiet_since(&quiet), Some(at(40)));
        let mut restarted = web_pod("web-1", 10, 3);
        restarted["status"]["containerStatuses"][0]["state"] =
            json!({"running": {"startedAt": at(70)}});
        assert_eq!(quiet_since(&pods(vec![restarted])), Some(at(70)));
        let mut unready = web_pod("web-2", 40, 0);
        unready["status"]["conditions"][0]["status"] = json!("False");
        assert_eq!(
            quiet_since(&pods(vec![web_pod("web-1", 10, 2), unready])),
            None
        );
        assert_eq!(quiet_since(&[]), Some(Timestamp::MIN));
    }
}
