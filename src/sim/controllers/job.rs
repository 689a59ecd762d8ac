//! Jobs: pods until enough have succeeded or too many have failed.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::conditions::{self, Condition};
use super::events::{self, Event};
use super::owned::{self, NewPod, Pod};
use crate::sim::object::{ObjectId, Phase};
use crate::sim::state::{State, later, written};
use crate::sim::timers::What;
use crate::sim::view::View;

/// What the pods of a Job have come to.
struct Tally {
    pods: Vec<Pod>,
    active: i64,
    ready: i64,
    succeeded: i64,
    failed: i64,
    terminating: i64,
}

/// How a Job ends.
struct End {
    is_success: bool,
    reason: &'static str,
    message: &'static str,
}

pub fn sync(state: &mut State, id: &ObjectId, now: Timestamp) {
    let Some(job) = state.view(id) else { return };
    if !job["metadata"]["deletionTimestamp"].is_null() || is_over(&job) {
        return;
    }
    let tally = Tally::of(state, &job);
    if job["spec"]["suspend"] == true {
        return suspend(state, id, &tally, now);
    }
    let end = end(&job, &tally, now);
    if end.is_none() {
        start_pods(state, id, &job, &tally, now);
    } else {
        for pod in tally.pods.iter().filter(|pod| pod.is_active()) {
            state.delete_by_controller(&pod.id, now);
        }
    }
    let tally = Tally::of(state, &job);
    write_status(state, id, &job, (&tally, end.as_ref()), now);
    if let Some(seconds) = job["spec"]["activeDeadlineSeconds"].as_u64() {
        let start = owned::read_time(&job["status"]["startTime"]).unwrap_or(now);
        state.at(
            later(start, Duration::from_secs(seconds + 1)),
            What::Sync,
            id,
        );
    }
}

impl Tally {
    fn of(state: &State, job: &View) -> Self {
        let pods = owned::pods_of(state, owned::uid(job));
        let phase = |phase: Phase| owned::count(pods.iter().filter(|pod| pod.phase() == phase));
        Self {
            active: owned::count(pods.iter().filter(|pod| pod.is_active())),
            ready: owned::count(pods.iter().filter(|pod| pod.is_active() && pod.is_ready())),
            succeeded: phase(Phase::Succeeded),
            failed: phase(Phase::Failed),
            terminating: owned::count(pods.iter().filter(|pod| pod.head().deleting)),
            pods,
        }
    }
}

fn is_over(job: &View) -> bool {
    let is_true = |kind| {
        conditions::find(&job["status"], kind)
            .is_some_and(|condition| condition["status"] == "True")
    };
    is_true("Complete") || is_true("Failed")
}

fn end(job: &View, tally: &Tally, now: Timestamp) -> Option<End> {
    let spec = &job["spec"];
    let since = owned::read_time(&job["status"]["startTime"]);
    let deadline = spec["activeDeadlineSeconds"].as_i64();
    let is_late = since
        .zip(deadline)
        .is_some_and(|(since, deadline)| deadline < now.duration_since(since).as_secs());
    if spec["completions"].as_i64().unwrap_or(1) <= tally.succeeded {
        Some(End {
            is_success: true,
            reason: "CompletionsReached",
            message: "Reached expected number of succeeded pods",
        })
    } else if spec["backoffLimit"].as_i64().unwrap_or(6) < tally.failed {
        Some(End {
            is_success: false,
            reason: "BackoffLimitExceeded",
            message: "Job has reached the specified backoff limit",
        })
    } else if is_late {
        Some(End {
            is_success: false,
            reason: "DeadlineExceeded",
            message: "Job was active longer than specified deadline",
        })
    } else {
        None
    }
}

/// After each failure the next pod waits twice as long, from ten seconds.
fn start_pods(state: &mut State, id: &ObjectId, job: &View, tally: &Tally, now: Timestamp) {
    let spec = &job["spec"];
    let missing = spec["completions"].as_i64().unwrap_or(1) - tally.succeeded;
    let wanted = spec["parallelism"].as_i64().unwrap_or(1).min(missing) - tally.active;
    if wanted <= 0 {
        return;
    }
    if let Some(due) = next_try(state, tally).filter(|due| now < *due) {
        return state.at(due, What::Sync, id);
    }
    let template = job.template();
    for _ in 0..wanted {
        let name = owned::generated_name(state, owned::name(job));
        let new = NewPod {
            owner: job,
            template: &template,
            name: name.clone(),
            labels: Vec::new(),
        };
        if !owned::create_pod(state, id, new, now) {
            return;
        }
        say(
            state,
            job,
            (false, "SuccessfulCreate"),
            format!("Created pod: {name}"),
            now,
        );
    }
}

