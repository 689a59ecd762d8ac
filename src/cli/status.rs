//! `escale status` and `escale history`: the records, read.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::at_gates::AtGates;
use crate::cli::rollback::of_release;
use crate::cli::source::{Source, SourceArgs};
use crate::cli::stage::StageArgs;
use crate::cli::stalled::StalledArgs;
use crate::cli::targets::TargetArgs;
use crate::cli::ui::Ui;
use crate::cli::{Common, fleet_table, metrics, tables};
use crate::engine::{self, Latest, LifeCycle, Reading, Records};
use crate::error::Exit;
use crate::fleet::config::API_VERSION;
use crate::record::{HookRecord, RolloutRecord, TenantRecord};
use crate::rollout::Conducted;

/// Show the fleet at a glance: what each tenant runs, what failed, what waits for what.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 read, 1 an error or INCOMPLETE. With --stalled --exit-code also: \
                        7 a person is needed, 4 `escale rollout --continue` is enough."
)]
pub struct Status {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    stage: StageArgs,
    #[command(flatten)]
    stalled: StalledArgs,
    #[arg(
        long,
        value_name = "FILE",
        help = "Also write metrics to this file, in the OpenMetrics text format"
    )]
    metrics: Option<PathBuf>,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

/// Show what happened to tenants: who, when, why, from what to what.
#[derive(Debug, clap::Args)]
pub struct History {
    #[command(flatten)]
    targets: TargetArgs,
    /// How to print it
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Output {
    Text,
    Json,
}

impl Status {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let source = Source::open(common, &self.source)?;
        let environment = &source.fleet.environment.name;
        let (reading, gates) = self.stage.run(async {
            let stage = self.stage.open(common, &source.fleet).await?;
            let reading = engine::reading(&stage.clusters, environment, stage.clock).await;
            let gates = match &reading.hub {
                Ok(hub) => AtGates::read(&stage, &source, &reading.records, &hub.latest).await,
                Err(_) => Ok(AtGates::default()),
            };
            Ok((reading, gates))
        })?;
        if let Some(file) = &self.metrics {
            metrics::write(file, &reading, self.stalled.patience())?;
        }
        let exit = if self.stalled.stalled {
            self.stalled.tell(ui, &reading, self.output)?
        } else {
            let known = gates.as_ref().ok();
            tell(
                ui,
                &reading,
                known.unwrap_or(&AtGates::default()),
                &LifeCycle::of(&source.fleet, &reading.records, reading.at),
                self.output,
            )?
        };
        for unread in reading.unread() {
            ui.say(format!("INCOMPLETE: {}: {}", unread.what, unread.why));
        }
        let Err(error) = gates else {
            return Ok(exit);
        };
        ui.say(format!(
            "INCOMPLETE: what waits at which gate is not known: {error}"
        ));
        Ok(if exit == Exit::Done {
            Exit::Error
        } else {
            exit
        })
    }
}

fn tell(
    ui: &Ui,
    reading: &Reading,
    gates: &AtGates,
    life: &LifeCycle,
    output: Output,
) -> anyhow::Result<Exit> {
    match output {
        Output::Text => {
            if let Ok(hub) = &reading.hub {
                ui.data(&rollouts_text(&hub.latest, &hub.conducted));
                ui.data(&gates.text());
            }
            ui.data(&fleet_table::text(&reading.records, life, reading.at));
        }
        Output::Json => {
            let latest = reading.hub.as_ref().ok().map(|hub| &hub.latest);
            ui.data(&fleet_json(&reading.records, latest, gates, life)?);
        }
    }
    Ok(if reading.unread().is_empty() {
        Exit::Done
    } else {
        Exit::Error
    })
}

impl History {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        self.targets.stage.run(async {
            let found = self.targets.find(common, ui).await?;
            let records: Vec<&TenantRecord> =
                found.tenants.iter().map(|stored| &stored.value).collect();
            match self.output {
                Output::Text => records
                    .iter()
                    .for_each(|record| ui.data(&history_text(record))),
                Output::Json => ui.data(&history_json(&records)?),
            }
            Ok(Exit::Done)
        })
    }
}

