//! Carries steps out: the objects of one stage side by side, each with what may go wrong.

use std::time::Duration;

use futures::future::join_all;

use super::{Halt, Job, Open, claim, on_secrets, owner, secrets};
use crate::apply::{self, ApplyStep, LiveObjects, Notice, Step};
use crate::cluster::{Apply, CallError, FENCE_MANAGER, HAND_OVER_MANAGER, Writer};
use crate::health::Wanted;
use crate::manifest::{Live, ObjectRef};

/// An object that changes under our hands this often is somebody else's battlefield.
const TRIES: usize = 4;
/// A definition that was just written is waited for this long, in steps of `NAP`.
const ESTABLISHED: usize = 40;
const NAP: Duration = Duration::from_millis(250);

/// Writes one stage. Answers how many writes were accepted; remembers each outcome, also on
/// failure.
pub(super) async fn stage(job: &Job, open: &mut Open, steps: Vec<Step>) -> Result<usize, Halt> {
    let cluster = job.cluster.writer();
    let carrier = Carrier {
        job,
        open,
        writer: &cluster,
    };
    let objects: Vec<ObjectRef> = steps.iter().map(|step| step.object().clone()).collect();
    let outcomes = join_all(steps.into_iter().map(|step| carrier.carry(step))).await;
    let mut writes = 0;
    let mut troubles = Vec::new();
    let mut is_away = true;
    let (mut standing, mut settled) = (Vec::new(), Vec::new());
    for (object, outcome) in objects.iter().zip(outcomes) {
        let done = match outcome {
            Ok(Carried {
                done,
                standing: left,
                notices,
            }) => {
                writes += usize::from(matches!(done, apply::Done::Applied(_)));
                standing.extend(left);
                let told = notices.iter();
                settled.extend(told.map(|notice| format!("{object}: {notice}")));
                done
            }
            Err(error) => {
                let done = match &error {
                    CallError::Unreachable(_) => apply::Done::Unknown,
                    _ => apply::Done::NotApplied,
                };
                is_away &= error.is_of_the_cluster();
                troubles.push(format!("{object}: {error}"));
                done
            }
        };
        open.done.push((object.clone(), done));
    }
    open.leave(standing);
    open.settled.extend(settled);
    if !troubles.is_empty() {
        let halt = if is_away {
            Halt::Unreachable
        } else {
            Halt::Refused
        };
        return Err(halt(troubles.join("; ")));
    }
    definitions_are_served(&cluster, &objects).await?;
    Ok(writes)
}

/// What carrying out a step needs.
struct Carrier<'a> {
    job: &'a Job,
    open: &'a Open,
    writer: &'a Writer,
}

enum Again {
    With(Box<ApplyStep>),
    /// It stands as it is wanted: our own write may have landed unheard.
    NoNeed(Option<Box<Wanted>>),
    Cannot,
}

/// How a step ended.
struct Carried {
    done: apply::Done,
    /// What stands as it is wanted, if it was read and left as it is.
    standing: Option<Wanted>,
    /// What became of fields that others have written.
    notices: Vec<Notice>,
}

impl Carried {
    fn without_writing(done: apply::Done, standing: Option<Wanted>) -> Self {
        Self {
            done,
            standing,
            notices: Vec::new(),
        }
    }
}

