//! Late writes: a holder that vanished may have had a request under way that no fence refused, as nothing was there yet
//! that could have been stamped.

use std::collections::BTreeSet;

use super::{Halt, Job, Open, carry, claim, decide, live, refuse_what_cannot_be, secrets};
use crate::apply::{Done, LiveObjects, Step};
use crate::manifest::{ObjectRef, SecretValues};
use crate::record::{Inventory, Written};

/// Reads once more what we wrote, and writes again what is not as we left it. Answers which objects these are. What
/// we never wanted is found by pruning, which reads anew what the vanished holder meant to write.
pub(super) async fn mend(job: &Job, open: &mut Open) -> Result<Vec<ObjectRef>, Halt> {
    let bundle = open.bundle.unpack();
    let ours = live::objects_of(&bundle, &Inventory::default());
    let namespace = &job.planned.place.namespace;
    let live = live::read(&job.cluster.reader(), namespace, &ours).await?;
    let steps = decide(job, open, &bundle, &live)?;
    refuse_what_cannot_be(&steps)?;
    let left: BTreeSet<ObjectRef> = as_left(open, &live).collect();
    drop((bundle, live));
    open.values = secrets::read(job, &steps).await?;
    let before = open.done.len();
    for stage in steps.into_stages() {
        let is_needed =
            |step: &Step| !matches!(step, Step::Skip { .. }) && !left.contains(step.object());
        let stage: Vec<Step> = stage.into_iter().filter(is_needed).collect();
        if !stage.is_empty() {
            claim::keep(job, open).await?;
            carry::stage(job, open, stage).await?;
        }
    }
    open.values = SecretValues::default();
    let mended = open.done[before..].iter();
    let mended = mended.filter(|(_, done)| matches!(done, Done::Applied(_)));
    Ok(mended.map(|(object, _)| object.clone()).collect())
}

/// What nobody has touched since we wrote it: of a Secret that has references, nothing else tells.
fn as_left<'a>(open: &'a Open, live: &'a LiveObjects) -> impl Iterator<Item = ObjectRef> + 'a {
    let written = open.done.iter().filter_map(|(object, done)| match done {
        Done::Applied(Some(written)) => Some((object, written)),
        _ => None,
    });
    let is_left = |(object, written): &(&ObjectRef, &Written)| {
        let found = live.get(*object);
        found.is_some_and(|live| {
            live.uid() == written.uid && live.resource_version() == written.resource_version
        })
    };
    written.filter(is_left).map(|(object, _)| object.clone())
}
