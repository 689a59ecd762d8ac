//! Asks the server about a sample of what was skipped. An object that would change all the same is told; it is not
//! written: the plan said that it stays as it is.

use std::time::Duration;

use futures::future::join_all;

use super::{Job, Open, owner};
use crate::apply::{self, OnSecrets};
use crate::cluster::{Apply, CallError, Reader};
use crate::diff;
use crate::manifest::{Bundle, Live, ObjectRef};

/// The answers are not waited for any longer: a sample proves something about us, and no tenant waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// An object that somebody else changes this often while we ask proves nothing.
const TRIES: usize = 3;

/// Every sampled object that was skipped and would change, with the fields. What cannot be found out is no alarm.
pub(super) async fn false_no_ops(job: &Job, open: &Open) -> Vec<String> {
    let cluster = job.cluster.name();
    let is_skipped = |done: &apply::Done| matches!(done, apply::Done::Skipped);
    let mut sampled: Vec<&ObjectRef> = open
        .done
        .iter()
        .filter(|(object, done)| is_skipped(done) && job.terms.sample.has(cluster, object))
        .map(|(object, _)| object)
        .collect();
    sampled.sort();
    sampled.dedup();
    if sampled.is_empty() {
        return Vec::new();
    }
    let bundle = open.bundle.unpack();
    let asking = Asking {
        job,
        open,
        bundle: &bundle,
        reader: job.cluster.reader(),
    };
    let answers = sampled
        .into_iter()
        .map(|object| tokio::time::timeout(PATIENCE, asking.about(object)));
    let answers = join_all(answers).await;
    answers.into_iter().flatten().flatten().flatten().collect()
}

struct Asking<'a> {
    job: &'a Job,
    open: &'a Open,
    bundle: &'a Bundle,
    reader: Reader,
}

impl Asking<'_> {
    /// What would change, if anything. It counts only if nobody changed the object between our decision and the
    /// server's: the same version before and after.
    async fn about(&self, object: &ObjectRef) -> Result<Option<String>, CallError> {
        for _ in 0..TRIES {
            let Some(before) = self.reader.get(object).await? else {
                return Ok(None);
            };
            let Some(probe) = self.probe(object, &before) else {
                return Ok(None);
            };
            let Some(fields) = self.would_change(&probe, &before).await? else {
                return Ok(None);
            };
            let after = self.reader.get(object).await?;
            let version = after.as_ref().map(Live::resource_version);
            if version == Some(before.resource_version()) {
                return Ok(Some(format!("{object} ({})", fields.join(", "))));
            }
        }
        Ok(None)
    }

    fn probe(&self, object: &ObjectRef, live: &Live) -> Option<apply::Probe> {
        let owner = owner(self.job);
        let wanted = apply::Wanted {
            bundle: self.bundle,
            owner: &owner,
            epoch: self.open.claim.epoch,
            secrets: OnSecrets::Apply,
        };
        let manifest = self.bundle.find(object)?;
        apply::probe(&wanted, manifest, Some(&self.open.stored.value), live)
    }

    /// The fields that the server would change, or refuse to.
    async fn would_change(
        &self,
        probe: &apply::Probe,
        live: &Live,
    ) -> Result<Option<Vec<String>>, CallError> {
        let options = Apply {
            force: probe.force,
            uid: Some(live.uid().to_owned()),
            ..Apply::default()
        };
        let answer = match self.reader.dry_run(&probe.manifest, &options).await {
            Err(CallError::Conflicts(conflicts)) => {
                let fields = conflicts.into_iter().map(|conflict| conflict.field);
                return Ok(Some(fields.collect()));
            }
            answer => answer?,
        };
        Ok(apply::dry_run_changes(live, &answer).then(|| changed_fields(live, &answer)))
    }
}

/// Names only: values may be secret.
fn changed_fields(live: &Live, answer: &Live) -> Vec<String> {
    let difference = diff::compare_objects(Some(live.value()), Some(answer.value()));
    let paths: Vec<String> = difference
        .fields
        .into_iter()
        .map(|field| field.path)
        .collect();
    if paths.is_empty() {
        vec!["who owns which field".to_owned()]
    } else {
        paths
    }
}
