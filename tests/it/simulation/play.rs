//! Plays a script: every act at its time, then all is mended and must come to rest.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use escale::engine::{self, Carried, Clock, Ending, Heard, Stop, World};
use escale::error::{Exit, exit_code};
use escale::rollout::Outcome;
use escale::sim::{Behaviour, Fault, RequestFaults, Rule, SimCluster};
use futures::future::join_all;
use jiff::SignedDuration;

use super::hooks;
use super::machine;
use super::rules::Rules;
use super::script::{Act, Quality, Script};
use crate::scene::{Release, Scene, in_virtual_time, outcome};

/// No command takes longer, whatever the clusters do.
pub(super) const BOUND: Duration = Duration::from_hours(4);
/// What a network between providers is like.
const LATENCY: std::ops::Range<Duration> = Duration::from_millis(2)..Duration::from_millis(120);

/// What came of a script.
pub struct Played {
    pub trace: Vec<String>,
    pub broken: Vec<String>,
}

pub fn play(script: &Script) -> Played {
    in_virtual_time(async {
        let stage = Stage::of(script);
        let acts = script.acts.iter().cloned().enumerate();
        let acts = acts.map(|(number, (at, act))| stage.act(number, at, act));
        tokio::select! {
            biased;
            () = stage.keep_approving() => unreachable!("it never ends"),
            () = stage.begin() => {}
        }
        tokio::select! {
            biased;
            () = stage.keep_sampling() => unreachable!("it never ends"),
            () = stage.keep_approving() => unreachable!("it never ends"),
            () = async {
                join_all(acts).await;
                stage.mend_and_rest().await;
            } => {}
        }
        let rules = stage.rules();
        Played {
            trace: rules.trace.clone(),
            broken: rules.broken.clone(),
        }
    })
}

/// A process that rolls out a release.
struct Job {
    name: String,
    release: usize,
    clock: Clock,
}

pub(super) struct Stage {
    pub(super) script: Script,
    pub(super) scene: Scene,
    releases: Vec<Release>,
    rules: Mutex<Rules>,
}

impl Stage {
    fn of(script: &Script) -> Self {
        let mut scene = Scene::with(script.seed, &script.strategy());
        let mut rules = Rules::new(script.clone(), scene.sims.clone(), scene.clock.now());
        // One more than the script says: the good one that ends it.
        let releases: Vec<Release> = (0..=script.releases.len())
            .map(|number| {
                scene.files = script.life.files(&script.strategy(), number);
                if script.has_hooks() {
                    hooks::put_some(&mut scene);
                }
                scene.release(&commit(number), &script.tag(number))
            })
            .collect();
        for (number, release) in releases.iter().enumerate() {
            for (tenant, bundle) in &release.bundles {
                let digest = bundle.as_ref().expect("all render").digest().clone();
                rules.learn(tenant, digest, number);
            }
        }
        Self {
            script: script.clone(),
            scene,
            releases,
            rules: Mutex::new(rules),
        }
    }

    pub(super) fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn say(&self, line: &str) {
        self.rules().say(self.scene.clock.now(), line);
    }

    pub(super) fn breaks(&self, rule: &str, why: &str) {
        self.rules().breaks(self.scene.clock.now(), rule, why);
    }

