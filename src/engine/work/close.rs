//! The end of a claim: delete what no longer belongs, record what is there, let go.

use super::prune::prune;
use super::{Aim, Halt, Job, Open, Place, Reached, claim, hooks};
use crate::apply::{self, Ask};
use crate::cluster::{Apply, FENCE_MANAGER};
use crate::manifest::HookMoment;
use crate::record::{self, Action, Closing, Outcome, Stored, TenantRecord};

pub(super) async fn close(
    aim: Aim,
    job: &Job,
    open: Option<&mut Open>,
    place: &mut Place,
) -> Result<Reached, Halt> {
    let open = open.ok_or_else(|| Halt::Refused("its claim is not open".to_owned()))?;
    if aim == Aim::Close {
        let last = hooks::due(job, open, &[HookMoment::Check, HookMoment::PostRollout]);
        hooks::run(job, open, last, place).await?;
    }
    if matches!(aim, Aim::Close | Aim::CloseBack) {
        prune(job, open, &Ask::default()).await?;
    }
    unfence(job, open).await?;
    let stored = let_go(job, open, outcome(aim, job, open)).await?;
    Ok(Reached::Closed(Box::new(stored)))
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
) -> Result<Stored<TenantRecord>, Halt> {
    let now = job.clock.now();
    let closing = Closing {
        epoch: open.claim.epoch,
        holder: open.claim.holder.clone(),
        outcome,
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
pub(super) async fn unfence(job: &Job, open: &Open) -> Result<(), Halt> {
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
