//! The end of a tenant that leaves: its objects by its inventory, the namespace if it was ours and is empty, its record
//! last.
//!
//! The claim is the intent. Killed anywhere, the record still knows what is left, and the next rollout goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;

use super::prune::prune;
use super::{Halt, Job, Open, carry, claim, close, live};
use crate::apply::{self, Ask, KeepReason};
use crate::cluster::{CallError, Reader, Within};
use crate::engine::store;
use crate::manifest::ObjectRef;
use crate::record::{self, Action, Outcome};

/// Finalizers and the content of a namespace are waited for this long; the next rollout goes on.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);
const NAP: Duration = Duration::from_secs(1);
/// The record changes under our hands only if somebody holds or releases the tenant.
const SWAPS: usize = 4;

/// Kinds of which an object that nobody else owns keeps its namespace, beside those of the inventory. Secrets are not
/// among them: nobody may list those.
const LOOKED_FOR: [(&str, &str); 9] = [
    ("v1", "PersistentVolumeClaim"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "Pod"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
];
/// What every namespace has.
const FURNITURE: [(&str, &str); 2] = [
    ("ConfigMap", "kube-root-ca.crt"),
    ("ServiceAccount", "default"),
];

/// How the removal of a tenant ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Its record is gone, too.
    Removed {
        deleted: usize,
        /// What stays on the cluster, and why.
        kept: Vec<String>,
    },
    /// What is left is still on record.
    NotRemoved(String),
}

/// Removes one tenant, or what an interrupted removal has left of it.
pub async fn remove(job: Job) -> Removal {
    let mut open = None;
    let why = match attempt(&job, &mut open).await {
        Ok(removed) => return removed,
        Err(Halt::Unreachable(why)) => return Removal::NotRemoved(format!("deferred: {why}")),
        Err(Halt::TakenOver(by)) => return Removal::NotRemoved(by),
        Err(Halt::Refused(why) | Halt::Hook { why, .. }) => why,
        Err(Halt::Stopped) => "stopped".to_owned(),
    };
    if let Some(open) = open
        && let Err(Halt::Refused(also) | Halt::TakenOver(also) | Halt::Unreachable(also)) =
            close::let_go(&job, &open, Outcome::Interrupted, Some(why.clone())).await
    {
        return Removal::NotRemoved(format!("{why}; {also}"));
    }
    Removal::NotRemoved(why)
}

async fn attempt(job: &Job, open: &mut Option<Open>) -> Result<Removal, Halt> {
    let nothing = job.bundle.clone();
    let nothing =
        nothing.ok_or_else(|| Halt::Refused("nothing says what it goes to".to_owned()))?;
    let goal = claim::Goal {
        action: Action::Remove,
        digest: nothing.digest().clone(),
        release: job.release.clone(),
    };
    let open = open.insert(claim::take(job, goal, nothing).await?);
    let known: Vec<ObjectRef> = apply::candidates(&open.before, []);
    let reader = job.cluster.reader();
    let all = known.iter().cloned().collect();
    let there = live::read(&reader, &job.planned.place.namespace, &all).await?;
    carry::fence(job, open, &there).await?;
    delete(job, open, &Ask::default()).await?;
    namespace(job, open, &known).await?;
    close::unfence(job, open).await?;
    let removed = removed(open, &known);
    forget(job, open).await?;
    Ok(removed)
}

/// Deletes what may be, and waits until it is gone.
async fn delete(job: &Job, open: &mut Open, ask: &Ask) -> Result<(), Halt> {
    let began = job.clock.now();
    loop {
        prune(job, open, ask).await?;
        let waiting = waiting(open);
        if waiting.is_empty() {
            return Ok(());
        }
        if job.clock.now().duration_since(began) >= PATIENCE {
            let names: Vec<String> = waiting.iter().map(ToString::to_string).collect();
            return Err(Halt::Refused(format!(
                "{} not gone yet, finalizers are waited for",
                names.join(", ")
            )));
        }
        tokio::time::sleep(NAP).await;
    }
}

/// What was asked to go, and is still there.
fn waiting(open: &Open) -> Vec<&ObjectRef> {
    let known = open.before.lines().map(|line| &line.object);
    let is_waiting = |object: &&ObjectRef| {
        matches!(
            last(open, object),
            Some(apply::Done::NotDeleted | apply::Done::Kept(KeepReason::Terminating))
        )
    };
    known.filter(is_waiting).collect()
}