impl Carrier<'_> {
    async fn carry(&self, step: Step) -> Result<Carried, CallError> {
        match step {
            Step::Skip { notices, .. } => Ok(Carried {
                done: apply::Done::Skipped,
                standing: None,
                notices,
            }),
            Step::Apply(step) => self.apply_step(step).await,
            Step::DryRun(step) => self.suspect(step).await,
            // Refused before the first write of the tenant.
            Step::NeedsRecreate { .. } | Step::Blocked { .. } => {
                Ok(Carried::without_writing(apply::Done::NotApplied, None))
            }
        }
    }

    /// The local test could not tell: the server says whether anything would change.
    async fn suspect(&self, step: ApplyStep) -> Result<Carried, CallError> {
        let Some(live) = self.writer.get(&step.object).await? else {
            return self.apply_step(step).await;
        };
        let options = Apply {
            force: step.force,
            uid: step.uid.clone(),
            ..Apply::default()
        };
        let sent = secrets::filled(self.open, &step.manifest)?;
        match self.writer.dry_run(&sent, &options).await {
            Ok(answer) if !apply::dry_run_changes(&live, &answer) => {
                let standing = Wanted::standing(&live);
                Ok(Carried::without_writing(apply::Done::Skipped, standing))
            }
            _ => self.apply_step(step).await,
        }
    }

    async fn apply_step(&self, mut step: ApplyStep) -> Result<Carried, CallError> {
        let mut last = None;
        for _ in 0..TRIES {
            self.hand_over(&mut step).await?;
            let options = Apply {
                force: step.force,
                uid: step.uid.clone(),
                resource_version: step.resource_version.clone(),
                timeout: Some(claim::rest(self.job, self.open)),
                ..Apply::default()
            };
            let sent = secrets::filled(self.open, &step.manifest)?;
            let answer = self.writer.apply(&sent, &options).await;
            let error = match answer.map_err(|error| error.hushed(&self.open.values)) {
                Ok(live) => {
                    let written = apply::written(&live, &step.digest);
                    return Ok(Carried {
                        done: apply::Done::Applied(written),
                        standing: None,
                        notices: step.notices,
                    });
                }
                Err(error @ (CallError::Conflicts(_) | CallError::Stale(_))) => error,
                Err(error) => return Err(error),
            };
            match self.again(&step, &error).await? {
                Again::With(next) => step = *next,
                Again::NoNeed(standing) => {
                    let standing = standing.map(|one| *one);
                    return Ok(Carried::without_writing(apply::Done::Skipped, standing));
                }
                Again::Cannot => return Err(error),
            }
            last = Some(error);
        }
        Err(last.expect("the loop runs at least once"))
    }

    /// Somebody changed the object, or owns a field of it: decide anew on what is there now.
    async fn again(&self, step: &ApplyStep, error: &CallError) -> Result<Again, CallError> {
        let live = self.writer.get(&step.object).await?;
        if let (CallError::Conflicts(conflicts), Some(live)) = (error, &live) {
            let reported: Vec<(String, String)> = conflicts
                .iter()
                .map(|conflict| (conflict.field.clone(), conflict.manager.clone()))
                .collect();
            return Ok(apply::settle_step(step, live, &reported)
                .map_or(Again::Cannot, |step| Again::With(Box::new(step))));
        }
        Ok(self.decide_again(step, live.as_ref()))
    }

    fn decide_again(&self, step: &ApplyStep, live: Option<&Live>) -> Again {
        let owner = owner(self.job);
        let bundle = self.open.bundle.unpack();
        let wanted = apply::Wanted {
            bundle: &bundle,
            owner: &owner,
            epoch: self.open.claim.epoch,
            secrets: on_secrets(self.job, self.open),
        };
        let Some(manifest) = bundle.find(&step.object) else {
            return Again::Cannot;
        };
        match apply::plan_object(&wanted, manifest, Some(&self.open.stored.value), live) {
            Step::Apply(step) | Step::DryRun(step) => Again::With(Box::new(step)),
            Step::Skip { .. } => Again::NoNeed(live.and_then(Wanted::standing).map(Box::new)),
            Step::NeedsRecreate { .. } | Step::Blocked { .. } => Again::Cannot,
        }
    }

    /// Gives the replicas to the autoscaler before we stop sending them.
    async fn hand_over(&self, step: &mut ApplyStep) -> Result<(), CallError> {
        let Some(manifest) = step.hand_over.take() else {
            return Ok(());
        };
        let options = Apply {
            manager: HAND_OVER_MANAGER,
            force: true,
            uid: step.uid.clone(),
            resource_version: step.resource_version.clone(),
            timeout: Some(claim::rest(self.job, self.open)),
        };
        let live = self.writer.apply(&manifest, &options).await?;
        step.resource_version = Some(live.resource_version().to_owned());
        Ok(())
    }
}

/// Stamps what a vanished holder meant to write, so that whatever it still has under way is refused.
pub(super) async fn fence(job: &Job, open: &mut Open, live: &LiveObjects) -> Result<(), Halt> {
    let meant: Vec<ObjectRef> = std::mem::take(&mut open.fenced);
    let writer = job.cluster.writer();
    for object in meant.into_iter().filter(|object| live.contains_key(object)) {
        let stamp = apply::fence_stamp(&live[&object], open.claim.epoch);
        let options = Apply {
            manager: FENCE_MANAGER,
            force: true,
            timeout: Some(claim::rest(job, open)),
            ..Apply::default()
        };
        match writer.apply(&stamp, &options).await {
            Ok(_) => open.fenced.push(object),
            // Gone, or another one by now: nothing of the old holder can land on it.
            Err(CallError::Gone(_) | CallError::Stale(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Kinds that a stage defines must be served before anything of them is written.
async fn definitions_are_served(writer: &Writer, objects: &[ObjectRef]) -> Result<(), Halt> {
    let is_definition = |object: &&ObjectRef| object.kind == "CustomResourceDefinition";
    for object in objects.iter().filter(is_definition) {
        established(writer, object).await?;
        writer.forget_kinds();
    }
    Ok(())
}

async fn established(writer: &Writer, object: &ObjectRef) -> Result<(), Halt> {
    for _ in 0..ESTABLISHED {
        let live = writer.get(object).await?;
        let conditions = live
            .as_ref()
            .and_then(|live| live.value().pointer("/status/conditions")?.as_array());
        let is = |condition: &serde_json::Value| {
            condition["type"] == "Established" && condition["status"] == "True"
        };
        if conditions.is_some_and(|conditions| conditions.iter().any(is)) {
            return Ok(());
        }
        tokio::time::sleep(NAP).await;
    }
    Err(Halt::Refused(format!(
        "{object}: it was not established in time"
    )))
}
