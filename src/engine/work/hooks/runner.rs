//! The hooks of one platform: each a Job that is noted before it is made, known by its uid, watched to its end.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{HookDesk, HookNews, HookTold};
use crate::apply::{self, HookStep, HookTerms, JobSight};
use crate::cluster::{Apply, CallError, Kind, Preconditions, Within};
use crate::engine::work::{Halt, Job, Open, claim, owner};
use crate::health::{ObjectHealth, Surroundings, Tolerance, Verdict, judge_workload};
use crate::manifest::{Hook, Live, ObjectRef};
use crate::record::{self, HookEnd, HookNote, HookRun};

/// A Job is looked at so often at first, then more seldom: a migration of an hour is not asked 1,800 times.
const LOOK: Duration = Duration::from_secs(2);
const SLOW_LOOK: Duration = Duration::from_secs(10);

/// What was seen of the Job of a run.
pub(super) enum Sight {
    /// It is not there any more.
    Gone,
    Succeeded,
    Failed(String),
    /// It will not end by itself.
    Doomed(String),
    Runs {
        how: String,
        has_begun: bool,
    },
}

/// Hooks that run one after the other, and how far the first of them is.
pub(super) struct Runner<'a> {
    job: &'a Job,
    desk: &'a HookDesk,
    hooks: VecDeque<&'a Hook>,
    /// Since when the first of them is waited for, by this process.
    since: Timestamp,
    /// The run of the first whose Job is there, or was.
    following: Option<Following>,
}

struct Following {
    run: HookRun,
    was_seen: bool,
}

/// Where hooks stand once all is written that can be now.
pub(super) enum Stand {
    /// The end of a Job is waited for.
    Follows,
    /// All have succeeded, or none is to be begun any more.
    Ended,
}

/// Whether a look at a Job brought anything.
pub(super) enum News {
    Some,
    None,
}

impl<'a> Runner<'a> {
    pub fn new(job: &'a Job, desk: &'a HookDesk, hooks: VecDeque<&'a Hook>) -> Self {
        Self {
            job,
            desk,
            hooks,
            since: job.clock.now(),
            following: None,
        }
    }