fn rollouts_text(latest: &Latest, conducted: &Conducted) -> String {
    let rollout = latest.rollout.as_ref();
    let mut text = rollout.map_or_else(
        || "no rollout yet\n".to_owned(),
        |rollout| rollout_text(rollout, conducted),
    );
    let waiting = latest.queued.iter().map(|queued| {
        let release = of_release(queued.release.as_deref());
        let since = queued.since.strftime("%H:%M:%S");
        format!(
            "release{release} waits for its turn since {since}, by {}\n",
            queued.by
        )
    });
    text.extend(waiting);
    text
}

fn rollout_text(rollout: &RolloutRecord, conducted: &Conducted) -> String {
    let conducted = match conducted {
        Conducted::By(conductor) => format!(", conducted by {conductor}"),
        Conducted::Nobody { .. } => {
            ", nobody conducts it now: run `escale rollout` again".to_owned()
        }
    };
    let conducted = if rollout.state.is_over() {
        String::new()
    } else {
        conducted
    };
    let why = rollout
        .reason
        .as_deref()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let what = match &rollout.rebuild {
        Some(rebuild) => format!(" (rebuild of {})", rebuild.cluster),
        None => of_release(rollout.release.as_deref()),
    };
    format!(
        "rollout {}{what} is {}{why}{conducted}\n",
        rollout.id,
        tables::words(rollout.state.as_str()),
    )
}

fn fleet_json(
    records: &Records,
    latest: Option<&Latest>,
    gates: &AtGates,
    life: &LifeCycle,
) -> anyhow::Result<String> {
    let tenants = records.iter().map(|stored| {
        let record = &stored.value;
        json!({
            "tenant": record.tenant,
            "cluster": record.cluster,
            "namespace": record.namespace,
            "state": record.state,
            "digest": record.digest,
            "release": record.release,
            "rollout": record.rollout,
            "since": record.since,
            "hold": record.hold,
            "claim": record.claim.as_ref().map(|claim| json!({"holder": claim.holder, "action": claim.action, "because": claim.because, "deadline": claim.deadline})),
            "because": record.what_went_wrong(),
            "hooks": record.hooks.iter().map(hook_json).collect::<serde_json::Map<_, _>>(),
            "lifecycle": life.going.get(&record.tenant),
            "lastGood": record.last_good(),
            "previousGood": record.previous_good(),
        })
    });
    let report = json!({
        "apiVersion": API_VERSION,
        "kind": "StatusReport",
        "rollout": latest.and_then(|latest| latest.rollout.as_ref()),
        "queued": latest.map(|latest| &latest.queued),
        "gates": gates.json(),
        "tenants": tenants.collect::<Vec<_>>(),
        "notDeployed": life.coming,
    });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn hook_json((name, hook): (&String, &HookRecord)) -> (String, Value) {
    let newest = hook.newest();
    let json = json!({
        "succeeded": hook.succeeded,
        "irreversibleSince": hook.irreversible,
        "newest": newest.map(|run| json!({"job": run.job.name, "key": run.key, "since": run.since, "end": run.end})),
    });
    (name.clone(), json)
}

fn history_text(record: &TenantRecord) -> String {
    let mut table = tables::plain(&["TIME", "ACTION", "OUTCOME", "FROM", "TO", "WHO", "WHY"]);
    for entry in &record.history {
        let short = |digest: &Option<crate::manifest::Digest>| {
            digest
                .as_ref()
                .map_or_else(|| "-".to_owned(), |digest| digest.short().to_owned())
        };
        table.add_row([
            entry.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            entry.action.to_string(),
            entry
                .outcome
                .map_or_else(|| "-".to_owned(), |outcome| outcome.to_string()),
            short(&entry.from),
            format!(
                "{}{}",
                short(&entry.to),
                of_release(entry.release.as_deref())
            ),
            entry.who.clone(),
            entry.reason(),
        ]);
    }
    format!(
        "{} on {}\n{}\n",
        record.tenant,
        record.cluster,
        table.trim_fmt()
    )
}

fn history_json(records: &[&TenantRecord]) -> anyhow::Result<String> {
    let tenants = records.iter().map(|record| json!({"tenant": record.tenant, "cluster": record.cluster, "entries": record.history}));
    let report = json!({"apiVersion": API_VERSION, "kind": "History", "tenants": tenants.collect::<Vec<_>>()});
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
