//! The end of a claim: delete what no longer belongs, record what is there, let go.

use std::collections::BTreeSet;

use super::{Aim, Halt, Job, Open, Reached, claim, live, owner};
use crate::apply::{self, Ask, LiveObjects, Prune, PruneDecision};
use crate::cluster::{Apply, CallError, Deletion, FENCE_MANAGER, Preconditions, Writer};
use crate::manifest::ObjectRef;
use crate::record::{self, Action, Closing, Inventory, Outcome};

/// A delete whose object changes under our hands is decided anew this often.
const TRIES: usize = 4;

pub(super) async fn close(aim: Aim, job: &Job, open: Option<&mut Open>) -> Result<Reached, Halt> {
    let open = open.ok_or_else(|| Halt::Refused("its claim is not open".to_owned()))?;
    if matches!(aim, Aim::Close | Aim::CloseBack) {
        prune(job, open).await?;
    }
    unfence(job, open).await?;
    let closing = closing(aim, job, open);
    let stored = claim::change(job, &open.stored, |record| {
        record::close_claim(record, closing.clone())
    })
    .await?;
    Ok(Reached::Closed(Box::new(stored)))
}

fn closing(aim: Aim, job: &Job, open: &Open) -> Closing {
    let now = job.clock.now();
    let goes_back = open.claim.action == Action::Rollback;
    let outcome = match aim {
        Aim::GiveUp if goes_back => Outcome::RollbackFailed,
        Aim::GiveUp if job.planned.unhealthy_before.is_some() => Outcome::UnhealthyBefore,
        Aim::GiveUp => Outcome::Failed,
        Aim::Forward | Aim::Back | Aim::Close | Aim::CloseBack if goes_back => Outcome::RolledBack,
        Aim::Forward | Aim::Back | Aim::Close | Aim::CloseBack => Outcome::Succeeded,
    };
    Closing {
        epoch: open.claim.epoch,
        holder: open.claim.holder.clone(),
        outcome,
        digest: open.claim.digest.clone(),
        release: open.claim.release.clone(),
        inventory: apply::final_inventory(&open.before, &open.done),
        at: now,
        // Rolled back: what runs was good before, and stays among the good ones.
        good_from: (outcome == Outcome::Succeeded).then(|| now + job.soak),
    }
}

/// Deletes what the tenant has and its bundle has not, each with uid and resourceVersion.
async fn prune(job: &Job, open: &mut Open) -> Result<(), Halt> {
    let inventory = apply::final_inventory(&open.before, &open.done);
    let unwanted: BTreeSet<ObjectRef> = apply::candidates(&inventory, open.bundle.objects())
        .into_iter()
        .collect();
    if unwanted.is_empty() {
        return Ok(());
    }
    claim::keep(job, open).await?;
    let live = live::read(
        &job.cluster.reader(),
        &job.planned.place.namespace,
        &unwanted,
    )
    .await?;
    for decision in decide(job, open, &inventory, &live) {
        let (object, done) = match decision {
            PruneDecision::Keep { object, why } => (object, apply::Done::Kept(why)),
            PruneDecision::Delete {
                object,
                uid,
                resource_version,
            } => {
                let meant = Preconditions {
                    uid,
                    resource_version: Some(resource_version),
                };
                let done = delete(job, open, &inventory, &object, meant).await?;
                (object, done)
            }
        };
        open.done.push((object, done));
    }
    Ok(())
}

fn decide(job: &Job, open: &Open, inventory: &Inventory, live: &LiveObjects) -> Vec<PruneDecision> {
    apply::decide_prune(&Prune {
        owner: &owner(job),
        inventory,
        wanted: open.bundle.objects(),
        // Tenants keep to their own namespaces, so none can want what is in another's.
        wanted_elsewhere: &BTreeSet::new(),
        live,
        ask: &Ask::default(),
    })
}

async fn delete(
    job: &Job,
    open: &Open,
    inventory: &Inventory,
    object: &ObjectRef,
    mut meant: Preconditions,
) -> Result<apply::Done, Halt> {
    let writer = job.cluster.writer();
    for _ in 0..TRIES {
        match writer
            .delete(object, &meant, Some(claim::rest(job, open)))
            .await
        {
            Ok(Deletion::Gone) | Err(CallError::Gone(_)) => return Ok(apply::Done::Deleted),
            Ok(Deletion::Waiting) => return Ok(apply::Done::NotDeleted),
            Err(CallError::Stale(_)) => {}
            Err(error) => return Err(error.into()),
        }
        match decide_again(job, open, inventory, object, &writer).await? {
            Some(PruneDecision::Delete {
                uid,
                resource_version,
                ..
            }) => {
                meant = Preconditions {
                    uid,
                    resource_version: Some(resource_version),
                };
            }
            Some(PruneDecision::Keep { why, .. }) => return Ok(apply::Done::Kept(why)),
            None => return Ok(apply::Done::NotDeleted),
        }
    }
    Ok(apply::Done::NotDeleted)
}

async fn decide_again(
    job: &Job,
    open: &Open,
    inventory: &Inventory,
    object: &ObjectRef,
    writer: &Writer,
) -> Result<Option<PruneDecision>, Halt> {
    let found = writer.get(object).await?;
    let live: LiveObjects = found
        .into_iter()
        .map(|live| (object.clone(), live))
        .collect();
    let decisions = decide(job, open, inventory, &live).into_iter();
    let about = |decision: &PruneDecision| match decision {
        PruneDecision::Delete { object: other, .. } | PruneDecision::Keep { object: other, .. } => {
            other == object
        }
    };
    Ok(decisions.into_iter().find(about))
}

/// Takes off the stamps that fenced a vanished holder out.
async fn unfence(job: &Job, open: &Open) -> Result<(), Halt> {
    let writer = job.cluster.writer();
    for object in &open.fenced {
        let options = Apply {
            manager: FENCE_MANAGER,
            force: true,
            ..Apply::default()
        };
        if writer.get(object).await?.is_some() {
            writer
                .apply(&apply::fence_unstamp(object), &options)
                .await?;
        }
    }
    Ok(())
}
