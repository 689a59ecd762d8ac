//! Taking the claim of a tenant, keeping it, turning it round.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Halt, Job, Open};
use crate::cluster::CallError;
use crate::engine::store::{self, Trouble};
use crate::manifest::{Digest, ObjectRef, SecretValues};
use crate::record::{
    self, Action, CLAIM_MARGIN, Intent, IntentAct, Inventory, Outcome, PackedBundle, PassHold,
    Refused, Stored, Taking, TenantRecord,
};

/// The writes of one tenant take a second or two; whoever takes longer renews.
const CLAIM: SignedDuration = SignedDuration::from_secs(20);
/// With less than this left, a claim is renewed before the next stage.
const SHORT: SignedDuration = SignedDuration::from_secs(8);
/// A swap that loses this often is up against somebody who does not stop.
const SWAPS: usize = 6;
/// The claim of somebody else is waited for this long: he is about to finish, or dead.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Where a tenant is to be moved.
pub(super) struct Goal {
    pub action: Action,
    pub digest: Digest,
    pub release: Option<String>,
}

/// Takes the claim, by compare-and-swap on the record as it is.
pub(super) async fn take(job: &Job, goal: Goal, bundle: PackedBundle) -> Result<Open, Halt> {
    let began = job.clock.now();
    let mut found = job.record.clone();
    for _ in 0..SWAPS {
        let now = job.clock.now();
        refuse_what_is_not_ours(job, &goal, found.as_ref())?;
        let record = found
            .as_ref()
            .map_or_else(|| first_record(job, now), |stored| stored.value.clone());
        refuse_hold_of_meanwhile(job, &record, now)?;
        let held = job
            .terms
            .hold
            .clone()
            .filter(|hold| record.hold.as_ref() != Some(hold))
            .map(|hold| record::hold(&record, hold));
        let taken = match record::take_claim(
            held.as_ref().unwrap_or(&record),
            taking(job, &goal, bundle.objects(), &record),
            now,
        ) {
            Ok(taken) => taken,
            Err(Refused::Claimed(claim)) if claim.deadline.duration_since(began) <= PATIENCE => {
                sleep_until(job, claim.deadline + CLAIM_MARGIN).await;
                found = store::tenant(&job.cluster.reader(), &job.planned.place.namespace).await?;
                continue;
            }
            Err(refused) => return Err(Halt::TakenOver(refused.to_string())),
        };
        match store::swap_tenant(&job.cluster.writer(), &taken.record, found.as_ref()).await {
            Ok(stored) => return Ok(opened(stored, taken, record.inventory, bundle)),
            Err(Trouble::Call(CallError::Stale(_) | CallError::Exists(_) | CallError::Gone(_))) => {
                found = store::tenant(&job.cluster.reader(), &job.planned.place.namespace).await?;
            }
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Err(contested())
}

/// Who names a tenant passes the hold that he saw. One that was said since is news to him.
fn refuse_hold_of_meanwhile(job: &Job, record: &TenantRecord, now: Timestamp) -> Result<(), Halt> {
    let (Some(ours), Some(hold)) = (&job.terms.hold, record.hold_at(now)) else {
        return Ok(());
    };
    let seen = job
        .record
        .as_ref()
        .and_then(|stored| stored.value.hold.as_ref());
    if hold == ours || Some(hold) == seen {
        return Ok(());
    }
    Err(Halt::TakenOver(format!(
        "it is held since a moment ago: {hold}"
    )))
}

/// What became of a claim that a process left.
pub(super) enum Left {
    Open(Box<Open>),
    /// It was closed after all.
    Closed(Box<Stored<TenantRecord>>),
}

/// Takes over the claim of our rollout that a vanished process left open, as it is: to close it, nothing else.
pub(super) async fn take_over(job: &Job) -> Result<Left, Halt> {
    let (reader, namespace) = (job.cluster.reader(), &job.planned.place.namespace);
    for _ in 0..SWAPS {
        let found = store::tenant(&reader, namespace).await?;
        let found = found.ok_or_else(|| Halt::Refused("its record is gone".to_owned()))?;
        let Some(left) = found.value.claim.clone() else {
            return Ok(Left::Closed(Box::new(found)));
        };
        let goal = goal_of(job, &left)?;
        let bundle = store::bundle(&reader, &goal.digest).await?;
        let taking = Taking {
            because: left.because.clone(),
            steps: left.steps.clone(),
            pass_hold: PassHold::Yes,
            ..taking(job, &goal, bundle.objects(), &found.value)
        };
        let Ok(taken) = record::take_claim(&found.value, taking, job.clock.now()) else {
            sleep_until(job, left.deadline + CLAIM_MARGIN).await;
            continue;
        };
        match store::swap_tenant(&job.cluster.writer(), &taken.record, Some(&found)).await {
            Ok(stored) => {
                let before = found.value.inventory;
                return Ok(Left::Open(Box::new(opened(stored, taken, before, bundle))));
            }
            Err(Trouble::Call(CallError::Stale(_))) => {}
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Err(contested())
}

fn goal_of(job: &Job, left: &record::Claim) -> Result<Goal, Halt> {
    match &left.digest {
        Some(digest) if left.rollout == job.terms.rollout => Ok(Goal {
            action: left.action,
            digest: digest.clone(),
            release: left.release.clone(),
        }),
        _ => Err(Halt::TakenOver(left.holder.clone())),
    }
}

/// A namespace may have the record of another tenant, or of another environment that shares the cluster.
fn refuse_what_is_not_ours(
    job: &Job,
    goal: &Goal,
    found: Option<&Stored<TenantRecord>>,
) -> Result<(), Halt> {
    let Some(stored) = found else {
        return match goal.action {
            Action::Remove => Err(Halt::Refused("its record is gone".to_owned())),
            _ => Ok(()),
        };
    };
    let (record, place) = (&stored.value, &job.planned.place);
    if record.environment == job.terms.environment && record.tenant == place.tenant {
        return Ok(());
    }
    Err(Halt::Refused(record.whose_namespace()))
}

/// Turns a claim that is ours to another bundle, the way back of a tenant that failed; or to the same, to go on.
pub(super) async fn turn(
    job: &Job,
    goal: Goal,
    bundle: PackedBundle,
    open: &mut Open,
) -> Result<(), Halt> {
    open.before = crate::apply::final_inventory(&open.before, &open.done);
    open.done.clear();
    open.standing.clear();
    open.bundle = bundle;
    open.claim.action = goal.action;
    open.claim.digest = Some(goal.digest);
    open.claim.release = goal.release;
    if let Some(cause) = &job.cause {
        open.claim.because = Some(cause.why.clone());
    }
    renew(job, open).await
}

/// Renews a claim that will soon run out; fails if it is not ours any more.
pub(super) async fn keep(job: &Job, open: &mut Open) -> Result<(), Halt> {
    if open.claim.deadline.duration_since(job.clock.now()) > SHORT {
        return Ok(());
    }
    renew(job, open).await
}

async fn renew(job: &Job, open: &mut Open) -> Result<(), Halt> {
    let stored = swap_own(job, open).await?;
    settle(open, stored);
    Ok(())
}

async fn swap_own(job: &Job, open: &Open) -> Result<Stored<TenantRecord>, Halt> {
    let deadline = job.clock.now() + CLAIM;
    let wanted = open.bundle.objects();
    let cause = job.cause.as_ref();
    let turned = record::Turned {
        outcome: cause.map_or(Outcome::Interrupted, |cause| cause.outcome),
        at: job.clock.now(),
    };
    change(job, &open.stored, |record| {
        let steps = intents(wanted, &open.before, record);
        record::renew_claim(record, &open.claim, (steps, deadline), &turned)
    })
    .await
}

/// Changes a record under our claim, whatever else (a hold) came in between.
pub(super) async fn change(
    job: &Job,
    known: &Stored<TenantRecord>,
    transition: impl Fn(&TenantRecord) -> Result<TenantRecord, record::ClaimLost>,
) -> Result<Stored<TenantRecord>, Halt> {
    let mut known = known.clone();
    for _ in 0..SWAPS {
        let after = transition(&known.value).map_err(|lost| Halt::TakenOver(lost.to_string()))?;
        match store::swap_tenant(&job.cluster.writer(), &after, Some(&known)).await {
            Ok(stored) => return Ok(stored),
            Err(Trouble::Call(CallError::Stale(_))) => {
                let found =
                    store::tenant(&job.cluster.reader(), &job.planned.place.namespace).await?;
                known = found.ok_or_else(|| Halt::Refused("its record was deleted".to_owned()))?;
            }
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Err(contested())
}

/// After so many swaps that somebody else won.
pub(super) fn contested() -> Halt {
    Halt::TakenOver("somebody who keeps changing its record".to_owned())
}

/// How long a write may still take.
pub(super) fn rest(job: &Job, open: &Open) -> Duration {
    let rest = open.claim.deadline.duration_since(job.clock.now());
    Duration::try_from(rest)
        .unwrap_or_default()
        .max(Duration::from_secs(1))
}

pub(super) fn settle(open: &mut Open, stored: Stored<TenantRecord>) {
    if let Some(claim) = &stored.value.claim {
        open.claim = claim.clone();
    }
    open.stored = stored;
}

fn opened(
    stored: Stored<TenantRecord>,
    taken: record::Taken,
    before: Inventory,
    bundle: PackedBundle,
) -> Open {
    let claim = taken
        .record
        .claim
        .clone()
        .expect("a claim that was taken is in the record");
    let is_taken_over = taken.took_over.is_some();
    let vanished = taken.took_over.map(|claim| claim.steps).unwrap_or_default();
    Open {
        stored,
        claim,
        bundle,
        before,
        done: Vec::new(),
        settled: Vec::new(),
        standing: BTreeMap::new(),
        values: SecretValues::default(),
        fenced: vanished.into_iter().map(|intent| intent.object).collect(),
        is_taken_over,
    }
}

fn taking(job: &Job, goal: &Goal, wanted: &[ObjectRef], record: &TenantRecord) -> Taking {
    let terms = &job.terms;
    let mut steps = intents(wanted, &record.inventory, record);
    if matches!(goal.action, Action::Refresh | Action::Leave) {
        // What is not written stays as it is.
        steps.retain(|intent| intent.act != IntentAct::Delete);
    }
    Taking {
        holder: terms.holder.clone(),
        who: terms.who.clone(),
        why: terms.why.clone(),
        because: job.cause.as_ref().map(|cause| cause.why.clone()),
        action: goal.action,
        rollout: terms.rollout.clone(),
        digest: Some(goal.digest.clone()),
        release: goal.release.clone(),
        steps,
        deadline: job.clock.now() + CLAIM,
        pass_hold: if terms.hold.is_some() || matches!(goal.action, Action::Refresh | Action::Leave)
        {
            PassHold::Yes
        } else {
            PassHold::No
        },
        soak: soak(job, goal, record),
        keep: terms.keep,
    }
}

/// What a rollout takes back was not good, however long ago it was written.
fn soak(job: &Job, goal: &Goal, record: &TenantRecord) -> record::Soak {
    let is_taken_back = goal.action == Action::Rollback && job.terms.action == Action::Rollout;
    if is_taken_back {
        record::Soak::NotPassed
    } else {
        job.terms.soaks.of(record)
    }
}

/// Everything that may be written: what the bundle has, what it has no more, and Jobs of hooks that were begun.
fn intents(wanted: &[ObjectRef], inventory: &Inventory, record: &TenantRecord) -> Vec<Intent> {
    let intent = |act| move |object: ObjectRef| Intent { act, object };
    let begun = record.open_hook_jobs();
    let applies = wanted.iter().chain(begun).cloned();
    let is_ordinary = |object: &ObjectRef| record.hook_jobs().all(|job| job != object);
    let deletes = crate::apply::candidates(inventory, wanted)
        .into_iter()
        .filter(is_ordinary);
    let applies = applies.map(intent(IntentAct::Apply));
    applies
        .chain(deletes.map(intent(IntentAct::Delete)))
        .collect()
}

/// The record of a tenant that has none yet.
fn first_record(job: &Job, now: Timestamp) -> TenantRecord {
    let place = &job.planned.place;
    TenantRecord {
        environment: job.terms.environment.clone(),
        tenant: place.tenant.clone(),
        cluster: place.cluster.clone(),
        namespace: place.namespace.clone(),
        class: place.labels.get("class").cloned().unwrap_or_default(),
        state: Outcome::NotAttempted,
        digest: None,
        release: None,
        rollout: None,
        since: now,
        good_from: None,
        hold: None,
        goods: Vec::new(),
        epoch: 0,
        claim: None,
        inventory: Inventory::default(),
        hooks: BTreeMap::new(),
        history: Vec::new(),
    }
}

async fn sleep_until(job: &Job, then: Timestamp) {
    let left = then.duration_since(job.clock.now()) + SignedDuration::from_millis(100);
    tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
}
