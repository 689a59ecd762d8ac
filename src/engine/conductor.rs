//! The conductor: asks `next`, records what it decides, lets workers act, takes in what they report.
//!
//! It alone owns progress and ledger. Workers own nothing: each gets what it needs, and reports in
//! a closed type. Everything that it knows can be rebuilt from the records.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::absences::Probes;
use super::attention::Attention;
use super::clock::Clock;
use super::clusters::Clusters;
use super::controls::Controls;
use super::desks::Desks;
use super::hook_news::HookLine;
use super::lease::Lease;
use super::ledger::Ledger;
use super::looks::{Looked, Looks};
use super::reports::Report;
use super::rollouts::Heard;
use super::stop::{self, Stop};
use super::words;
use super::work::{self, Aim, Cause, Done, Job, Open, Place};
use crate::record::{self, Hold, PackedBundle, Stored, TenantRecord};
use crate::rollout::{Frozen, Next, Outcome, Phase, Progress, TenantProgress, Wait, What, Whom};

/// Whoever has just come looks around for so long before it leaves again; a cluster may not answer.
const AWAKE: Duration = Duration::from_mins(1);

/// Everything that a rollout needs to run.
pub struct Conductor<'a> {
    pub clusters: Clusters,
    pub clock: Clock,
    pub frozen: Frozen,
    /// A typed rollback has no record on the hub, and no lease: it needs neither.
    pub ledger: Option<Ledger>,
    pub lease: Option<Lease>,
    /// What each tenant of the plan is moved to.
    pub bundles: BTreeMap<String, PackedBundle>,
    /// The commits that these bundles were rendered from.
    pub releases: BTreeMap<String, String>,
    /// The records that the plan was made from: hints for the first compare-and-swap.
    pub records: BTreeMap<String, Stored<TenantRecord>>,
    /// Clusters whose records could not be read, and why.
    pub unread: BTreeMap<String, String>,
    pub terms: work::Terms,
    /// Holds that tenants get with it.
    pub holds: BTreeMap<String, Hold>,
    pub stop: watch::Receiver<Stop>,
    /// Stop waiting for people and soaks after this long.
    pub wait_limit: Option<Duration>,
    pub audience: &'a mut (dyn FnMut(Heard<'_>) + Send),
}

/// How a run of the conductor ended; the rollout may go on later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Finished {
        outcome: Outcome,
        why: String,
    },
    /// Only a person can go on; `failed` if that is because of a failure.
    Person {
        on: Vec<String>,
        failed: bool,
    },
    /// Told to stop, or waited long enough: run it again.
    LeftOff {
        why: String,
        /// When it goes on at the latest, if somebody runs it.
        until: Option<Timestamp>,
    },
    /// Somebody else conducts now.
    LeaseLost,
}

/// What changes while the conductor runs.
pub(super) struct Stage {
    pub(super) progress: Progress,
    /// Claims that are open, by tenant.
    pub(super) open: BTreeMap<String, Open>,
    pub(super) work: JoinSet<Report>,
    desks: Desks,
    pub(super) looks: Looks,
    pub(super) probes: Probes,
    pub(super) controls: Controls,
    pub(super) attention: Attention,
    pub(super) hooks: HookLine,
    pub(super) next_listen: Instant,
    pub(super) words: words::Known,
    pub(super) heard: BTreeSet<String>,
    pub(super) idle_since: Instant,
}

impl Stage {
    /// Whether nobody is written to or settles.
    fn is_calm(&self) -> bool {
        let mut tenants = self.progress.tenants.values();
        self.work.is_empty() && !tenants.any(|tenant| tenant.phase.is_in_flight())
    }

    /// Whether everybody that soaks was looked at, so that what has passed while nobody was there is known.
    fn has_seen_all(&self) -> bool {
        let is_unseen = |tenant: &TenantProgress| {
            matches!(tenant.phase, Phase::Succeeded { .. }) && tenant.last_sample.is_none()
        };
        !self.progress.tenants.values().any(is_unseen)
    }
}

