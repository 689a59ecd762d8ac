//! `escale rehearse`: the real plan on simulated copies of the fleet, with faults by seed.

mod copies;
mod doom;
mod faults;
mod gates;
mod kinds;
mod live;
mod outage;
mod pods;
mod rehearsal;
mod report;
mod text;
mod today;
mod witness;

use crate::cli::events::EventsArgs;
use crate::cli::git::Git;
use crate::cli::paragraph::wrapped;
use crate::cli::rollout::{OrderArgs, Ready, Uncommitted, What};
use crate::cli::ui::Ui;
use crate::cli::{Common, clock, runtime};
use crate::error::Exit;

pub use faults::{Failing, Faults};
pub use live::{NotLive, Readers};
pub use rehearsal::{Rehearsal, rehearse};
pub use report::Report;
pub use text::text;
pub use today::Today;

/// Rehearse a rollout on simulated copies of the fleet: who is touched, what goes back, how long.
///
/// What runs is read from the clusters, or taken from `--against REV`; then the rollout is carried out by the same
/// engine and strategy, on simulated clusters and in virtual time. No real cluster is written to. The same seed gives
/// the same rehearsal.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: those that the rollout would end with: 0 done or nothing to do, 1 error, \
                        3 failed and everything touched is back, 4 not finished, 6 done with exceptions, \
                        7 failed and a person is needed."
)]
pub struct Rehearse {
    #[command(flatten)]
    order: OrderArgs,
    /// Take this commit, branch or tag for what runs; default: what the clusters have, else the last commit at which
    /// the fleet was another
    #[arg(long, value_name = "REV", conflicts_with_all = ["sim", "kubeconfig"])]
    against: Option<String>,
    /// What fails: the new bundle of tenants (`tenant='vault-*'`), or a cluster for a while (`cluster=NAME`)
    #[arg(long, value_name = "WHAT")]
    fail: Vec<Failing>,
    /// API servers answer 429 and 5xx, connections break, answers get lost
    #[arg(long)]
    storm: bool,
    /// Another run of chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Let the plan that this names delete more than the brake allows
    #[arg(long, value_name = "TOKEN")]
    allow_deletes: Option<String>,
    #[command(flatten)]
    events: EventsArgs,
    /// How to print what came of it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

impl Rehearse {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let revision = self.order.source.revision.clone();
        let ready = self.order.prepare(
            common,
            ui,
            What {
                revision,
                uncommitted: Uncommitted::Planned,
                rebuild: None,
            },
        )?;
        let faults = Faults::of(&self.fail, self.storm, &ready.source.fleet)?;
        let today = self.today(common, ui, &ready)?;
        let git = Git::open(common, &ready.source.fleet.environment.name)?;
        let changed = |from: &str, to: &str| git.changed(from, to);
        let heading = format!(
            "{}: {} over {}; strategy {}, seed {}",
            ready.source.fleet.environment.name,
            ready.source.describe(),
            today.described,
            if ready.by_change {
                "by what changes"
            } else {
                &ready.strategy.name
            },
            self.seed
        );
        ui.say(wrapped(&heading, ui.width()).trim_end());
        let rehearsal = Rehearsal {
            today,
            fleet: &ready.source.fleet,
            bundles: &ready.bundles,
            release: ready.release.clone(),
            described: ready.source.describe(),
            strategy: ready.strategy.clone(),
            changed: ready.by_change.then_some(&changed),
            selected: ready.selected.clone(),
            allowed_deletes: self.allow_deletes.clone(),
            faults,
            seed: self.seed,
            events: self.events.clone(),
        };
        let (report, exit) = runtime::virtual_time(rehearse(rehearsal, ui))?;
        if report.waves.is_empty() && self.against.is_none() {
            ui.say("  hint: `--against REV` takes another commit for what runs");
        }
        // A terminal shows both: what happened, then what came of it.
        ui.say("");
        match self.output {
            Output::Text => ui.data(&text(&report, ui.width())),
            Output::Json => ui.data(&(serde_json::to_string_pretty(&report)? + "\n")),
        }
        Ok(exit)
    }

    /// What runs: as git says where it was asked, else as the clusters say, if they answer.
    fn today(&self, common: &Common, ui: &Ui, ready: &Ready) -> anyhow::Result<Today> {
        if let Some(revision) = &self.against {
            return Today::at(common, &ready.source, revision);
        }
        let fleet = &ready.source.fleet;
        let live = self.order.stage.run(async {
            let stage = self.order.stage.open(common, fleet).await?;
            let now = stage.told_from().unwrap_or_else(clock::now);
            // From here on nobody holds anything that could write.
            let readers = Readers::of(&stage.clusters);
            drop(stage);
            Ok(readers.today(fleet, now).await)
        })?;
        match live {
            Ok(today) => Ok(today),
            Err(NotLive::Wrong(error)) => Err(error.into()),
            Err(NotLive::Silent(why)) => {
                let why = format!("no cluster answers, so git says what runs: {why}");
                ui.say(wrapped(&why, ui.width()).trim_end());
                match today::stand_in(common, &ready.source)? {
                    Some(revision) => Today::at(common, &ready.source, &revision),
                    None => Ok(Today::nothing(&ready.source)),
                }
            }
        }
    }
}
