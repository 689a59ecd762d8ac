//! Objects that reach held tenants too: written under a claim that moves the tenant nowhere.

use super::{Halt, Job, Open, claim, close, write_all};
use crate::apply;
use crate::record::{self, Action, Outcome, Refreshed};

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refresh {
    Written,
    NotWritten(String),
}

/// Writes the bundle of a job, a part of what the release has, and nothing else; deletes nothing.
pub async fn refresh(job: Job) -> Refresh {
    let mut open = None;
    let ended = attempt(&job, &mut open).await;
    let Some(open) = open else {
        return match ended {
            Ok(()) => unreachable!("nothing is written without a claim"),
            Err(halt) => Refresh::NotWritten(why(halt)),
        };
    };
    let (outcome, because) = match ended {
        Ok(()) => (Outcome::Succeeded, None),
        Err(Halt::TakenOver(by)) => return Refresh::NotWritten(by),
        Err(halt) => (Outcome::Failed, Some(why(halt))),
    };
    let closed = let_go(&job, &open, outcome, because.clone()).await;
    match (because, closed) {
        (Some(why), _) => Refresh::NotWritten(why),
        (None, Err(halt)) => Refresh::NotWritten(why(halt)),
        (None, Ok(())) => Refresh::Written,
    }
}

async fn attempt(job: &Job, open: &mut Option<Open>) -> Result<(), Halt> {
    let bundle = job.bundle.clone();
    let bundle = bundle.ok_or_else(|| Halt::Refused("there is nothing to write".to_owned()))?;
    let running = job
        .record
        .as_ref()
        .and_then(|stored| stored.value.digest.clone());
    let goal = claim::Goal {
        action: Action::Refresh,
        digest: running.ok_or_else(|| Halt::Refused("it runs nothing".to_owned()))?,
        release: job
            .record
            .as_ref()
            .and_then(|stored| stored.value.release.clone()),
    };
    let open = open.insert(claim::take(job, goal, bundle).await?);
    write_all(job, open).await?;
    close::unfence(job, open).await
}

pub(super) async fn let_go(
    job: &Job,
    open: &Open,
    outcome: Outcome,
    because: Option<String>,
) -> Result<(), Halt> {
    let refreshed = Refreshed {
        epoch: open.claim.epoch,
        holder: open.claim.holder.clone(),
        outcome,
        because,
        inventory: apply::final_inventory(&open.before, &open.done),
        at: job.clock.now(),
    };
    let closed = claim::change(job, &open.stored, |record| {
        record::close_refresh(record, refreshed.clone())
    });
    closed.await.map(|_| ())
}

fn why(halt: Halt) -> String {
    match halt {
        Halt::Refused(why) | Halt::Hook { why, .. } | Halt::TakenOver(why) => why,
        Halt::Unreachable(why) => format!("deferred: {why}"),
        Halt::Stopped => "stopped".to_owned(),
    }
}
