//! `escale diff`: what would change, before it changes.

use std::path::PathBuf;

use crate::cli::compared::{Asked, compared, leaving, own_names};
use crate::cli::diff_output::{Output, exit};
use crate::cli::rollout::rendered;
use crate::cli::source::{SelectionArgs, Source, SourceArgs};
use crate::cli::stage::StageArgs;
use crate::cli::ui::Ui;
use crate::cli::who::variable;
use crate::cli::{Common, artifacts, runtime};
use crate::diff::{Change, ChangeKind, Heading, NamesByTenant, Report, markdown};
use crate::engine::{self, Records};
use crate::error::Exit;
use crate::gitlab::{self, Job, Kept};
use crate::report;

/// Show what changes in the manifests of tenants, against a revision or against the clusters.
///
/// `--against REV` needs no cluster: both sides are rendered. Without it, what the clusters have is
/// compared, by dry-runs where a local test cannot tell; nothing is written. The same change of many tenants is shown once, names of
/// the tenant's own as `{tenant}`, `{platform}` and `{domain}`. Values of Secrets are never shown.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 compared, 1 an error or INCOMPLETE, 2 differences (with --exit-code)."
)]
pub struct Diff {
    #[command(flatten)]
    source: SourceArgs,
    /// Compare with this commit, branch or tag; default: with what the clusters have
    #[arg(long, value_name = "REV")]
    against: Option<String>,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// How to print the changes; `markdown` is for merge requests
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// End with exit code 2 if anything changes
    #[arg(long)]
    exit_code: bool,
    /// Keep one note of the merge request up to date with it. Needs `ESCALE_GITLAB_TOKEN`; without it, the job says so and goes on
    #[arg(long)]
    note: bool,
    /// Write the counts as GitLab shows them of Terraform: `artifacts: reports: terraform`
    #[arg(long, value_name = "FILE")]
    terraform: Option<PathBuf>,
    /// List objects that do not change, too
    #[arg(long)]
    unchanged: bool,
}

impl Diff {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let after = Source::open(common, &self.source)?;
        let (report, before) = match &self.against {
            Some(revision) => self.with_revision(common, &after, revision)?,
            None => (
                self.with_clusters(common, &after, ui)?,
                "the clusters".to_owned(),
            ),
        };
        self.print(&report, (&before, &after), ui)?;
        if let Some(path) = &self.terraform {
            artifacts::write_json(path, &report::terraform(&report.summary()))?;
        }
        if self.note {
            self.keep_note(&report, (&before, &after), ui);
        }
        Ok(exit(&report, self.exit_code))
    }

    fn with_revision(
        &self,
        common: &Common,
        after: &Source,
        revision: &str,
    ) -> anyhow::Result<(Report, String)> {
        let before = after.at(common, revision)?;
        let asked = Asked {
            selection: self.selection.selection()?,
            with_unchanged: self.unchanged,
        };
        Ok((compared(&before, after, &asked)?, before.describe()))
    }

    fn with_clusters(&self, common: &Common, source: &Source, ui: &Ui) -> anyhow::Result<Report> {
        let tenants = source.fleet.select(&self.selection.selection()?)?;
        let bundles = rendered(source, ui);
        let found = self.stage.run(async {
            let stage = self.stage.open(common, &source.fleet).await?;
            let environment = &source.fleet.environment.name;
            let records = Records::read(&stage.clusters, environment).await;
            Ok(engine::live_changes(
                &stage.clusters,
                environment,
                &tenants,
                (&bundles, &records),
                stage.clock.now(),
            )
            .await)
        })?;
        let is_told = |change: &Change| self.unchanged || change.change != ChangeKind::Unchanged;
        let names: NamesByTenant = tenants.iter().map(|tenant| own_names(tenant)).collect();
        let mut report = Report::new(found.changes.into_iter().filter(is_told).collect(), &names);
        report.incomplete = found.incomplete;
        report.tenants = tenants.len();
        report.leaving = leaving(&tenants);
        Ok(report)
    }

    /// A note that could not be written is no reason to keep somebody from merging.
    fn keep_note(&self, report: &Report, sides: (&str, &Source), ui: &Ui) {
        let job = match Job::of(variable) {
            Ok(job) => job,
            Err(missing) => return ui.say(missing.words()),
        };
        let environment = &sides.1.fleet.environment.name;
        let after = sides.1.describe();
        let heading = Heading {
            environment,
            before: sides.0,
            after: &after,
        };
        let text = markdown(report, &heading, gitlab::LARGEST);
        let name = format!("diff/{environment}");
        match runtime::real(gitlab::keep_note(&job, &name, &text)) {
            Ok(Kept::Made) => ui.say("the merge request has a note of it"),
            Ok(Kept::Changed) => ui.say("the note of the merge request is up to date"),
            Ok(Kept::Same) => ui.say("the note of the merge request says the same already"),
            Err(error) => ui.error(&error.into()),
        }
    }

    fn print(&self, report: &Report, sides: (&str, &Source), ui: &Ui) -> anyhow::Result<()> {
        let (before, after) = (sides.0, sides.1.describe());
        let heading = Heading {
            environment: &sides.1.fleet.environment.name,
            before,
            after: &after,
        };
        self.output.print(report, &heading, ui)
    }
}
