//! `escale rollout` and `escale plan`: the same plan, carried out or only shown.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::cli::announce::Announcer;
use crate::cli::at_gates::frozen_words;
use crate::cli::audience::Readers;
use crate::cli::deployments::Recorder;
use crate::cli::events::{EventsArgs, Origin};
use crate::cli::git::Git;
use crate::cli::go_on::{self, GoOn};
use crate::cli::source::{SelectionArgs, Source, SourceArgs, sharing_notes};
use crate::cli::stage::StageArgs;
use crate::cli::ui::Ui;
use crate::cli::who::WhoArgs;
use crate::cli::{Common, artifacts, ending, plan_markdown, plan_text, rebuild, secrets};
use crate::engine::{
    self, Bundles, Carried, Changed, Heard, Lineage, Order, Rebuild, Stop, Who, World,
};
use crate::error::{Exit, UserError};
use crate::fleet::config::Duration;
use crate::fleet::grouped;
use crate::record::{Standing, Word};
use crate::repo::Repo;
use crate::report::junit;
use crate::rollout::{self, Progress, Strategy, Whom};

/// Percent of the skipped objects about which the server is asked.
pub const VERIFY_SAMPLE: u8 = 1;

/// What plan and rollout ask alike.
#[derive(Debug, clap::Args)]
pub struct OrderArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    pub stage: StageArgs,
    /// The strategy; default: the one that what changes picks, else the default of `strategy.yaml`
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
}

/// Show who is in which wave and why, and who is left out.
///
/// Reads clusters and hub, writes nothing. A rollout of the same commit makes the same plan.
#[derive(Debug, clap::Args)]
pub struct Plan {
    #[command(flatten)]
    order: OrderArgs,
    /// The plan of what brings back a lost cluster, which was built anew and is empty
    #[arg(long, value_name = "CLUSTER", conflicts_with_all = ["targets", "selector", "cluster"])]
    rebuild: Option<String>,
    /// How to print the plan
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

/// Roll a commit out: canary first, then wave by wave, and back where it fails.
///
/// The same command goes on where it stopped: after Ctrl-C, a kill, or `--wait-limit`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 done or nothing to do, 1 error, 3 failed and everything touched is back, \
                        4 not finished: run again, 5 another process conducts, 6 done with exceptions, \
                        7 failed and a person is needed."
)]
pub struct Rollout {
    #[command(flatten)]
    order: OrderArgs,
    #[command(flatten)]
    who: WhoArgs,
    /// Go on with the rollout that is open, of whatever commit; if none is, bring those who were out of reach or held
    /// to the release that the others run
    #[arg(long = "continue", conflicts_with_all = ["revision", "targets", "selector"])]
    go_on: bool,
    /// Bring every tenant of a lost cluster back at what it ran last as good: the cluster was built anew, is empty, and
    /// its file's `context` leads to it
    #[arg(
        long,
        value_name = "CLUSTER",
        requires = "reason",
        conflicts_with_all = ["targets", "selector", "cluster", "go_on", "older", "allow_deletes"]
    )]
    rebuild: Option<String>,
    /// Leave after waiting this long for one thing; run again to go on
    #[arg(long, value_name = "TIME")]
    wait_limit: Option<Duration>,
    #[command(flatten)]
    events: EventsArgs,
    /// Write tenants as test cases, which GitLab shows: `artifacts: reports: junit`
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// In a job of GitLab: show each cluster and ring as a deployment to the environment `ENVIRONMENT/CLUSTER/RING`
    #[arg(long)]
    deployments: bool,
    /// Roll out a commit that is older than what runs, on purpose
    #[arg(long, requires = "reason")]
    older: bool,
    /// Let the plan that this names delete more than the brake allows
    #[arg(long, value_name = "TOKEN")]
    allow_deletes: Option<String>,
    /// Of a hundred objects that are skipped as unchanged, ask the server about so many; an object that would change
    /// all the same is told, and the rollout ends with 6
    #[arg(long, value_name = "PERCENT", default_value_t = VERIFY_SAMPLE, value_parser = clap::value_parser!(u8).range(..=100))]
    verify_sample: u8,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Output {
    Text,
    Json,
    Markdown,
}

