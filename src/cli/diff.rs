//! `escale diff`: what would change, before it changes.

use crate::cli::Common;
use crate::cli::compared::{Asked, compared};
use crate::cli::source::{SelectionArgs, Source, SourceArgs};
use crate::cli::ui::Ui;
use crate::diff::{Heading, Report, markdown, text};
use crate::error::Exit;

/// Show what changes in the manifests of tenants between a revision and now.
///
/// Needs no cluster: both sides are rendered. The same change of many tenants is shown once, names of
/// the tenant's own as `{tenant}`, `{platform}` and `{domain}`. Values of Secrets are never shown.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 compared, 1 an error or INCOMPLETE, 2 differences (with --exit-code)."
)]
pub struct Diff {
    #[command(flatten)]
    source: SourceArgs,
    /// Compare with this commit, branch or tag
    #[arg(long, value_name = "REV")]
    against: String,
    #[command(flatten)]
    selection: SelectionArgs,
    /// How to print the changes; `markdown` is for merge requests
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// End with exit code 2 if anything changes
    #[arg(long)]
    exit_code: bool,
    /// List objects that do not change, too
    #[arg(long)]
    unchanged: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Output {
    Text,
    Json,
    Markdown,
}

/// What fits into a comment of any forge, with room for what a pipeline adds.
const COMMENT: usize = 60_000;

impl Diff {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let after = Source::open(common, &self.source)?;
        let before = after.at(common, &self.against)?;
        let asked = Asked {
            selection: self.selection.selection()?,
            with_unchanged: self.unchanged,
        };
        let report = compared(&before, &after, &asked)?;
        self.print(&report, (&before, &after), ui)?;
        Ok(self.exit(&report))
    }

    fn print(&self, report: &Report, sides: (&Source, &Source), ui: &Ui) -> anyhow::Result<()> {
        let (before, after) = (sides.0.describe(), sides.1.describe());
        let heading = Heading {
            environment: &sides.1.fleet.environment.name,
            before: &before,
            after: &after,
        };
        match self.output {
            Output::Text => {
                ui.say(format!("{}: {before} → {after}", heading.environment));
                ui.data(&text(report, ui.width()));
            }
            Output::Json => ui.data(&format!("{}\n", serde_json::to_string_pretty(report)?)),
            Output::Markdown => ui.data(&markdown(report, &heading, COMMENT)),
        }
        Ok(())
    }

    fn exit(&self, report: &Report) -> Exit {
        if report.is_incomplete() {
            Exit::Error
        } else if self.exit_code && report.has_changes() {
            Exit::Differences
        } else {
            Exit::Done
        }
    }
}
