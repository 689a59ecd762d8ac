//! `escale health`: verdicts on tenants as they are now, or on objects in files.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::source::SourceArgs;
use crate::cli::stage::StageArgs;
use crate::cli::targets::TargetArgs;
use crate::cli::ui::Ui;
use crate::cli::{Common, clock, health_now};
use crate::error::{Exit, UserError};
use crate::health::{ObjectHealth, Surroundings, Tolerance, Verdict, judge_workload};
use crate::manifest::{Live, ObjectRef};
use crate::yaml;

/// Say how tenants are now, or judge Kubernetes objects in files.
///
/// Of tenants: whether their workloads are healthy, and what the pages of their platforms answer, if the environment has
/// `health.probes`. In files: what `kubectl get -o yaml` or `-o json` prints; Pods and ReplicaSets among the objects tell why the
/// workloads that own them are not healthy.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all are healthy or suspended, 2 not all, 1 a file or a record cannot be read."
)]
pub struct Health {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// Tenants, patterns (`'vault-*'`), platforms, domains or `client=NAME`
    #[arg(value_name = "TARGET", required_unless_present = "files")]
    targets: Vec<String>,
    /// Look on this context of the kubeconfig, without any fleet files; repeat it for several
    #[arg(long, value_name = "NAME")]
    context: Vec<String>,
    /// A file of objects; `-` reads stdin; repeat it for several files
    #[arg(
        short,
        long = "filename",
        value_name = "FILE",
        conflicts_with = "targets"
    )]
    files: Vec<PathBuf>,
    /// How to print the verdicts
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

impl Health {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let is_well = if self.files.is_empty() {
            self.stage.run(self.look(common, ui))?
        } else {
            self.judge_files(common, ui)?
        };
        Ok(if is_well {
            Exit::Done
        } else {
            Exit::Differences
        })
    }

    async fn look(&self, common: &Common, ui: &Ui) -> anyhow::Result<bool> {
        let targets = TargetArgs {
            source: self.source.clone(),
            stage: self.stage.clone(),
            targets: self.targets.clone(),
            context: self.context.clone(),
        };
        let found = targets.find(common, ui).await?;
        let is_well = health_now::look(&found, matches!(self.output, Output::Json), ui).await?;
        found.stage.close()?;
        Ok(is_well)
    }

    fn judge_files(&self, common: &Common, ui: &Ui) -> anyhow::Result<bool> {
        let mut objects = Vec::new();
        for file in &self.files {
            objects.extend(objects_in(file, common)?);
        }
        let verdicts = judge_all(&objects);
        match self.output {
            Output::Text => ui.data(&table(&verdicts)),
            Output::Json => ui.data(&report(&verdicts)?),
        }
        ui.detail(summary(&verdicts));
        let mut verdicts = verdicts.iter();
        Ok(verdicts.all(|health| health.verdict.is_settled_well()))
    }
}

fn objects_in(file: &Path, common: &Common) -> anyhow::Result<Vec<Live>> {
    let (name, text) = read_file(file, common)?;
    let documents = yaml::read_as_found(&text).map_err(|error| {
        let message = format!("{name}:{}: {}", error.mark.line, error.message);
        error
            .hint
            .into_iter()
            .fold(UserError::new(message), UserError::hint)
    })?;
    let mut objects = Vec::new();
    let mut mistakes = Vec::new();
    for document in &documents {
        for value in flattened(document.to_value()) {
            match Live::from_value(with_name(value)) {
                Ok(live) => objects.push(live),
                Err(mistake) => mistakes.push(format!("{name}:{}: {mistake}", document.mark.line)),
            }
        }
    }
    match mistakes.is_empty() {
        true if objects.is_empty() => Err(UserError::new(format!("{name} holds no object")).into()),
        true => Ok(objects),
        false => Err(UserError::new(mistakes.join("\n"))
            .hint("give it what `kubectl get -o yaml` prints")
            .into()),
    }
}

fn read_file(file: &Path, common: &Common) -> anyhow::Result<(String, String)> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("could not read stdin")?;
        return Ok(("stdin".to_owned(), text));
    }
    let name = file.display().to_string();
    let text = std::fs::read_to_string(common.directory.join(file))
        .map_err(|error| UserError::new(format!("could not read `{name}`: {error}")))?;
    Ok((name, text))
}

/// The objects of a list, or the one object.
fn flattened(value: Value) -> Vec<Value> {
    let is_list = value["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    match value {
        Value::Object(mut list) if is_list && list.get("items").is_some_and(Value::is_array) => {
            let items = list.remove("items").unwrap_or_default();
            let items = items.as_array().cloned().unwrap_or_default();
            items.into_iter().flat_map(flattened).collect()
        }
        value => vec![value],
    }
}

/// A verdict needs no name: objects that were never sent anywhere may have none.
fn with_name(mut value: Value) -> Value {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        let prefix = metadata.get("generateName").and_then(Value::as_str);
        let name = prefix.unwrap_or("unnamed").to_owned();
        metadata.entry("name").or_insert(Value::String(name));
    }
    value
}

fn judge_all(objects: &[Live]) -> Vec<ObjectHealth> {
    let of_kind = |kind: &str| -> Vec<Live> {
        let of_kind = objects.iter().filter(|live| live.object().kind == kind);
        of_kind.cloned().collect()
    };
    let (pods, replica_sets) = (of_kind("Pod"), of_kind("ReplicaSet"));
    let surroundings = Surroundings {
        pods: &pods,
        replica_sets: &replica_sets,
        written_at: None,
        now: clock::now(),
        tolerance: Tolerance::default(),
    };
    let judge = |live| judge_workload(live, &surroundings);
    objects.iter().map(judge).collect()
}

/// One line of the report: the verdict without what only our records need.
#[derive(Serialize)]
struct Item<'a> {
    object: &'a ObjectRef,
    verdict: Verdict,
    reason: &'a str,
    message: &'a str,
}

fn report(verdicts: &[ObjectHealth]) -> anyhow::Result<String> {
    let items: Vec<Item> = verdicts
        .iter()
        .map(|health| Item {
            object: &health.object,
            verdict: health.verdict,
            reason: &health.reason,
            message: &health.message,
        })
        .collect();
    let report = json!({
        "apiVersion": "escale.dev/v1alpha1",
        "kind": "HealthReport",
        "items": items,
    });
    let text = serde_json::to_string_pretty(&report).context("could not print the report")?;
    Ok(text + "\n")
}

fn table(verdicts: &[ObjectHealth]) -> String {
    let named: Vec<(String, &ObjectHealth)> = verdicts
        .iter()
        .map(|health| (full_name(&health.object), health))
        .collect();
    let width = named.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let lines: Vec<String> = named
        .iter()
        .map(|(name, health)| format!("{:<11}  {name:<width$}  {}", health.verdict, health.message))
        .collect();
    lines.join("\n") + "\n"
}

fn full_name(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{namespace}/{object}"),
        None => object.to_string(),
    }
}

fn summary(verdicts: &[ObjectHealth]) -> String {
    let well = verdicts
        .iter()
        .filter(|health| health.verdict.is_settled_well())
        .count();
    format!("{well} of {} healthy or suspended", verdicts.len())
}
