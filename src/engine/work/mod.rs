//! The work on one tenant: claim, read, write, close. Whoever does it owns nothing but the claim.
//!
//! Killed between any two requests, the record says what was meant, and the next one who comes
//! takes the claim over and does it again.

mod adopt;
mod carry;
mod claim;
mod close;
mod hooks;
mod late;
mod leave;
pub(super) mod live;
mod place;
mod prune;
mod refresh;
mod remove;
mod secrets;
mod verify;
mod wanted;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::apply::{self, OnSecrets, Owner, TenantSteps};
use crate::cluster::{CallError, Cluster};
use crate::engine::clock::Clock;
use crate::engine::soaks::Soaks;
use crate::engine::store::{self, Trouble};
use crate::health::Wanted;
use crate::manifest::{Bundle, Digest, HookMoment, ObjectRef, SecretValues, Stage};
use crate::record::{self, Action, Hold, Inventory, Outcome, PackedBundle, Stored, TenantRecord};
use crate::rollout::Planned;
use crate::secret::Secrets;

pub use hooks::{HookDesk, HookNews, HookTold};
pub use leave::leave;
pub use place::Place;
pub use refresh::{Refresh, refresh};
pub use remove::{Removal, remove};
pub use wanted::{wanted_of, written_of};

/// What a worker is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Write the planned bundle.
    Forward,
    /// It is healthy: prune, record, close the claim.
    Close,
    /// Write the last good bundle.
    Back,
    /// It is healthy again: prune, record, close the claim.
    CloseBack,
    /// It failed and stays as it is: record that, close the claim.
    GiveUp,
}

/// What all workers of a rollout have in common.
#[derive(Clone)]
pub struct Terms {
    pub holder: String,
    pub who: String,
    pub why: String,
    pub action: Action,
    pub environment: String,
    pub rollout: Option<String>,
    /// Set together with the claim; `Some` also passes a hold that is there.
    pub hold: Option<Hold>,
    pub keep: record::Keep,
    pub soaks: Arc<Soaks>,
    /// Of what is skipped, how much the server is asked about.
    pub sample: apply::Sample,
    /// Where values of Secrets come from.
    pub secrets: Secrets,
    /// What becomes of Secrets on a way back.
    pub on_return: OnSecrets,
    /// Whether an adoption takes objects from Helm.
    pub ends_helm: bool,
}

/// How the way forward ended, for whom goes back or is left as it is.
#[derive(Clone)]
pub struct Cause {
    /// Failed; or interrupted, if it goes back with others.
    pub outcome: Outcome,
    /// What was wrong.
    pub why: String,
}

/// One tenant to work on.
pub struct Job {
    pub cluster: Cluster,
    pub planned: Planned,
    /// What the tenant is moved to.
    pub bundle: Option<PackedBundle>,
    /// The commit that it was rendered from.
    pub release: Option<String>,
    /// A hint; only the version on which the swap succeeds is believed.
    pub record: Option<Stored<TenantRecord>>,
    pub soak: SignedDuration,
    pub clock: Clock,
    pub terms: Terms,
    /// `None`: no hook runs, whatever the bundle says.
    pub hooks: Option<HookDesk>,
    /// `None` as long as all is well.
    pub cause: Option<Cause>,
}

/// A claim that is ours, and what was done under it.
pub struct Open {
    stored: Stored<TenantRecord>,
    claim: record::Claim,
    /// Packed: a claim stays open until the tenant is healthy, and many are at a time.
    bundle: PackedBundle,
    /// What was there before this claim's first write.
    before: Inventory,
    done: Vec<(ObjectRef, apply::Done)>,
    /// What became of fields that others have written, in words.
    settled: Vec<String>,
    /// What was left as it is, because it stands as wanted: whoever changes it later is noticed by this.
    standing: BTreeMap<ObjectRef, Wanted>,
    /// Of the Secrets that are being written.
    values: SecretValues,
    /// Objects that carry the stamp against a vanished holder's late writes.
    fenced: Vec<ObjectRef>,
    /// Whether there is such a holder.
    is_taken_over: bool,
}

impl Open {
    /// Remembers objects that are left as they are.
    fn leave(&mut self, objects: impl IntoIterator<Item = Wanted>) {
        let named = objects
            .into_iter()
            .map(|wanted| (wanted.object.clone(), wanted));
        self.standing.extend(named);
    }
}

