//! Runs the hooks of a tenant, turn by turn.
//!
//! Whoever waits for a Job keeps nobody from writing, and does not renew its claim: a typed rollback may take the tenant
//! meanwhile. Killed anywhere, the record names the Jobs, and the next one goes on with them.

mod runner;

use std::collections::{BTreeMap, VecDeque};

use futures::future::join_all;
use tokio::sync::{mpsc, watch};

use super::place::Place;
use super::{Halt, Job, Open};
use crate::apply;
use crate::fleet::config;
use crate::manifest::{Hook, HookMoment};
use crate::record::Action;
use runner::{News, Runner, Stand};

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
    for hooks in hooks.chunk_by(|a, b| a.turn() == b.turn()) {
        run_turn((job, desk), open, lanes(hooks), place).await?;
    }
    Ok(())
}

/// The hooks of each platform, one after the other.
fn lanes(hooks: &[Hook]) -> VecDeque<VecDeque<&Hook>> {
    let mut lanes: BTreeMap<Option<&str>, VecDeque<&Hook>> = BTreeMap::new();
    for hook in hooks {
        let lane = lanes.entry(hook.platform.as_deref()).or_default();
        lane.push_back(hook);
    }
    lanes.into_values().collect()
}

/// Platforms do not wait for one another: their Jobs are looked at side by side, and what is written is written one thing
/// after the other. Once a hook has failed no other is begun, and those under way come to their end.
async fn run_turn(
    (job, desk): (&Job, &HookDesk),
    open: &mut Open,
    mut waiting: VecDeque<VecDeque<&Hook>>,
    place: &mut Place,
) -> Result<(), Halt> {
    let mut running: Vec<Runner> = Vec::new();
    let mut failures = Failures::default();
    loop {
        while running.len() < AT_ONCE
            && failures.is_none()
            && let Some(lane) = waiting.pop_front()
        {
            running.push(Runner::new(job, desk, lane));
        }
        let mut following = Vec::new();
        for mut runner in running {
            match runner.step(open, failures.is_none()).await {
                Ok(Stand::Follows) => following.push(runner),
                Ok(Stand::Ended) => {}
                Err(halt) => failures.add(halt)?,
            }
        }
        if following.is_empty() && (waiting.is_empty() || !failures.is_none()) {
            return failures.end();
        }
        place.leave();
        let sights = join_all(following.iter().map(Runner::look)).await;
        let mut is_any_news = following.is_empty();
        running = Vec::new();
        for (mut runner, sight) in following.into_iter().zip(sights) {
            match runner.take_in(open, sight?).await {
                Ok(News::Some) => is_any_news = true,
                Ok(News::None) => {}
                Err(halt) => {
                    failures.add(halt)?;
                    continue;
                }
            }
            running.push(runner);
        }
        if !is_any_news && let Some(first) = running.first() {
            first.pause().await?;
        }
    }
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

    fn is_none(&self) -> bool {
        self.why.is_empty()
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
