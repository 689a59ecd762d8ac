//! Late writes: a holder that vanished may have had a request under way that no fence refused, as nothing was there yet
//! that could have been stamped.

use super::{Halt, Job, Open, carry, claim, decide, live, refuse_what_cannot_be};
use crate::apply::{Done, Step};
use crate::manifest::ObjectRef;
use crate::record::Inventory;

/// Reads once more what we wrote, and writes again what is not as we left it. Answers which objects these are. What
/// we never wanted is found by pruning, which reads anew what the vanished holder meant to write.
pub(super) async fn mend(job: &Job, open: &mut Open) -> Result<Vec<ObjectRef>, Halt> {
    let bundle = open.bundle.unpack();
    let ours = live::objects_of(&bundle, &Inventory::default());
    let namespace = &job.planned.place.namespace;
    let live = live::read(&job.cluster.reader(), namespace, &ours).await?;
    let steps = decide(job, open, &bundle, &live)?;
    drop((bundle, live));
    refuse_what_cannot_be(&steps)?;
    let before = open.done.len();
    for stage in steps.into_stages() {
        let is_needed = |step: &Step| !matches!(step, Step::Skip { .. });
        let stage: Vec<Step> = stage.into_iter().filter(is_needed).collect();
        if !stage.is_empty() {
            claim::keep(job, open).await?;
            carry::stage(job, open, stage).await?;
        }
    }
    let mended = open.done[before..].iter();
    let mended = mended.filter(|(_, done)| matches!(done, Done::Applied(_)));
    Ok(mended.map(|(object, _)| object.clone()).collect())
}