/// How a piece of work ended. A claim that is still ours stays open until it is closed.
pub enum Done {
    /// We were told to stop before its turn came, or while a hook ran: whoever comes next goes on with it.
    NotBegun,
    /// Every write was accepted.
    Written {
        open: Box<Open>,
        writes: usize,
        wanted: Vec<Wanted>,
        /// What was not as we had written it when the claim was to be closed.
        again: Vec<ObjectRef>,
        /// What was skipped as unchanged, and would change, in words.
        false_no_ops: Vec<String>,
        /// What became of fields that others have written, in words.
        settled: Vec<String>,
    },
    Closed {
        record: Box<Stored<TenantRecord>>,
    },
    /// A write was refused, or nothing could be written.
    Refused {
        open: Option<Box<Open>>,
        why: String,
    },
    /// A hook did not succeed.
    HookFailed {
        open: Option<Box<Open>>,
        why: String,
        /// Its Job has ended. Else it goes on, and the next rollout looks at it.
        is_final: bool,
    },
    /// The claim is somebody else's, or the tenant is held.
    TakenOver {
        by: String,
    },
    /// The cluster does not answer: the same is to be done again when it does.
    Unreachable {
        open: Option<Box<Open>>,
        why: String,
    },
}

/// Why a piece of work stopped in the middle.
enum Halt {
    Refused(String),
    Hook {
        why: String,
        is_final: bool,
    },
    TakenOver(String),
    Unreachable(String),
    /// The process leaves.
    Stopped,
}

/// Does one piece of work on one tenant.
pub async fn perform(aim: Aim, job: Job, mut open: Option<Open>, mut place: Place) -> Done {
    let outcome = match aim {
        Aim::Forward => forward(&job, &mut open, &mut place).await,
        Aim::Back => back(&job, &mut open).await,
        Aim::Close | Aim::CloseBack | Aim::GiveUp => {
            close::close(aim, &job, &mut open, &mut place).await
        }
    };
    let settled = open.as_mut().map(|open| std::mem::take(&mut open.settled));
    let settled = settled.unwrap_or_default();
    match (outcome, open.map(Box::new)) {
        (Ok(Reached::Written(writes)), Some(open)) => Done::Written {
            writes,
            settled,
            wanted: wanted::wanted_after(&open),
            false_no_ops: match aim {
                Aim::Forward => verify::false_no_ops(&job, &open).await,
                _ => Vec::new(),
            },
            open,
            again: Vec::new(),
        },
        (Ok(Reached::Mended(again)), Some(open)) => Done::Written {
            writes: again.len(),
            settled,
            wanted: wanted::wanted_after(&open),
            open,
            again,
            false_no_ops: Vec::new(),
        },
        (Ok(Reached::Written(_) | Reached::Mended(_)), None) => {
            unreachable!("nothing is written without a claim")
        }
        (Ok(Reached::Closed(record)), _) => Done::Closed { record },
        (Err(Halt::Refused(why)), open) => Done::Refused { open, why },
        (Err(Halt::Hook { why, is_final }), open) => Done::HookFailed {
            open,
            why,
            is_final,
        },
        (Err(Halt::Stopped), _) => Done::NotBegun,
        (Err(Halt::Unreachable(why)), open) => Done::Unreachable { open, why },
        (Err(Halt::TakenOver(by)), _) => Done::TakenOver { by },
    }
}

/// What a piece of work came to.
enum Reached {
    /// So many objects were written.
    Written(usize),
    Closed(Box<Stored<TenantRecord>>),
    /// These objects were written again.
    Mended(Vec<ObjectRef>),
}

/// Writes the planned bundle, under a new claim, or the one that is open since the cluster did not answer.
async fn forward(job: &Job, open: &mut Option<Open>, place: &mut Place) -> Result<Reached, Halt> {
    let bundle = job
        .bundle
        .as_ref()
        .ok_or_else(|| Halt::Refused("its bundle was not rendered".to_owned()))?;
    if open.is_none() {
        store::put_bundle(&job.cluster.writer(), bundle).await?;
    }
    let goal = claim::Goal {
        action: job.terms.action,
        digest: bundle.digest().clone(),
        release: job.release.clone(),
    };
    let open = claimed(job, goal, bundle.clone(), open).await?;
    let first = hooks::due(job, open, &[HookMoment::PreRollout]);
    let mut writes = 0;
    if !first.is_empty() {
        writes += write_namespace(job, open).await?;
        hooks::run(job, open, first, place).await?;
        place.come_back().await;
    }
    writes += write_all(job, open).await?;
    if open.claim.action == Action::Adopt {
        adopt::disown(job, open).await?;
    }
    Ok(Reached::Written(writes))
}

/// Goes back to the last good bundle, under the claim that is still open, or a new one.
async fn back(job: &Job, open: &mut Option<Open>) -> Result<Reached, Halt> {
    let digest = job
        .planned
        .last_good
        .clone()
        .ok_or_else(|| Halt::Refused("there is nothing to go back to".to_owned()))?;
    let record = open
        .as_ref()
        .map(|open| &open.stored)
        .or(job.record.as_ref());
    refuse_barred(record, &digest)?;
    let bundle = store::bundle(&job.cluster.reader(), &digest).await?;
    let goal = claim::Goal {
        action: Action::Rollback,
        release: release_of(record, &digest),
        digest,
    };
    let open = claimed(job, goal, bundle, open).await?;
    write_all(job, open).await.map(Reached::Written)
}

