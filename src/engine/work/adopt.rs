//! What adoption does besides writing what stands there already: it takes fields from those who made the objects, and in
//! the end takes the objects from Helm.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Halt, Job, Open, claim, live};
use crate::apply::{self, Done};
use crate::cluster::{CallError, Preconditions, Writer};
use crate::engine::helm::releases;
use crate::manifest::{Live, ObjectRef, is_secret};

/// An object that changes under our hands this often is somebody else's battlefield.
const TRIES: usize = 4;

/// What we own of each object is ours alone from then on: a field that leaves the templates leaves the object, too.
pub(super) async fn disown(job: &Job, open: &mut Open) -> Result<(), Halt> {
    for live in everything(job, open).await? {
        change(job, open, live, |live| {
            apply::disowned(live).map(|entries| json!({"metadata": {"managedFields": entries}}))
        })
        .await?;
    }
    Ok(())
}

/// Ends Helm's ownership: its records of the release first, oldest first, then its marks.
pub(super) async fn end_helm(job: &Job, open: &mut Open) -> Result<(), Halt> {
    let all = everything(job, open).await?;
    let named: BTreeSet<String> = all
        .iter()
        .filter_map(|live| apply::helm_release(live).map(str::to_owned))
        .collect();
    let namespace = &job.planned.place.namespace;
    let reader = job.cluster.reader();
    let mut records = Vec::new();
    for name in &named {
        records.extend(releases(&reader, namespace, name).await?);
    }
    for record in records {
        claim::keep(job, open).await?;
        let meant = Preconditions {
            uid: record.uid,
            resource_version: None,
        };
        let rest = claim::rest(job, open);
        match job
            .cluster
            .writer()
            .delete(&record.object, &meant, Some(rest))
            .await
        {
            Ok(_) | Err(CallError::Gone(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // The marks go last: whoever is killed in between finds the release by them.
    for live in all {
        change(job, open, live, apply::without_helm).await?;
    }
    Ok(())
}

/// What the tenant has, as it is now; no Secret is read.
async fn everything(job: &Job, open: &Open) -> Result<Vec<Live>, Halt> {
    let objects: BTreeSet<ObjectRef> = open
        .bundle
        .objects()
        .iter()
        .filter(|object| object.kind != "Secret")
        .cloned()
        .collect();
    let found = live::read(
        &job.cluster.reader(),
        &job.planned.place.namespace,
        &objects,
    )
    .await?;
    Ok(found
        .into_values()
        .filter(|live| !is_secret(live.value()))
        .collect())
}

/// Patches an object until it is as it should be, and says whether it was not; what somebody changed meanwhile is read again.
pub(super) async fn change(
    job: &Job,
    open: &mut Open,
    mut live: Live,
    patch: impl Fn(&Live) -> Option<Value>,
) -> Result<bool, Halt> {
    for _ in 0..TRIES {
        let Some(patch) = patch(&live) else {
            return Ok(false);
        };
        claim::keep(job, open).await?;
        let rest = claim::rest(job, open);
        let writer = job.cluster.writer();
        match writer.merge_patch(&live, patch, rest).await {
            Ok(answer) => {
                remember(open, &answer);
                return Ok(true);
            }
            Err(CallError::Stale(_)) => live = again(&writer, live.object()).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(Halt::Refused(format!(
        "{} changes all the time",
        live.object()
    )))
}

async fn again(writer: &Writer, object: &ObjectRef) -> Result<Live, Halt> {
    let found = writer.get(object).await?;
    found.ok_or_else(|| Halt::Refused(format!("{object} is gone")))
}

/// The version that our last write left, for the next time that it is asked whether anything changed.
fn remember(open: &mut Open, answer: &Live) {
    let done = open.done.iter_mut().rev();
    let mut own = done.filter(|(object, _)| object == answer.object());
    if let Some((_, Done::Applied(Some(written)))) = own.next()
        && let Some(newer) = apply::written(answer, &written.digest)
    {
        *written = newer;
    }
}