    fn hook(&self) -> &'a Hook {
        self.hooks.front().expect("whoever has none has ended")
    }

    /// Goes on until the end of a Job has to be waited for.
    pub async fn step(&mut self, open: &mut Open, may_begin: bool) -> Result<Stand, Halt> {
        while self.following.is_none() {
            if *self.desk.leave.borrow() {
                return Err(Halt::Stopped);
            }
            match self.decide(open) {
                HookStep::Done => {
                    self.hooks.pop_front();
                    self.since = self.job.clock.now();
                    if self.hooks.is_empty() || !may_begin {
                        return Ok(Stand::Ended);
                    }
                }
                HookStep::Failed { why } => return Err(self.failed(&why, true)),
                HookStep::Begin(run) => {
                    claim::keep(self.job, open).await?;
                    self.note(open, HookNote::Begun(run)).await?;
                }
                HookStep::Find(run) => self.find(open, &run).await?,
                HookStep::Follow(run) => {
                    self.tell(HookTold::Started {
                        job: run.job.name.clone(),
                    });
                    let was_seen = false;
                    self.following = Some(Following { run, was_seen });
                }
            }
        }
        Ok(Stand::Follows)
    }

    fn decide(&self, open: &Open) -> HookStep {
        let known = open.stored.value.hooks.get(self.hook().name());
        let terms = HookTerms {
            rollout: open.claim.rollout.as_deref(),
            now: self.job.clock.now(),
        };
        apply::hook_step(self.hook(), known, terms)
    }

    async fn note(&self, open: &mut Open, note: HookNote) -> Result<(), Halt> {
        let mine = open.claim.clone();
        let stored = claim::change(self.job, &open.stored, |record| {
            record::note_hook(record, &mine, self.hook().name(), note.clone())
        });
        let stored = stored.await?;
        claim::settle(open, stored);
        Ok(())
    }

    async fn ended(&self, open: &mut Open, end: HookEnd) -> Result<(), Halt> {
        let note = HookNote::Ended {
            end,
            at: self.job.clock.now(),
        };
        self.note(open, note).await
    }

    /// Finds the Job of a run that was noted, or makes it.
    async fn find(&self, open: &mut Open, run: &HookRun) -> Result<(), Halt> {
        let writer = self.job.cluster.writer();
        claim::keep(self.job, open).await?;
        let found = writer.get(&run.job).await?;
        match apply::job_sight(run, found.as_ref(), &owner(self.job)) {
            JobSight::Ours { uid } => {
                // It landed, and nobody heard so.
                open.done.push((run.job.clone(), apply::Done::Skipped));
                self.note(open, HookNote::Made { uid }).await
            }
            JobSight::NotOurs(why) => Err(Halt::Refused(format!("{}: {why}", run.job))),
            // It was meant for another key, and nobody made it.
            JobSight::NotThere if run.key != self.hook().key => {
                self.ended(open, HookEnd::Lost).await
            }
            JobSight::NotThere => self.make(open, run).await,
        }
    }

    async fn make(&self, open: &mut Open, run: &HookRun) -> Result<(), Halt> {
        let bundle = open.bundle.unpack();
        let manifests = bundle.manifests().iter();
        let manifest = manifests
            .clone()
            .find(|manifest| *manifest.object() == self.hook().object)
            .expect("the hook was read from this bundle");
        let made = apply::hook_job(manifest, run, &owner(self.job), open.claim.epoch);
        let options = Apply {
            timeout: Some(claim::rest(self.job, open)),
            ..Apply::default()
        };
        let writer = self.job.cluster.writer();
        let live = writer.apply(made.value(), &options).await?;
        let written = apply::written(&live, &made.digest());
        open.done
            .push((run.job.clone(), apply::Done::Applied(written)));
        let uid = live.uid().to_owned();
        self.note(open, HookNote::Made { uid }).await
    }

    /// Takes in what was seen of the Job that is waited for.
    pub async fn take_in(&mut self, open: &mut Open, sight: Sight) -> Result<News, Halt> {
        let Some(Following { run, was_seen }) = self.following.take() else {
            return Ok(News::Some);
        };
        let is_for_this = run.key == self.hook().key;
        match sight {
            // It ended while nobody looked, and its time to live was over: another attempt.
            Sight::Gone if !was_seen => self.ended(open, HookEnd::Lost).await?,
            Sight::Gone => {
                let why = format!("{} was deleted before it ended", run.job);
                let end = HookEnd::Failed { why: why.clone() };
                self.ended(open, end).await?;
                return Err(self.failed(&why, true));
            }
            Sight::Succeeded => {
                self.ended(open, HookEnd::Succeeded).await?;
                self.tell(HookTold::Succeeded {
                    is_irreversible: run.is_irreversible,
                });
            }
            Sight::Failed(why) => self.ended(open, HookEnd::Failed { why }).await?,
            Sight::Doomed(_)
            | Sight::Runs {
                has_begun: false, ..
            } if !is_for_this => self.replace(open, &run).await?,
            Sight::Doomed(why) => return Err(self.failed(&why, false)),
            Sight::Runs { how, .. } if self.is_late() => {
                let limit = self.desk.deadline;
                let why = format!("not done after {limit}, and not stopped: {how}");
                return Err(self.failed(&why, false));
            }
            Sight::Runs { .. } => {
                let was_seen = true;
                self.following = Some(Following { run, was_seen });
                return Ok(News::None);
            }
        }
        Ok(News::Some)
    }

    /// Takes away a Job for another key of which no pod ever began: the release that it came with cannot run it.
    async fn replace(&self, open: &mut Open, run: &HookRun) -> Result<(), Halt> {
        claim::keep(self.job, open).await?;
        let meant = Preconditions {
            uid: run.uid.clone().unwrap_or_default(),
            resource_version: None,
        };
        let rest = claim::rest(self.job, open);
        match self
            .job
            .cluster
            .writer()
            .delete(&run.job, &meant, Some(rest))
            .await
        {
            Ok(_) | Err(CallError::Gone(_) | CallError::Stale(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let why = "it never began, and another release came".to_owned();
        self.ended(open, HookEnd::Failed { why }).await
    }

    /// Looks at the Job that is waited for.
    pub async fn look(&self) -> Result<Sight, Halt> {
        let Some(Following { run, .. }) = &self.following else {
            return Ok(Sight::Gone);
        };
        let reader = self.job.cluster.reader();
        let now = self.job.clock.now();
        let found = reader.get(&run.job).await?;
        let Some(live) = found.filter(|live| run.uid.as_deref() == Some(live.uid())) else {
            return Ok(Sight::Gone);
        };
        let pods = self.pods(&run.job).await?;
        let health = judge_workload(
            &live,
            &Surroundings {
                pods: &pods,
                replica_sets: &[],
                written_at: Some(run.since),
                now,
                tolerance: Tolerance::default(),
            },
        );
        Ok(sight(&live, &pods, &health))
    }

    async fn pods(&self, job: &ObjectRef) -> Result<Vec<Live>, CallError> {
        let reader = self.job.cluster.reader();
        let within = Within::Namespace(job.namespace.as_deref().unwrap_or_default());
        let selector = format!("job-name={}", job.name);
        reader.list(&Kind::pod(), within, Some(&selector)).await
    }

    fn is_late(&self) -> bool {
        self.desk.deadline.to_signed() <= self.job.clock.now().duration_since(self.since)
    }

    /// Until the next look, or until the process leaves.
    pub async fn pause(&self) -> Result<(), Halt> {
        let waited = self.job.clock.now().duration_since(self.since);
        let pace = if waited < SignedDuration::from_mins(1) {
            LOOK
        } else {
            SLOW_LOOK
        };
        let mut leave = self.desk.leave.clone();
        tokio::select! {
            biased;
            Ok(_) = leave.wait_for(|leave| *leave) => Err(Halt::Stopped),
            () = tokio::time::sleep(pace) => Ok(()),
        }
    }

    fn failed(&self, why: &str, is_final: bool) -> Halt {
        Halt::Hook {
            why: format!("{}: {why}", named(self.hook())),
            is_final,
        }
    }

    fn tell(&self, told: HookTold) {
        // Whoever listened may be gone: what happened is in the record.
        let _ = self.desk.news.send(HookNews {
            tenant: self.job.planned.place.tenant.clone(),
            hook: self.hook().name().to_owned(),
            told,
        });
    }
}

/// ``pre-rollout hook `migrate-carbone` of platform `carbone` ``
fn named(hook: &Hook) -> String {
    let of = hook.platform.as_ref();
    let of = of.map_or_else(String::new, |platform| format!(" of platform `{platform}`"));
    format!("{} hook `{}`{of}", hook.moment, hook.name())
}

/// Only what the Job itself says is its end.
fn sight(live: &Live, pods: &[Live], health: &ObjectHealth) -> Sight {
    let holds = |kind: &str| {
        let conditions = live.value().pointer("/status/conditions");
        let mut conditions = conditions
            .and_then(|all| all.as_array())
            .into_iter()
            .flatten();
        conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    if holds("Complete") {
        Sight::Succeeded
    } else if holds("Failed") {
        Sight::Failed(health.to_string())
    } else if health.verdict == Verdict::Failed {
        Sight::Doomed(health.to_string())
    } else {
        Sight::Runs {
            how: health.to_string(),
            has_begun: apply::has_begun(pods),
        }
    }
}
