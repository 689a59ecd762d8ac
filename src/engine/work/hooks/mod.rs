//! Runs the hooks of a tenant, turn by turn.
//!
//! Whoever waits for a Job keeps nobody from writing, and does not renew its claim: a typed rollback may take the tenant
//! meanwhile. Killed anywhere, the record names the Jobs, and the next one goes on with them.

mod runner;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::stream;
use tokio::sync::{Mutex, mpsc, watch};

use super::place::Place;
use super::{Halt, Job, Open};
use crate::apply;
use crate::fleet::config;
use crate::manifest::{Hook, HookMoment};
use crate::record::Action;
use runner::Runner;

/// The hooks of so many platforms run at once: a tenant may have a hundred, and one database server.
const AT_ONCE: usize = 8;

/// What a worker needs to run hooks.
#[derive(Clone)]
pub struct HookDesk {
    /// How long a hook may take: the tenant's `progressDeadline`.
    pub deadline: config::Duration,
    /// Nobody waits for hooks any more: the process leaves.
    pub leave: watch::Receiver<bool>,
    pub news: mpsc::UnboundedSender<HookNews>,
}

/// What is told of a hook while its tenant is worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookNews {
    pub tenant: String,
    pub hook: String,
    pub told: HookTold,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookTold {
    Started { job: String },
    Succeeded { is_irreversible: bool },
}

/// The claim under which hooks run, for all that run at once: one of them changes it at a time.
type Table<'a> = Mutex<Claimed<'a>>;

struct Claimed<'a> {
    open: &'a mut Open,
    place: &'a mut Place,
}

/// The hooks of these moments that have to run, in order. None on a way back.
pub(super) fn due(job: &Job, open: &Open, moments: &[HookMoment]) -> Vec<Hook> {
    if job.hooks.is_none() || open.claim.action != Action::Rollout {
        return Vec::new();
    }
    let hooks = open.bundle.hooks().iter();
    let hooks = hooks.filter(|hook| moments.contains(&hook.moment));
    let known = &open.stored.value.hooks;
    hooks
        .filter(|hook| !apply::is_done(hook, known.get(hook.name())))
        .cloned()
        .collect()
}

/// Runs hooks, turn by turn; a turn in which one fails is the last.
pub(super) async fn run(
    job: &Job,
    open: &mut Open,
    hooks: Vec<Hook>,
    place: &mut Place,
) -> Result<(), Halt> {
    let Some(desk) = &job.hooks else {
        return Ok(());
    };
    let table = Table::new(Claimed { open, place });
    for hooks in hooks.chunk_by(|a, b| a.turn() == b.turn()) {
        run_turn(job, desk, hooks, &table).await?;
    }
    Ok(())
}

/// Platforms do not wait for one another. Once a hook has failed no other is begun, and those under way come to their end.
async fn run_turn(
    job: &Job,
    desk: &HookDesk,
    hooks: &[Hook],
    table: &Table<'_>,
) -> Result<(), Halt> {
    let mut lanes: BTreeMap<Option<&str>, Vec<&Hook>> = BTreeMap::new();
    for hook in hooks {
        let lane = lanes.entry(hook.platform.as_deref()).or_default();
        lane.push(hook);
    }
    let has_failed = AtomicBool::new(false);
    let run_lane = async |lane: Vec<&Hook>| {
        for hook in lane {
            if has_failed.load(Ordering::Relaxed) {
                break;
            }
            let since = job.clock.now();
            let runner = Runner {
                job,
                desk,
                hook,
                since,
            };
            runner.run(table).await?;
        }
        Ok(())
    };
    let lanes = lanes.into_values().map(run_lane);
    let mut ended = stream::iter(lanes).buffer_unordered(AT_ONCE);
    let mut failures = Failures::default();
    while let Some(ended) = ended.next().await {
        if let Err(halt) = ended {
            has_failed.store(true, Ordering::Relaxed);
            failures.add(halt)?;
        }
    }
    failures.end()
}

/// The hooks of a turn that did not succeed.
#[derive(Default)]
struct Failures {
    why: Vec<String>,
    /// Jobs of some of them go on.
    goes_on: bool,
}

impl Failures {
    /// Whatever else stopped a hook stops all at once.
    fn add(&mut self, halt: Halt) -> Result<(), Halt> {
        let Halt::Hook { why, is_final } = halt else {
            return Err(halt);
        };
        self.why.push(why);
        self.goes_on |= !is_final;
        Ok(())
    }

    fn end(mut self) -> Result<(), Halt> {
        if self.why.is_empty() {
            return Ok(());
        }
        self.why.sort();
        Err(Halt::Hook {
            why: self.why.join("; "),
            is_final: !self.goes_on,
        })
    }
}