/// A commit, rendered.
pub struct Ready {
    pub source: Source,
    pub bundles: Bundles,
    pub strategy: Strategy,
    /// Whether what changes may pick another strategy.
    pub by_change: bool,
    pub selected: Option<BTreeSet<String>>,
    pub release: String,
    pub rebuild: Option<Rebuild>,
}

impl Plan {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let revision = self.order.source.revision.clone();
        let what = What {
            revision,
            uncommitted: Uncommitted::Planned,
            rebuild: self.rebuild.clone(),
        };
        let ready = self.order.prepare(common, ui, what)?;
        let doing = async {
            let stage = self.order.stage.open(common, &ready.source.fleet).await?;
            let now = stage.clock.now();
            let environment = &ready.source.fleet.environment.name;
            let lost = self.rebuild.as_deref();
            let survey = engine::survey_of(&stage.clusters, environment, lost, now).await?;
            let git = Git::open(common, environment)?;
            let lineage = |one: &str, other: &str| git.kinship(one, other);
            let changed = |from: &str, to: &str| git.changed(from, to);
            let order = ready.order(Who::default(), &lineage, &changed);
            let strategy = stage.choose(&order, &survey).await?;
            let order = Order { strategy, ..order };
            if let Some(rebuild) = &order.rebuild {
                engine::allow_rebuild(rebuild, &survey)?;
            } else if let Some(ahead) = engine::ahead_of(&order, &survey).ok().flatten() {
                ui.say(format!(
                    "note: {}; a rollout refuses it without --older",
                    ending::newer(&ahead)
                ));
            }
            for note in gate_notes(&order.strategy, &survey.last_words, now) {
                ui.say(note);
            }
            let plan = engine::plan(&order, &survey, now);
            let deletes = engine::deletes(&order, &plan, &survey.records);
            let hooks = engine::hooks(&order, &plan, &survey.records);
            Ok((plan, order.strategy, (deletes, hooks)))
        };
        let (plan, strategy, (deletes, hooks)) = self.order.stage.run(doing)?;
        let writes = (deletes.as_slice(), &hooks);
        match self.output {
            Output::Text => ui.data(&plan_text::text(&plan, &strategy, writes, ui.width())),
            Output::Markdown => ui.data(&plan_markdown::markdown(&plan, &strategy, writes)),
            Output::Json => {
                let release = &ready.release;
                ui.data(&plan_text::json(&plan, &strategy, (release, &hooks))?);
            }
        }
        Ok(Exit::Done)
    }
}