fn last<'a>(open: &'a Open, object: &ObjectRef) -> Option<&'a apply::Done> {
    let mut done = open.done.iter().rev();
    done.find(|(other, _)| other == object)
        .map(|(_, done)| done)
}

/// The namespace goes if our first write made it and nothing is left that somebody may miss.
async fn namespace(job: &Job, open: &mut Open, known: &[ObjectRef]) -> Result<(), Halt> {
    let name = &job.planned.place.namespace;
    let Some(own) = known
        .iter()
        .find(|object| object.kind == "Namespace" && object.name == *name)
    else {
        return Ok(());
    };
    if !apply::is_own_namespace(&open.before, own) {
        let why = KeepReason::NotMade;
        open.done.push((own.clone(), apply::Done::Kept(why)));
        return Ok(());
    }
    if let Some(what) = who_needs(&job.cluster.reader(), name, known).await? {
        let why = KeepReason::NotEmpty(what);
        open.done.push((own.clone(), apply::Done::Kept(why)));
        return Ok(());
    }
    let allowed = BTreeSet::from([own.to_string()]);
    delete(job, open, &Ask { allowed }).await
}

/// What is left in a namespace and would go with it: anything that no other object owns.
async fn who_needs(
    reader: &Reader,
    namespace: &str,
    known: &[ObjectRef],
) -> Result<Option<String>, CallError> {
    let looked_for = LOOKED_FOR.map(|(version, kind)| (version.to_owned(), kind.to_owned()));
    let known = known
        .iter()
        .filter(|object| object.namespace.is_some() && object.kind != "Secret")
        .map(|object| (object.api_version.clone(), object.kind.clone()));
    let kinds: BTreeSet<(String, String)> = looked_for.into_iter().chain(known).collect();
    for (api_version, kind) in kinds {
        let sought = ObjectRef {
            api_version,
            kind,
            namespace: Some(namespace.to_owned()),
            name: String::new(),
        };
        if let Some(found) = left_of_kind(reader, namespace, &sought).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn left_of_kind(
    reader: &Reader,
    namespace: &str,
    sought: &ObjectRef,
) -> Result<Option<String>, CallError> {
    let listed = match reader.kind_of(sought).await {
        Ok(kind) => {
            let within = Within::Namespace(namespace);
            reader.list_items(&kind, within, None).await
        }
        Err(error) => Err(error),
    };
    let items = match listed {
        Ok(items) => items,
        Err(CallError::NotServed(_)) => return Ok(None),
        Err(CallError::Denied(_)) => {
            return Ok(Some(format!("{} that we may not list", sought.kind)));
        }
        Err(error) => return Err(error),
    };
    for item in items {
        let live = item.read()?;
        let is_furniture = FURNITURE.contains(&(sought.kind.as_str(), item.name()));
        if !is_furniture && !apply::has_owner(&live) && !live.is_terminating() {
            return Ok(Some(format!("{}/{}", sought.kind, item.name())));
        }
    }
    Ok(None)
}

/// What became of everything that the tenant had.
fn removed(open: &Open, known: &[ObjectRef]) -> Removal {
    let is_deleted = |object: &&ObjectRef| {
        open.done.iter().any(|(other, done)| {
            other == *object && matches!(done, apply::Done::Deleted | apply::Done::NotDeleted)
        })
    };
    let kept = known.iter().filter_map(|object| match last(open, object) {
        Some(apply::Done::Kept(KeepReason::Gone)) => None,
        Some(apply::Done::Kept(why)) => Some(format!("{object}: {why}")),
        _ => None,
    });
    Removal::Removed {
        deleted: known.iter().filter(is_deleted).count(),
        kept: kept.collect(),
    }
}

/// Deletes the record, as long as the claim in it is ours.
pub(super) async fn forget(job: &Job, open: &Open) -> Result<(), Halt> {
    let mut stored = open.stored.clone();
    for _ in 0..SWAPS {
        match store::delete_tenant(&job.cluster.writer(), &stored).await {
            Ok(()) => return Ok(()),
            Err(CallError::Stale(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let namespace = &job.planned.place.namespace;
        let Some(found) = store::tenant(&job.cluster.reader(), namespace).await? else {
            return Ok(());
        };
        let is_ours = |claim: &record::Claim| {
            claim.epoch == open.claim.epoch && claim.holder == open.claim.holder
        };
        if !found.value.claim.as_ref().is_some_and(is_ours) {
            return Err(Halt::TakenOver("its claim was taken over".to_owned()));
        }
        stored = found;
    }
    Err(claim::contested())
}
