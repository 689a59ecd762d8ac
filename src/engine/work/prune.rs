//! Deletes what a tenant has and its bundle has not, each object with uid and resourceVersion.

use std::collections::BTreeSet;

use super::{Halt, Job, Open, claim, live, on_secrets, owner};
use crate::apply::{self, Ask, LiveObjects, OnSecrets, Prune, PruneDecision};
use crate::cluster::{CallError, Deletion, Preconditions};
use crate::manifest::ObjectRef;
use crate::record::{Action, Inventory};

/// A delete whose object changes under our hands is decided anew this often.
const TRIES: usize = 4;

/// Deletes, in the reverse order of applying; remembers each outcome, also on failure.
pub(super) async fn prune(job: &Job, open: &mut Open, ask: &Ask) -> Result<(), Halt> {
    let inventory = apply::final_inventory(&open.before, &open.done);
    let wanted = wanted(job, open, &inventory);
    let unwanted: BTreeSet<ObjectRef> =
        apply::candidates(&inventory, &wanted).into_iter().collect();
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
    let decisions = Pruning::new(job, open, (&inventory, &wanted), ask).decide(&live);
    for decision in decisions {
        let (object, done) = match decision {
            PruneDecision::Keep { object, why } => (object, apply::Done::Kept(why)),
            PruneDecision::Delete {
                object,
                uid,
                resource_version,
            } => {
                claim::keep(job, open).await?;
                let meant = Preconditions {
                    uid,
                    resource_version: Some(resource_version),
                };
                let pruning = Pruning::new(job, open, (&inventory, &wanted), ask);
                let done = pruning.delete(&object, meant).await?;
                (object, done)
            }
        };
        open.done.push((object, done));
    }
    Ok(())
}

/// What stays: the objects of the bundle, and Jobs of hooks, for their logs. Of a hook that the release has no more
/// none is kept; on a way back all are, and Secrets that the release has no more.
fn wanted(job: &Job, open: &Open, inventory: &Inventory) -> Vec<ObjectRef> {
    let goes_back = open.claim.action == Action::Rollback;
    let hooks = open.bundle.hooks().iter();
    let is_gone = |name: &str| !goes_back && !hooks.clone().any(|hook| hook.name() == name);
    let jobs = open.stored.value.kept_hook_jobs(is_gone);
    let stay = |object: &&ObjectRef| {
        on_secrets(job, open) == OnSecrets::Leave
            && object.group().is_empty()
            && object.kind == "Secret"
    };
    let secrets = inventory.lines().map(|line| &line.object).filter(stay);
    let objects = open.bundle.objects().iter();
    objects.chain(secrets).cloned().chain(jobs).collect()
}

/// What decisions about deletes are made from.
struct Pruning<'a> {
    job: &'a Job,
    open: &'a Open,
    inventory: &'a Inventory,
    wanted: &'a [ObjectRef],
    ask: &'a Ask,
}

impl<'a> Pruning<'a> {
    fn new(
        job: &'a Job,
        open: &'a Open,
        (inventory, wanted): (&'a Inventory, &'a [ObjectRef]),
        ask: &'a Ask,
    ) -> Self {
        Self {
            job,
            open,
            inventory,
            wanted,
            ask,
        }
    }

    fn decide(&self, live: &LiveObjects) -> Vec<PruneDecision> {
        apply::decide_prune(&Prune {
            owner: &owner(self.job),
            inventory: self.inventory,
            wanted: self.wanted,
            // Tenants keep to their own namespaces, so none can want what is in another's.
            wanted_elsewhere: &BTreeSet::new(),
            live,
            ask: self.ask,
        })
    }

    async fn delete(
        &self,
        object: &ObjectRef,
        mut meant: Preconditions,
    ) -> Result<apply::Done, Halt> {
        let writer = self.job.cluster.writer();
        for _ in 0..TRIES {
            let rest = claim::rest(self.job, self.open);
            match writer.delete(object, &meant, Some(rest)).await {
                Ok(Deletion::Gone) | Err(CallError::Gone(_)) => return Ok(apply::Done::Deleted),
                Ok(Deletion::Waiting) => return Ok(apply::Done::NotDeleted),
                Err(CallError::Stale(_)) => {}
                Err(error) => return Err(error.into()),
            }
            match self.decide_again(object).await? {
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

    async fn decide_again(&self, object: &ObjectRef) -> Result<Option<PruneDecision>, Halt> {
        let found = self.job.cluster.reader().get(object).await?;
        let live: LiveObjects = found
            .into_iter()
            .map(|live| (object.clone(), live))
            .collect();
        let about = |decision: &PruneDecision| match decision {
            PruneDecision::Delete { object: other, .. }
            | PruneDecision::Keep { object: other, .. } => other == object,
        };
        Ok(self.decide(&live).into_iter().find(about))
    }
}
