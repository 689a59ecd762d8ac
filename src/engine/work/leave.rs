//! The other way of adoption: our marks come off, our ownership of fields ends, the record goes. Nothing else changes.

use super::{Halt, Job, Open, adopt, carry, claim, close, live, owner, refresh, remove};
use crate::apply;
use crate::record::{Action, Outcome};

/// Lets one tenant go; says why not, if it was not let go. Killed anywhere, the record knows what is left.
pub async fn leave(job: Job) -> Result<usize, String> {
    let mut open = None;
    let halt = match attempt(&job, &mut open).await {
        Ok(objects) => return Ok(objects),
        Err(halt) => halt,
    };
    let why = match halt {
        Halt::TakenOver(by) => return Err(by),
        Halt::Unreachable(why) => return Err(format!("its cluster does not answer: {why}")),
        Halt::Refused(why) | Halt::Hook { why, .. } => why,
        Halt::Stopped => "stopped".to_owned(),
    };
    if let Some(open) = &open {
        // What cannot be closed now ends with its deadline.
        let _ = refresh::let_go(&job, open, Outcome::Interrupted, Some(why.clone())).await;
    }
    Err(why)
}

async fn attempt(job: &Job, open: &mut Option<Open>) -> Result<usize, Halt> {
    let record = job.record.as_ref().map(|stored| &stored.value);
    let running = record.and_then(|record| record.digest.clone());
    let goal = claim::Goal {
        action: Action::Leave,
        digest: running.ok_or_else(|| Halt::Refused("it runs nothing".to_owned()))?,
        release: record.and_then(|record| record.release.clone()),
    };
    let nothing = job.bundle.clone();
    let nothing =
        nothing.ok_or_else(|| Halt::Refused("nothing says what it goes to".to_owned()))?;
    let open = open.insert(claim::take(job, goal, nothing).await?);
    let known = open
        .before
        .lines()
        .map(|line| line.object.clone())
        .collect();
    let there = live::read(&job.cluster.reader(), &job.planned.place.namespace, &known).await?;
    carry::fence(job, open, &there).await?;
    close::unfence(job, open).await?;
    let owner = owner(job);
    let mut objects = 0;
    for live in there.into_values() {
        let unmark = |live: &_| apply::unmarked(live, &owner);
        objects += usize::from(adopt::change(job, open, live, unmark).await?);
    }
    remove::forget(job, open).await?;
    Ok(objects)
}