impl Rollout {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let mut rebuild = self.rebuild.clone();
        let (revision, selected) = if self.go_on {
            match go_on::look(common, &self.order, ui)? {
                GoOn::Open { release } => (Some(release), None),
                GoOn::Rebuild { cluster } => {
                    rebuild = Some(cluster);
                    (None, None)
                }
                GoOn::Behind(behind) => (Some(behind.release), Some(behind.tenants)),
                GoOn::Nothing => return Ok(Exit::Done),
            }
        } else {
            (self.order.source.revision.clone(), None)
        };
        let what = What {
            // Only a commit is rolled out: what runs must be found again in git.
            revision: revision.or_else(|| Some("HEAD".to_owned())),
            uncommitted: Uncommitted::Refused,
            rebuild,
        };
        let mut ready = self.order.prepare(common, ui, what)?;
        ready.selected = selected.or(ready.selected);
        if !self.order.stage.sim {
            let branch = &ready.source.fleet.environment.spec.source.branch;
            Repo::open(&common.directory)?.ensure_on_branch(branch, &ready.release)?;
        }
        self.order.stage.run(self.carry_out(common, ui, &ready))
    }

    /// GitLab is not told of a simulation.
    fn recorder(&self, origin: &Origin, ui: &Ui) -> Option<Recorder> {
        let release = origin.release.as_ref()?;
        let is_asked = self.deployments && !self.order.stage.sim;
        is_asked.then(|| Recorder::of(&origin.environment, release, ui))?
    }

    async fn carry_out(&self, common: &Common, ui: &Ui, ready: &Ready) -> anyhow::Result<Exit> {
        let stage = self.order.stage.open(common, &ready.source.fleet).await?;
        let subject = ready
            .source
            .tree
            .commit
            .as_ref()
            .map_or("", |commit| commit.subject.as_str());
        let git = Git::open(common, &ready.source.fleet.environment.name)?;
        let lineage = |one: &str, other: &str| git.kinship(one, other);
        let changed = |from: &str, to: &str| git.changed(from, to);
        let order = Order {
            may_be_older: self.older,
            verify_sample: self.verify_sample,
            allowed_deletes: self.allow_deletes.clone(),
            ..ready.order(self.who.who(subject), &lineage, &changed)
        };
        let origin = Origin::of(&order);
        let mut announcer = Announcer::of(
            &ready.source.fleet.environment.spec.announce,
            &origin,
            (ui, self.order.stage.sim),
        );
        let mut recorder = self.recorder(&origin, ui);
        let mut readers = Readers::new(ui, &stage, self.events.open(ui, origin)?);
        let (sender, alone) = tokio::sync::watch::channel(Stop::GoOn);
        let mut hear = |heard: Heard<'_>| {
            readers.hear(&heard);
            announcer.hear(&heard);
            if let Some(recorder) = &mut recorder {
                recorder.hear(&heard);
            }
            if self.order.stage.sim && is_for_others(&heard) {
                ui.say("nobody else comes to a simulation: say it, then run this again");
                sender.send_replace(Stop::Gently);
            }
        };
        let world = World {
            clusters: stage.clusters.clone(),
            clock: stage.clock,
            // Nobody else comes to a simulation: what only others end is not waited for.
            stop: if self.order.stage.sim {
                alone
            } else {
                stage.stop()
            },
            wait_limit: self.wait_limit.map(Duration::to_std),
            secrets: secrets::of(common, &self.order.stage, Some(&ready.source.fleet)),
            audience: &mut hear,
        };
        let carried = engine::roll_out(&order, world).await;
        announcer.end(ui).await;
        if let Some(recorder) = recorder {
            recorder.end(ui).await;
        }
        let exit = match carried? {
            Carried::NothingToDo { plan } => {
                self.report(&plan, &Progress::new(&plan))?;
                let exit = ending::nothing(ui, &plan);
                // Whoever is still left out was told when the release was rolled out.
                if self.go_on { Exit::Done } else { exit }
            }
            Carried::Taken { by } => ending::taken(ui, &by),
            Carried::Ahead(ahead) => ending::ahead(ui, &ready.release, &ahead),
            Carried::Queued { behind } => ending::queued(ui, &behind),
            Carried::Rebuilding { cluster } => ending::rebuilding(ui, &cluster),
            Carried::Ended(ended) => {
                self.report(&ended.frozen.plan, &ended.progress)?;
                let exit = ending::ended(ui, &ended);
                if order.rebuild.is_some() {
                    ending::rebuilt(ui, exit);
                }
                exit
            }
        };
        stage.close()?;
        Ok(exit)
    }
}

impl Rollout {
    fn report(&self, plan: &rollout::Plan, progress: &Progress) -> anyhow::Result<()> {
        match &self.junit {
            Some(path) => Ok(artifacts::write(
                path,
                &junit("escale rollout", plan, progress),
            )?),
            None => Ok(()),
        }
    }
}

/// Whether only somebody's word ends this wait.
fn is_for_others(heard: &Heard<'_>) -> bool {
    match heard {
        Heard::Waits { wait, .. } => match wait.whom {
            Whom::Tenants => false,
            Whom::Gate => wait.until.is_none(),
            Whom::Person { .. } => true,
        },
        Heard::Event { .. } | Heard::Begins(_) => false,
    }
}

/// What a working tree with changes means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Uncommitted {
    Planned,
    Refused,
}

/// What is rolled out: a commit, or what ran on a lost cluster.
pub struct What {
    pub revision: Option<String>,
    pub uncommitted: Uncommitted,
    /// The lost cluster; the commit only says where it is, and its tenants.
    pub rebuild: Option<String>,
}