impl Conductor<'_> {
    /// Runs until the rollout has ended, or only time or a person can go on.
    pub async fn run(mut self, progress: Progress) -> anyhow::Result<(Ending, Progress, Frozen)> {
        let mut stage = self.stage(progress);
        self.skip_old_words(&mut stage).await;
        self.rewatch_all(&mut stage);
        match self.conduct(&mut stage).await {
            Ok(ending) => self.end(stage, ending).await,
            Err(error) => {
                stage.abandon().await;
                Err(error)
            }
        }
    }

    async fn conduct(&mut self, stage: &mut Stage) -> anyhow::Result<Ending> {
        self.lose_unread(stage).await?;
        loop {
            if stop::is_asked(&self.stop) {
                self.finish_writes(stage).await?;
                return Ok(Ending::LeftOff {
                    why: "stopped".to_owned(),
                    until: None,
                });
            }
            // A process that got no time to run for long may not have it any more.
            if self.lease.as_ref().is_some_and(Lease::has_run_out)
                && let Some(ending) = self.renew_lease(stage).await
            {
                return Ok(ending);
            }
            self.listen(stage).await?;
            if stage.attention.was_lost(self.clock) {
                stage.look_again();
            }
            match self.frozen.next(&stage.progress, self.clock.now()) {
                Next::Do(decisions) => {
                    // Who was taken meanwhile changes what there is to tell: it is asked again.
                    if decisions.iter().any(is_the_end) && self.lose_taken_by_now(stage).await? {
                        continue;
                    }
                    stage.idle_since = Instant::now();
                    for what in decisions {
                        self.happen(stage, what).await?;
                        // What was decided before is decided anew.
                        if stage.attention.is_lost() {
                            break;
                        }
                    }
                }
                Next::Finished { outcome, why } => return Ok(Ending::Finished { outcome, why }),
                Next::Wait(wait) => {
                    if let Some(ending) = self.leaves(stage, &wait) {
                        return Ok(ending);
                    }
                    let now = self.clock.now();
                    (self.audience)(Heard::Waits { wait: &wait, now });
                    if let Some(ending) = self.wait(stage, &wait).await? {
                        return Ok(ending);
                    }
                }
            }
        }
    }

    async fn end(
        mut self,
        mut stage: Stage,
        ending: Ending,
    ) -> anyhow::Result<(Ending, Progress, Frozen)> {
        // The last writes (claims being closed) are finished, whatever the ending.
        self.finish_writes(&mut stage).await?;
        if let Some(lease) = self.lease.take_if(|_| ending != Ending::LeaseLost) {
            lease.release().await;
        }
        Ok((ending, stage.progress, self.frozen))
    }

    fn stage(&self, progress: Progress) -> Stage {
        let all_go_back = self.terms.action == record::Action::Rollback;
        Stage {
            progress,
            open: BTreeMap::new(),
            work: JoinSet::new(),
            desks: Desks::of(&self.frozen.plan),
            looks: Looks::new(&self.frozen, self.clock, all_go_back),
            probes: Probes::default(),
            controls: Controls::default(),
            attention: Attention::new(self.clock),
            hooks: HookLine::default(),
            next_listen: Instant::now(),
            words: words::Known::default(),
            heard: BTreeSet::new(),
            idle_since: Instant::now(),
        }
    }

    /// Whether to leave instead of waiting. Whoever is in flight settles first: nobody's claim is left open, and runs
    /// that follow each other come on.
    fn leaves(&self, stage: &Stage, wait: &Wait) -> Option<Ending> {
        let waited = stage.idle_since.elapsed();
        let is_awake = waited >= AWAKE || stage.has_seen_all();
        let is_long = is_awake && self.wait_limit.is_some_and(|limit| waited >= limit);
        match wait.whom {
            Whom::Person { failed } if failed || is_long => Some(Ending::Person {
                on: wait.on.clone(),
                failed,
            }),
            Whom::Tenants | Whom::Gate if is_long && stage.is_calm() => Some(Ending::LeftOff {
                why: format!("waited long enough for {}", wait.on.join(", ")),
                until: wait.until,
            }),
            Whom::Person { .. } | Whom::Tenants | Whom::Gate => None,
        }
    }

    /// Waits for the first thing that happens; the ending, if the lease is lost by it.
    async fn wait(&mut self, stage: &mut Stage, wait: &Wait) -> anyhow::Result<Option<Ending>> {
        stage
            .looks
            .start(&self.clusters, &stage.progress, &self.records);
        self.look_at_controls(stage)?;
        let deadline = self.wake_up(stage, wait);
        let lease_due = self.lease.as_ref().map(Lease::due);
        tokio::select! {
            biased;
            Some(done) = stage.work.join_next() => self.take_in_all(stage, done).await?,
            news = stage.hooks.told() => self.take_in_hook(stage, news).await?,
            looked = stage.looks.ended() => self.take_in_look(stage, looked?).await?,
            seen = stage.controls.ended() => self.take_in_controls(stage, seen?).await?,
            found = stage.probes.ended() => self.take_in_cluster(stage, found?).await?,
            () = until(lease_due) => return Ok(self.renew_lease(stage).await),
            Ok(()) = self.stop.changed() => {}
            () = tokio::time::sleep_until(deadline) => {}
        }
        Ok(None)
    }

    async fn take_in_look(&mut self, stage: &mut Stage, looked: Looked) -> anyhow::Result<()> {
        if let Some((cluster, why)) = looked.trouble() {
            self.lose_cluster(stage, &cluster, why).await?;
        }
        let changed = stage
            .looks
            .take_in(looked, &self.frozen, &mut stage.progress);
        self.lose_taken(stage, changed).await?;
        Ok(())
    }

    /// The next time at which something is due.
    fn wake_up(&self, stage: &Stage, wait: &Wait) -> Instant {
        let looks = stage.looks.next().into_iter().chain(stage.controls.next());
        let soon = looks.fold(stage.next_listen, Instant::min);
        let until = wait.until.map(|until| {
            let left = until.duration_since(self.clock.now());
            Instant::now() + Duration::try_from(left).unwrap_or_default()
        });
        until.map_or(soon, |until| until.min(soon))
    }

    // --- Events ---

    /// Records an event, folds it in, and starts the work that it asks for.
    pub(super) async fn happen(&mut self, stage: &mut Stage, what: What) -> anyhow::Result<()> {
        let event = what.at(self.clock.now());
        if is_the_end(&event.what) {
            self.keep_roster(stage).await;
        }
        let began = Instant::now();
        self.note(&event).await?;
        stage.attention.lose(began.elapsed());
        stage.progress.fold(&event);
        (self.audience)(Heard::Event {
            event: &event,
            progress: &stage.progress,
            frozen: &self.frozen,
        });
        match &event.what {
            What::TenantStarted { tenant } => self.start(stage, tenant, Aim::Forward, None)?,
            What::TenantHealthy { tenant } => self.start(stage, tenant, Aim::Close, None)?,
            What::TenantGoesBack { tenant, why } => {
                self.start(stage, tenant, Aim::Back, Some(why))?;
            }
            What::TenantBackHealthy { tenant } => {
                self.start(stage, tenant, Aim::CloseBack, None)?;
            }
            What::TenantLeft { tenant, why }
            | What::TenantUnhealthyBefore { tenant, why }
            | What::TenantRollbackFailed { tenant, why }
                if stage.open.contains_key(tenant) || self.is_left_claimed(tenant) =>
            {
                self.start(stage, tenant, Aim::GiveUp, Some(why))?;
            }
            What::WaveBreached {
                action: crate::fleet::config::OnBreach::Rollback,
                why,
                ..
            } => self.quarantine(why).await?,
            What::WaveAdvanced { .. } => self.keep_roster(stage).await,
            What::ClusterWell { cluster } => stage.looks.begin_anew(cluster),
            _ => {}
        }
        Ok(())
    }

    /// Whether a process that conducted this rollout before has left the tenant claimed.
    fn is_left_claimed(&self, tenant: &str) -> bool {
        let record = self.records.get(tenant);
        let claim = record.and_then(|stored| stored.value.claim.as_ref());
        claim.is_some_and(|claim| claim.rollout.is_some() && claim.rollout == self.terms.rollout)
    }

    /// `wrong`: why it goes back, or is left as it is.
    pub(super) fn start(
        &mut self,
        stage: &mut Stage,
        tenant: &str,
        aim: Aim,
        wrong: Option<&str>,
    ) -> anyhow::Result<()> {
        let (wave, planned) = self
            .frozen
            .plan
            .find(tenant)
            .context("only tenants of the plan are started")?;
        let job = Job {
            cluster: self.clusters.get(&planned.place.cluster)?.clone(),
            planned: planned.clone(),
            bundle: self.bundles.get(tenant).cloned(),
            release: self.releases.get(tenant).cloned(),
            record: self.records.get(tenant).cloned(),
            soak: wave.soak,
            clock: self.clock,
            terms: work::Terms {
                hold: self.holds.get(tenant).or(self.terms.hold.as_ref()).cloned(),
                ..self.terms.clone()
            },
            hooks: self.hook_desk(stage),
            cause: wrong.map(|why| cause(&stage.progress, tenant, why)),
        };
        let open = stage.open.remove(tenant);
        let tenant = tenant.to_owned();
        let is_writing = matches!(aim, Aim::Forward | Aim::Back);
        let desk = is_writing.then(|| stage.desks.at(&job.planned.place.cluster));
        let stop = self.stop.clone();
        stage.work.spawn(async move {
            let place = match desk {
                Some(desk) => Place::at(desk).await,
                None => Place::nowhere(),
            };
            let is_late = aim == Aim::Forward && stop::is_asked(&stop);
            let done = if is_late {
                Done::NotBegun
            } else {
                work::perform(aim, job, open, place).await
            };
            (tenant, aim, done)
        });
        Ok(())
    }

    // --- Health ---

    /// After a resume: what succeeded before is watched again, by what its record says that it has.
    fn rewatch_all(&self, stage: &mut Stage) {
        for (tenant, progress) in &stage.progress.tenants {
            self.rewatch(&mut stage.looks, tenant, progress);
        }
    }

    pub(super) fn rewatch(&self, looks: &mut Looks, tenant: &str, progress: &TenantProgress) {
        if let (Phase::Succeeded { .. }, Some(record)) = (&progress.phase, self.records.get(tenant))
        {
            let wanted = work::written_of(&record.value);
            looks.watch_again(&self.frozen, tenant, wanted);
        }
    }

    // --- Ending ---

    /// Waits for the workers that are writing. Each is bounded by the deadline of its claim; hooks are not waited for.
    async fn finish_writes(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.hooks.leave();
        while let Some(done) = stage.work.join_next().await {
            self.take_in_all(stage, done).await?;
        }
        stage.looks.stop().await;
        stage.controls.stop().await;
        stage.probes.stop().await;
        Ok(())
    }
}

/// Whoever did not fail itself goes back with others.
fn cause(progress: &Progress, tenant: &str, why: &str) -> Cause {
    let has_failed = progress.tenants[tenant].failure.is_some();
    Cause {
        outcome: if has_failed {
            record::Outcome::Failed
        } else {
            record::Outcome::Interrupted
        },
        why: why.to_owned(),
    }
}

fn is_the_end(what: &What) -> bool {
    matches!(what, What::Finished { .. })
}

/// Sleeps until then; for ever, if there is no then.
async fn until(then: Option<Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then).await,
        None => std::future::pending().await,
    }
}
