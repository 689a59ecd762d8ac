//! `escale drift`: what the clusters have, against what was rolled out to them.

use futures::stream::{self, StreamExt};

use crate::cli::Common;
use crate::cli::compared::own_names;
use crate::cli::diff_output::{Output, exit};
use crate::cli::source::{SelectionArgs, Source, SourceArgs};
use crate::cli::stage::{Stage, StageArgs};
use crate::cli::ui::Ui;
use crate::cli::voice::counted;
use crate::diff::{Change, ChangeKind, Heading, NamesByTenant, Report};
use crate::engine::{self, Bundles, Records};
use crate::error::Exit;
use crate::fleet::Tenant;
use crate::record::TenantRecord;

/// Show what somebody changed on the clusters since it was rolled out.
///
/// Each tenant is compared with the bundle that it runs on record, whatever git says by now; nothing is written. Tenants that are being
/// written to are left out.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 compared, 1 an error or INCOMPLETE, 2 something drifted (with --exit-code)."
)]
pub struct Drift {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// How to print what drifted
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
    /// End with exit code 2 if anything drifted
    #[arg(long)]
    exit_code: bool,
}

/// So many bundles are asked for side by side.
const AT_A_TIME: usize = 32;

impl Drift {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let source = Source::open(common, &self.source)?;
        let tenants = source.fleet.select(&self.selection.selection()?)?;
        let report = self
            .stage
            .run(self.compare(common, &source, &tenants, ui))?;
        let heading = Heading {
            environment: &source.fleet.environment.name,
            before: "the clusters",
            after: "what was rolled out",
        };
        self.output.print(&report, &heading, ui)?;
        Ok(exit(&report, self.exit_code))
    }

    async fn compare(
        &self,
        common: &Common,
        source: &Source,
        tenants: &[&Tenant],
        ui: &Ui,
    ) -> anyhow::Result<Report> {
        let stage = self.stage.open(common, &source.fleet).await?;
        let environment = &source.fleet.environment.name;
        let records = Records::read(&stage.clusters, environment).await;
        let (resting, others): (Vec<&Tenant>, Vec<&Tenant>) = tenants
            .iter()
            .partition(|tenant| is_at_rest(tenant, &records));
        if !others.is_empty() {
            let names = others.iter().map(|tenant| tenant.name.clone());
            let few = crate::rollout::few_of(&names.collect::<Vec<_>>(), 5);
            let count = counted(others.len(), "tenant");
            ui.say(format!(
                "not compared: {count} never rolled out, or being written to: {few}"
            ));
        }
        let bundles = bundles(&stage, &resting, &records).await;
        let now = stage.clock.now();
        let sides = (&bundles, &records);
        let found = engine::live_changes(&stage.clusters, environment, &resting, sides, now).await;
        let is_change = |change: &Change| change.change != ChangeKind::Unchanged;
        let names: NamesByTenant = resting.iter().map(|tenant| own_names(tenant)).collect();
        let mut report = Report::new(
            found.changes.into_iter().filter(is_change).collect(),
            &names,
        );
        report.incomplete = found.incomplete;
        report.tenants = resting.len();
        Ok(report)
    }
}

/// Whoever cannot be read is compared, and told as not compared.
fn is_at_rest(tenant: &Tenant, records: &Records) -> bool {
    match records.of(&tenant.cluster, &tenant.namespace) {
        Ok(Some(Ok(stored))) => stored.value.claim.is_none() && stored.value.digest.is_some(),
        Ok(None) => false,
        Ok(Some(Err(_))) | Err(_) => true,
    }
}

/// What each runs, from its own cluster.
async fn bundles(stage: &Stage, tenants: &[&Tenant], records: &Records) -> Bundles {
    let loads = tenants.iter().filter_map(|tenant| {
        let record: &TenantRecord = &records.readable(&tenant.cluster, &tenant.namespace)?.value;
        let digest = record.digest.as_ref()?;
        Some(async move {
            let bundle = match stage.clusters.get(&tenant.cluster) {
                Ok(cluster) => engine::store::bundle(&cluster.reader(), digest)
                    .await
                    .map_err(|trouble| trouble.advise(cluster.name()).to_string()),
                Err(error) => Err(error.to_string()),
            };
            (tenant.name.clone(), bundle)
        })
    });
    stream::iter(loads).buffered(AT_A_TIME).collect().await
}