/// Makes sure of the claim.
async fn claimed<'a>(
    job: &Job,
    goal: claim::Goal,
    bundle: PackedBundle,
    open: &'a mut Option<Open>,
) -> Result<&'a mut Open, Halt> {
    match open {
        Some(open) => {
            claim::turn(job, goal, bundle, open).await?;
            Ok(open)
        }
        None => Ok(open.insert(claim::take(job, goal, bundle).await?)),
    }
}

/// Nobody is put back behind a hook that cannot be undone.
fn refuse_barred(record: Option<&Stored<TenantRecord>>, digest: &Digest) -> Result<(), Halt> {
    let bar = record.and_then(|stored| stored.value.bar(stored.value.good(digest)?));
    match bar {
        Some((hook, _)) => Err(Halt::Refused(format!(
            "hook `{hook}` succeeded and is irreversible"
        ))),
        None => Ok(()),
    }
}

fn release_of(record: Option<&Stored<TenantRecord>>, digest: &Digest) -> Option<String> {
    record
        .and_then(|stored| stored.value.good(digest))
        .and_then(|good| good.release.clone())
}

/// What a hook runs in, before anything else. A hook is not run for a bundle that cannot be written.
async fn write_namespace(job: &Job, open: &mut Open) -> Result<usize, Halt> {
    let steps = steps(job, open).await?;
    let mut writes = 0;
    for stage in steps
        .into_stages()
        .take_while(|stage| is_of_namespace(stage))
    {
        claim::keep(job, open).await?;
        writes += carry::stage(job, open, stage).await?;
    }
    Ok(writes)
}

fn is_of_namespace(stage: &[apply::Step]) -> bool {
    let mut objects = stage.iter().map(apply::Step::object);
    objects.all(|object| Stage::of(object) == Stage::Namespace)
}

/// Reads what is there, decides, writes stage by stage.
async fn write_all(job: &Job, open: &mut Open) -> Result<usize, Halt> {
    let steps = steps(job, open).await?;
    let mut writes = 0;
    for stage in steps.into_stages() {
        claim::keep(job, open).await?;
        writes += carry::stage(job, open, stage).await?;
    }
    open.values = SecretValues::default();
    Ok(writes)
}

/// What is to be written. Trees are large: of what is not sent none is left.
async fn steps(job: &Job, open: &mut Open) -> Result<TenantSteps, Halt> {
    let bundle = open.bundle.unpack();
    let objects = live::objects_of(&bundle, &open.stored.value.ordinary());
    let live = live::read(
        &job.cluster.reader(),
        &job.planned.place.namespace,
        &objects,
    )
    .await?;
    carry::fence(job, open, &live).await?;
    let steps = decide(job, open, &bundle, &live)?;
    refuse_what_cannot_be(&steps)?;
    open.values = secrets::read(job, &steps).await?;
    let skipped = steps.skipped().filter_map(|object| live.get(object));
    open.leave(skipped.filter_map(Wanted::standing));
    Ok(steps)
}

/// What becomes of Secrets under a claim.
fn on_secrets(job: &Job, open: &Open) -> OnSecrets {
    match open.claim.action {
        Action::Rollback => job.terms.on_return,
        Action::Adopt => OnSecrets::Leave,
        _ => OnSecrets::Apply,
    }
}

fn decide(
    job: &Job,
    open: &Open,
    bundle: &Bundle,
    live: &apply::LiveObjects,
) -> Result<TenantSteps, Halt> {
    let owner = owner(job);
    let wanted = apply::Wanted {
        bundle,
        owner: &owner,
        epoch: open.claim.epoch,
        secrets: on_secrets(job, open),
    };
    apply::plan_tenant(&wanted, Some(&open.stored.value), live)
        .map_err(|error| Halt::Refused(error.to_string()))
}

/// Nothing of a tenant is written if a part of it cannot be.
fn refuse_what_cannot_be(steps: &TenantSteps) -> Result<(), Halt> {
    let refused: Vec<String> = steps
        .steps
        .iter()
        .filter_map(|step| match step {
            apply::Step::NeedsRecreate { object, fields, .. } => Some(format!(
                "{object} cannot change in place: {}",
                fields.join(", ")
            )),
            apply::Step::Blocked { object, why } => Some(format!("{object}: {why}")),
            apply::Step::Skip { .. } | apply::Step::Apply(_) | apply::Step::DryRun(_) => None,
        })
        .collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Halt::Refused(refused.join("; ")))
    }
}

fn owner(job: &Job) -> Owner {
    Owner {
        environment: job.terms.environment.clone(),
        tenant: job.planned.place.tenant.clone(),
        namespace: job.planned.place.namespace.clone(),
    }
}

impl From<CallError> for Halt {
    fn from(error: CallError) -> Self {
        if error.is_of_the_cluster() {
            Self::Unreachable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Call(error) => error.into(),
            Trouble::Record(error) => Self::Refused(error.to_string()),
        }
    }
}