fn next_try(state: &State, tally: &Tally) -> Option<Timestamp> {
    let failed = tally.pods.iter().filter(|pod| pod.phase() == Phase::Failed);
    let ended = failed.filter_map(|pod| {
        let pod = state.view(&pod.id)?;
        let container = &pod["status"]["containerStatuses"][0];
        owned::read_time(&container["state"]["terminated"]["finishedAt"])
    });
    let last = ended.max()?;
    let power = u32::try_from(tally.failed - 1).unwrap_or_default().min(6);
    let wait = Duration::from_secs((10 << power).min(600));
    Some(later(last, wait))
}

fn suspend(state: &mut State, id: &ObjectId, tally: &Tally, now: Timestamp) {
    for pod in tally.pods.iter().filter(|pod| pod.is_active()) {
        state.delete_by_controller(&pod.id, now);
    }
    let change = |object: &mut Value| {
        let condition = Condition {
            kind: "Suspended",
            holds: true,
            reason: "JobSuspended",
            message: "Job suspended".to_owned(),
        };
        set_probed(&mut object["status"], &condition, now);
    };
    owned::update_status(state, id, change, now);
}

fn write_status(
    state: &mut State,
    id: &ObjectId,
    job: &View,
    (tally, end): (&Tally, Option<&End>),
    now: Timestamp,
) {
    let change = |object: &mut Value| {
        let status = &mut object["status"];
        if status["startTime"].is_null() {
            status["startTime"] = written(now);
        }
        let counts = [
            ("active", tally.active),
            ("ready", tally.ready),
            ("succeeded", tally.succeeded),
            ("failed", tally.failed),
            ("terminating", tally.terminating),
        ];
        owned::set_counts(status, &counts, &["ready", "terminating"]);
        status["uncountedTerminatedPods"] = json!({});
        if conditions::find(status, "Suspended").is_some() {
            let condition = Condition {
                kind: "Suspended",
                holds: false,
                reason: "JobResumed",
                message: "Job resumed".to_owned(),
            };
            set_probed(status, &condition, now);
        }
        if let Some(end) = end {
            write_end(status, end, now);
        }
    };
    owned::update_status(state, id, change, now);
    if let Some(end) = end {
        let reason = if end.is_success {
            "Completed"
        } else {
            end.reason
        };
        let message = if end.is_success {
            "Job completed"
        } else {
            end.message
        };
        say(
            state,
            job,
            (!end.is_success, reason),
            message.to_owned(),
            now,
        );
        if let Some(seconds) = job["spec"]["ttlSecondsAfterFinished"].as_u64() {
            state.at(later(now, Duration::from_secs(seconds)), What::Expire, id);
        }
    }
}

fn write_end(status: &mut Value, end: &End, now: Timestamp) {
    let kinds = if end.is_success {
        ["SuccessCriteriaMet", "Complete"]
    } else {
        ["FailureTarget", "Failed"]
    };
    for kind in kinds {
        let condition = Condition {
            kind,
            holds: true,
            reason: end.reason,
            message: end.message.to_owned(),
        };
        set_probed(status, &condition, now);
    }
    if end.is_success {
        status["completionTime"] = written(now);
    }
}

/// Conditions of a Job also say when they were probed: when they were set.
fn set_probed(status: &mut Value, condition: &Condition, now: Timestamp) {
    conditions::set(status, condition, now);
    let mut set = conditions::find(status, condition.kind)
        .cloned()
        .unwrap_or_default();
    set["lastProbeTime"] = set["lastTransitionTime"].clone();
    conditions::put(status, set);
}

fn say(
    state: &mut State,
    job: &View,
    (is_warning, reason): (bool, &str),
    message: String,
    now: Timestamp,
) {
    let event = Event {
        is_warning,
        reason,
        message,
        component: "job-controller",
    };
    events::tell(state, job, &event, now);
}