    async fn keep_sampling(&self) {
        loop {
            self.rules().sample(self.scene.clock.now());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// The first release, everywhere and good.
    async fn begin(&self) {
        match self.roll_out("begin", 0).await {
            Ok(carried) if outcome(&carried) == Some(Outcome::Succeeded) => {}
            Ok(carried) => {
                let why = format!(
                    "all is well, and the first release: {:?}",
                    outcome(&carried)
                );
                self.breaks("I50", &why);
            }
            Err(error) => self.breaks("I50", &format!("all is well, and: {error:#}")),
        }
        self.scene.pass(5).await;
        for sim in self.scene.sims.values() {
            self.is_as_usual(sim);
        }
    }

    /// Slow, as networks are, and releases that are as good as they are.
    fn is_as_usual(&self, sim: &SimCluster) {
        sim.tell(Fault::Nothing);
        sim.tell(Fault::Requests(calm()));
        for (number, quality) in self.script.releases.iter().enumerate() {
            let rule = |namespace: Option<&str>, behaviour| Rule {
                image: Some(format!("web:{number}")),
                namespace: namespace.map(str::to_owned),
                behaviour,
            };
            let rule = match quality {
                Quality::BadFor(tenant, how) => rule(
                    Some(tenant),
                    Behaviour::from_word(how).expect("a behaviour"),
                ),
                Quality::Dies(after) => rule(
                    None,
                    Behaviour::Crash {
                        healthy: Duration::from_secs(*after),
                    },
                ),
                Quality::Good | Quality::Slow | Quality::Bad(_) => continue,
            };
            sim.tell(Fault::Behaviour(rule));
        }
    }

    async fn act(&self, number: usize, at: Duration, act: Act) {
        tokio::time::sleep(at).await;
        self.say(&format!("act {number}: {act:?}"));
        match act {
            Act::RollOut {
                release,
                killed,
                cancelled,
                machine,
            } => {
                let job = Job {
                    name: format!("job {number}"),
                    release,
                    clock: machine::clock(self.scene.clock, machine),
                };
                let job = self.job(&job, killed, cancelled);
                machine::starve(job, machine.starved).await;
            }
            Act::RollBack { tenant, killed } => {
                let name = format!("rollback {number}");
                Box::pin(self.rollback(&name, tenant, killed)).await;
            }
            Act::Hold(tenant) => self.hold(tenant).await,
            Act::LetGo(tenant) => self.let_go(tenant).await,
            Act::Say(saying) => self.speak(saying).await,
            Act::Unreachable { cluster, seconds } => {
                let from = self.scene.clock.now();
                let until =
                    from + SignedDuration::from_secs(i64::try_from(seconds).expect("short"));
                self.rules().away.insert(cluster, until);
                let until = Some(until);
                self.scene.sims[cluster].tell(Fault::Unreachable { from, until });
            }
            Act::Storm { cluster, lost } => {
                let faults = RequestFaults {
                    cut: 0.05,
                    too_many: 0.1,
                    internal: 0.05,
                    unavailable: 0.05,
                    lost: if lost { 0.1 } else { 0.0 },
                    ..calm()
                };
                self.scene.sims[cluster].tell(Fault::Requests(faults));
            }
            Act::Calm(cluster) => self.scene.sims[cluster].tell(Fault::Requests(calm())),
            Act::Edit { tenant, what } => self.edit(tenant, what),
            Act::NoController { cluster, seconds } => {
                let seconds = i64::try_from(seconds).expect("short");
                let until = self.scene.clock.now() + SignedDuration::from_secs(seconds);
                self.scene.sims[cluster].tell(Fault::NoController { until });
            }
            Act::Unwell { cluster, seconds } => {
                let sim = &self.scene.sims[cluster];
                sim.tell(Fault::Behaviour(Rule {
                    image: None,
                    namespace: None,
                    behaviour: Behaviour::from_word("crash").expect("a behaviour"),
                }));
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                self.say(&format!("{cluster} is well again"));
                self.is_as_usual(sim);
            }
        }
    }

    pub(super) fn hear(&self, name: &str, heard: &Heard<'_>) {
        if let Heard::Event {
            event,
            progress,
            frozen,
        } = heard
        {
            let now = self.scene.clock.now();
            self.rules().hear(name, (event, now), progress, frozen);
        }
    }

    // --- Jobs ---

    async fn job(&self, job: &Job, killed: Option<Duration>, cancelled: Option<Duration>) {
        let name = &job.name;
        let (sender, stop) = tokio::sync::watch::channel(Stop::GoOn);
        let work = self.conduct(job, stop, self.script.wait_limit());
        let cancel = async {
            match cancelled {
                Some(after) => {
                    tokio::time::sleep(after).await;
                    self.say(&format!("{name}: is told to stop"));
                    sender.send_replace(Stop::Gently);
                    std::future::pending::<()>().await;
                }
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            biased;
            ended = tokio::time::timeout(killed.unwrap_or(BOUND), work) => ended,
            () = cancel => unreachable!("it never ends"),
        };
        match ended {
            Ok(carried) => self.ended(name, carried),
            Err(_) if killed.is_some() => self.say(&format!("{name}: KILLED")),
            Err(_) if self.rules().waits_for_a_person(name) => {
                self.say(&format!("{name}: waits for a person, and is killed"));
            }
            Err(_) => self.breaks("I35", &format!("{name} takes longer than {BOUND:?}")),
        }
    }

    async fn conduct(
        &self,
        job: &Job,
        stop: tokio::sync::watch::Receiver<Stop>,
        wait_limit: Option<Duration>,
    ) -> anyhow::Result<Carried> {
        let mut hear = |heard: Heard<'_>| self.hear(&job.name, &heard);
        let world = World {
            stop,
            wait_limit,
            clock: job.clock,
            ..self.scene.world(&mut hear)
        };
        engine::roll_out(&self.releases[job.release].order(&job.name), world).await
    }

    async fn roll_out(&self, name: &str, release: usize) -> anyhow::Result<Carried> {
        let (_sender, stop) = tokio::sync::watch::channel(Stop::GoOn);
        let job = Job {
            name: name.to_owned(),
            release,
            clock: self.scene.clock,
        };
        if let Ok(carried) = tokio::time::timeout(BOUND, self.conduct(&job, stop, None)).await {
            carried
        } else {
            self.breaks("I35", &format!("{name} takes longer than {BOUND:?}"));
            Err(anyhow::anyhow!("too long"))
        }
    }

    fn ended(&self, name: &str, carried: anyhow::Result<Carried>) {
        match carried {
            Ok(Carried::NothingToDo { .. }) => self.say(&format!("{name}: nothing to do")),
            Ok(Carried::Taken { by }) => self.say(&format!("{name}: taken by {by}")),
            Ok(Carried::Ahead(ahead)) => self.say(&format!("{name}: {ahead:?}")),
            Ok(Carried::Queued { behind }) => self.say(&format!("{name}: waits for {behind}")),
            Ok(Carried::Rebuilding { cluster }) => {
                self.say(&format!("{name}: {cluster} is rebuilt first"));
            }
            Ok(Carried::Ended(ended)) => {
                self.say(&format!("{name}: ended: {:?}", ended.ending));
                if let Ending::Finished { .. } = ended.ending {
                    let now = self.scene.clock.now();
                    self.rules().all_are_let_go(now, &ended);
                }
            }
            Err(error) if matches!(exit_code(&error), Exit::NotFinished | Exit::NotOurs) => {
                self.say(&format!("{name}: {error:#}"));
            }
            Err(error) if self.script.has_faults() => {
                self.say(&format!("{name}: error: {error:#}"));
            }
            Err(error) => self.breaks(
                "I50",
                &format!("{name}: nothing is wrong with the clusters, and: {error:#}"),
            ),
        }
    }

    pub(super) fn cluster_of(&self, tenant: &str) -> escale::cluster::Cluster {
        let fleet = &self.releases[self.releases.len() - 1].fleet;
        let cluster = fleet
            .tenants
            .iter()
            .find(|one| one.name == tenant)
            .map(|one| one.cluster.clone());
        self.scene
            .clusters
            .get(&cluster.expect("a tenant"))
            .expect("a cluster")
            .clone()
    }

    // --- The end ---

    /// All faults end; a good release is rolled out until nothing is left to do.
    async fn mend_and_rest(&self) {
        for sim in self.scene.sims.values() {
            sim.tell(Fault::Nothing);
        }
        self.say("all is mended");
        self.scene.pass(10).await;
        let last = self.releases.len() - 1;
        for attempt in 0..6 {
            let carried = self.roll_out(&format!("last {attempt}"), last).await;
            match carried {
                Ok(Carried::NothingToDo { .. }) => break,
                Ok(Carried::Ended(ended)) => {
                    self.say(&format!("last {attempt}: {:?}", ended.ending));
                }
                Ok(Carried::Taken { by }) => {
                    self.breaks("I50", &format!("{by} still has the lease"));
                }
                Ok(Carried::Ahead(ahead)) => {
                    self.breaks("I50", &format!("the newest is older: {ahead:?}"));
                }
                Ok(Carried::Queued { behind }) => {
                    self.breaks("I50", &format!("{behind} still goes first"));
                }
                Ok(Carried::Rebuilding { cluster }) => {
                    self.breaks("I50", &format!("nobody has rebuilt {cluster}"));
                }
                Err(error) => self.breaks("I50", &format!("all is mended, and: {error:#}")),
            }
            self.scene.pass(5).await;
        }
        self.rests(last).await;
        self.scene.forget_requests();
        if !matches!(
            self.roll_out("once more", last).await,
            Ok(Carried::NothingToDo { .. })
        ) {
            self.breaks("I50", "something is always left to do");
        }
        let writes = self.scene.writes();
        if !writes.is_empty() {
            self.breaks("I21", &format!("nothing changes, and it writes {writes:?}"));
        }
    }
}

/// Slow, as networks are, and nothing worse.
fn calm() -> RequestFaults {
    RequestFaults {
        latency: LATENCY,
        ..RequestFaults::default()
    }
}

/// Commits of releases: the number, as often as it takes.
pub(super) fn commit(release: usize) -> String {
    format!("{release:x}").repeat(8)
}