impl OrderArgs {
    pub fn prepare(&self, common: &Common, ui: &Ui, what: What) -> anyhow::Result<Ready> {
        let arguments = SourceArgs {
            revision: what.revision,
            ..self.source.clone()
        };
        let source = Source::open(common, &arguments)?;
        ui.detail(format!(
            "{}: {}",
            source.fleet.environment.name,
            source.describe()
        ));
        let release = release(&source, what.uncommitted)?;
        let (name, spec) = source.fleet.strategy(self.strategy.as_deref())?;
        let max_sample_gap = source
            .fleet
            .environment
            .spec
            .health
            .max_sample_gap
            .to_signed();
        let selected = self.selected(&source, ui)?;
        let (rebuild, bundles) = match &what.rebuild {
            Some(cluster) => {
                let (rebuild, bundles) = rebuild::prepare(common, self, (&source, cluster), ui)?;
                (Some(rebuild), bundles)
            }
            None => (None, rendered(&source, ui)),
        };
        let depends = source.fleet.strategies.depend_on_changes();
        let is_open = self.strategy.is_none() && rebuild.is_none() && depends;
        // Only between commits does git know what changes.
        let is_uncommitted = is_open && source.tree.is_dirty;
        Ok(Ready {
            rebuild,
            by_change: is_open && !is_uncommitted,
            strategy: Strategy {
                name,
                spec,
                chosen: is_uncommitted
                    .then(|| "the default: files that are not committed pick none".to_owned()),
                max_sample_gap,
            },
            bundles,
            selected,
            release,
            source,
        })
    }

    fn selected(&self, source: &Source, ui: &Ui) -> anyhow::Result<Option<BTreeSet<String>>> {
        let selection = self.selection.selection()?;
        let tenants = source.fleet.select(&selection)?;
        for note in sharing_notes(&source.fleet, &selection) {
            ui.say(note);
        }
        let is_all = selection == crate::fleet::Selection::default();
        Ok((!is_all).then(|| tenants.iter().map(|tenant| tenant.name.clone()).collect()))
    }
}

/// What a rollout that began now would wait for before it starts anybody, or some.
fn gate_notes(strategy: &Strategy, last_words: &Standing, now: Timestamp) -> Vec<String> {
    let stands = |word: &&Word| word.expires.is_none_or(|expires| now < expires);
    let freezes = last_words.freezes.iter().filter(stands);
    let freezes = freezes.map(|freeze| format!("note: {}", frozen_words(freeze)));
    let window = engine::closed_window(strategy, now);
    let window = window.map(|window| format!("note: a rollout waits for {window}"));
    freezes.chain(window).collect()
}

fn release(source: &Source, uncommitted: Uncommitted) -> anyhow::Result<String> {
    match (&source.tree.commit, uncommitted) {
        (Some(commit), _) => Ok(commit.id.clone()),
        (None, Uncommitted::Planned) => Ok("uncommitted".to_owned()),
        (None, Uncommitted::Refused) => Err(UserError::new(
            "this folder is not a git repository, and only a commit is rolled out",
        )
        .hint("`git init && git add -A && git commit`")
        .into()),
    }
}

/// Every tenant's bundle, or its first mistake; all mistakes are told.
pub fn rendered(source: &Source, ui: &Ui) -> Bundles {
    let tenants: Vec<_> = source.fleet.tenants.iter().collect();
    let mut packed = Bundles::new();
    let mut mistakes = Vec::new();
    for part in source.bundles_in_parts(&tenants) {
        let (some, findings) = part.packed();
        packed.extend(some);
        mistakes.extend(findings);
    }
    for mistake in grouped(mistakes) {
        ui.say(mistake);
    }
    packed
}

impl Ready {
    pub fn order<'a>(&'a self, who: Who, lineage: Lineage<'a>, changed: Changed<'a>) -> Order<'a> {
        Order {
            fleet: &self.source.fleet,
            bundles: &self.bundles,
            release: self.release.clone(),
            strategy: self.strategy.clone(),
            changed: self.by_change.then_some(changed),
            selected: self.selected.clone(),
            who,
            lineage,
            may_be_older: false,
            allowed_deletes: None,
            rebuild: self.rebuild.clone(),
            verify_sample: VERIFY_SAMPLE,
        }
    }
}
