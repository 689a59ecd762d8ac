//! What to do next about a hook: pure, from its manifest, what is on record, and what was seen of its Job.

use serde_json::Value;

use jiff::Timestamp;

use crate::manifest::{HOOK_KEY, Hook, Live, Manifest, ObjectRef};
use crate::record::{HookEnd, HookRecord, HookRun};

use super::owner::{Owner, Ownership};

/// What to do next about a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookStep {
    /// It has succeeded for this key: nothing is asked, nothing is written.
    Done,
    /// It has failed already, in this very rollout.
    Failed { why: String },
    /// A run is to be noted, and then made.
    Begin(HookRun),
    /// A run is on record whose Job may be there or not.
    Find(HookRun),
    /// A Job of ours is there, or was: its end is waited for.
    Follow(HookRun),
}

/// For whom a hook runs.
#[derive(Clone, Copy, Debug)]
pub struct HookTerms<'a> {
    pub rollout: Option<&'a str>,
    pub now: Timestamp,
}

/// What is known of the Job of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobSight {
    NotThere,
    /// An object of its name is there that this run did not make.
    NotOurs(String),
    Ours {
        uid: String,
    },
}

/// Decides what to do about a hook. A run that nobody saw end comes first, also if it was for another key: two runs of
/// one hook are never under way at once.
pub fn hook_step(hook: &Hook, known: Option<&HookRecord>, terms: HookTerms<'_>) -> HookStep {
    let newest = known.and_then(HookRecord::newest);
    match newest {
        Some(run) if run.end.is_none() && run.uid.is_none() => return HookStep::Find(run.clone()),
        Some(run) if run.end.is_none() => return HookStep::Follow(run.clone()),
        _ => {}
    }
    if is_done(hook, known) {
        return HookStep::Done;
    }
    let failed = newest.and_then(|run| failure(hook, run, terms));
    failed.unwrap_or_else(|| HookStep::Begin(run(hook, known, terms)))
}

/// Whether a hook need not run, by the record alone. A run that is still under way is no reason to say so.
pub fn is_done(hook: &Hook, known: Option<&HookRecord>) -> bool {
    let is_open = known
        .and_then(HookRecord::newest)
        .is_some_and(|run| run.end.is_none());
    let succeeded = known.and_then(|known| known.succeeded.as_ref());
    !is_open && succeeded.is_some_and(|success| success.key == hook.key)
}

/// A rollout tries a hook once: whoever goes on with it does not try again what has failed in it.
fn failure(hook: &Hook, run: &HookRun, terms: HookTerms<'_>) -> Option<HookStep> {
    let is_of_this = terms.rollout.is_some() && run.rollout.as_deref() == terms.rollout;
    match &run.end {
        Some(HookEnd::Failed { why }) if is_of_this && run.key == hook.key => {
            Some(HookStep::Failed { why: why.clone() })
        }
        _ => None,
    }
}

fn run(hook: &Hook, known: Option<&HookRecord>, terms: HookTerms<'_>) -> HookRun {
    let count = known.map_or(0, |known| known.count);
    HookRun {
        job: ObjectRef {
            name: hook.job_name(count + 1),
            ..hook.object.clone()
        },
        key: hook.key.clone(),
        rollout: terms.rollout.map(str::to_owned),
        uid: None,
        since: terms.now,
        is_irreversible: hook.is_irreversible,
        end: None,
    }
}

/// The Job of a run, with our marks and the key that it runs for.
pub fn hook_job(hook: &Manifest, run: &HookRun, owner: &Owner, epoch: u64) -> Manifest {
    let mut value = hook.value().clone();
    value["metadata"]["name"] = run.job.name.as_str().into();
    let mut job = Manifest::from_value(value).expect("it was an object with another name");
    job.annotate(HOOK_KEY, &run.key);
    owner.dress(&job, Some(&epoch.to_string()))
}

/// Whether an object of the name of a run's Job is that Job.
pub fn job_sight(run: &HookRun, live: Option<&Live>, owner: &Owner) -> JobSight {
    let Some(live) = live else {
        return JobSight::NotThere;
    };
    match owner.owns(live) {
        Ownership::Ours if live.annotation(HOOK_KEY) == Some(&run.key) => JobSight::Ours {
            uid: live.uid().to_owned(),
        },
        Ownership::Others(owner) => JobSight::NotOurs(format!("it belongs to `{owner}`")),
        Ownership::Ours | Ownership::Nobodys | Ownership::Copy => {
            JobSight::NotOurs("it was not made for this run".to_owned())
        }
    }
}

/// Whether any pod of a Job has begun to do something: from then on nobody knows what it has done.
pub fn has_begun(pods: &[Live]) -> bool {
    let phase = |pod: &Live| {
        pod.value()
            .pointer("/status/phase")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    pods.iter()
        .any(|pod| phase(pod).is_some_and(|phase| phase != "Pending"))
}
