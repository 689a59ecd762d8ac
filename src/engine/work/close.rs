//! The end of a claim: delete what no longer belongs, record what is there, let go.

use super::adopt;
use super::carry;
use super::claim::Left;
use super::late;
use super::prune::prune;
use super::{Aim, Halt, Job, Open, Place, Reached, claim, hooks, live};
use crate::apply::{self, Ask};
use crate::cluster::{Apply, FENCE_MANAGER};
use crate::manifest::HookMoment;
use crate::record::{self, Action, Closing, Outcome, Stored, TenantRecord};

pub(super) async fn close(
    aim: Aim,
    job: &Job,
    open: &mut Option<Open>,
    place: &mut Place,
) -> Result<Reached, Halt> {
    let open = match open {
        Some(open) => open,
        None if aim == Aim::GiveUp => match claim::take_over(job).await? {
            Left::Open(left) => fenced(job, open.insert(*left)).await?,
            Left::Closed(stored) => return Ok(Reached::Closed(stored)),
        },
        None => return Err(Halt::Refused("its claim is not open".to_owned())),
    };
    unfence(job, open).await?;
    if matches!(aim, Aim::Close | Aim::CloseBack) {
        if open.is_taken_over {
            let late = late::mend(job, open).await?;
            if !late.is_empty() {
                return Ok(Reached::Mended(late));
            }
        }
        if aim == Aim::Close {
            let last = hooks::due(job, open, &[HookMoment::Check, HookMoment::PostRollout]);
            hooks::run(job, open, last, place).await?;
        }
        prune(job, open, &Ask::default()).await?;
        if job.terms.ends_helm && open.claim.action == Action::Adopt {
            adopt::end_helm(job, open).await?;
        }
    }
    let because = job.cause.as_ref().map(|cause| cause.why.clone());
    let stored = let_go(job, open, outcome(aim, job, open), because).await?;
    Ok(Reached::Closed(Box::new(stored)))
}

/// Nothing that its holder still has under way lands after the end.
async fn fenced<'a>(job: &Job, open: &'a mut Open) -> Result<&'a mut Open, Halt> {
    let meant = open.fenced.iter().cloned().collect();
    let live = live::read(&job.cluster.reader(), &job.planned.place.namespace, &meant).await?;
    carry::fence(job, open, &live).await?;
    Ok(open)
}

fn outcome(aim: Aim, job: &Job, open: &Open) -> Outcome {
    let goes_back = open.claim.action == Action::Rollback;
    match aim {
        Aim::GiveUp if goes_back => Outcome::RollbackFailed,
        Aim::GiveUp if job.planned.unhealthy_before.is_some() => Outcome::UnhealthyBefore,
        Aim::GiveUp => Outcome::Failed,
        Aim::Forward | Aim::Back | Aim::Close | Aim::CloseBack if goes_back => Outcome::RolledBack,
        Aim::Forward | Aim::Back | Aim::Close | Aim::CloseBack => Outcome::Succeeded,
    }
}

/// Records what is there, and closes the claim.
pub(super) async fn let_go(
    job: &Job,
    open: &Open,
    outcome: Outcome,
    because: Option<String>,
) -> Result<Stored<TenantRecord>, Halt> {
    let now = job.clock.now();
    let closing = Closing {
        epoch: open.claim.epoch,
        holder: open.claim.holder.clone(),
        outcome,
        because,
        digest: open.claim.digest.clone(),
        release: open.claim.release.clone(),
        inventory: apply::final_inventory(&open.before, &open.done),
        at: now,
        // Rolled back: what runs was good before, and stays among the good ones.
        good_from: (outcome == Outcome::Succeeded).then(|| now + job.soak),
    };
    claim::change(job, &open.stored, |record| {
        record::close_claim(record, closing.clone())
    })
    .await
}

/// Takes off the stamps that fenced a vanished holder out.
pub(super) async fn unfence(job: &Job, open: &mut Open) -> Result<(), Halt> {
    let writer = job.cluster.writer();
    while let Some(object) = open.fenced.last() {
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
        open.fenced.pop();
    }
    Ok(())
}
