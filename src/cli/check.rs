//! `escale check`: every mistake in a fleet's files and templates, at once.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::hooks_gone::hooks_gone;
use crate::cli::secret_check::SecretCheck;
use crate::cli::source::{self, Bundles, Source, SourceArgs};
use crate::cli::ui::Ui;
use crate::cli::{Common, artifacts, clock, runtime, secrets};
use crate::error::Exit;
use crate::fleet::config::API_VERSION;
use crate::fleet::{Finding, grouped, has_errors};
use crate::report::code_quality;

/// Check a fleet: config files, references between them, templates, policies.
///
/// Tells all mistakes at once, each with file, line and how to mend it. Needs no cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 no mistakes (warnings are none), 1 mistakes.")]
pub struct Check {
    #[command(flatten)]
    source: SourceArgs,
    /// Read every secret value too, and look at certificates: key, hosts, days left. Needs the keys
    #[arg(long)]
    secrets: bool,
    /// Warn of hooks that this commit, branch or tag has and that are gone: where they have not run yet, they never will
    #[arg(long, value_name = "REV")]
    against: Option<String>,
    /// Write the findings as GitLab shows them in a merge request: `artifacts: reports: codequality`
    #[arg(long, value_name = "FILE")]
    code_quality: Option<PathBuf>,
    /// How to print the findings
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Output {
    Text,
    Json,
}

/// What was looked at.
#[derive(Default)]
struct Looked {
    tenants: usize,
    objects: usize,
}

impl Check {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let tree = source::tree(common, self.source.revision.as_deref())?;
        let environment = source::environment(&tree, self.source.environment.as_deref())?;
        let (looked, findings) = match source::read(&tree, &environment) {
            Ok((fleet, renderer)) => {
                let source = Source {
                    fleet,
                    tree,
                    renderer,
                };
                self.rendered(common, &source)?
            }
            Err(findings) => (Looked::default(), findings),
        };
        let findings = grouped(findings);
        match self.output {
            Output::Text => ui.data(&text(&findings)),
            Output::Json => ui.data(&report(&environment, &looked, &findings)?),
        }
        if let Some(path) = &self.code_quality {
            let file = format!("environments/{environment}/environment.yaml");
            artifacts::write_json(path, &code_quality(&findings, &file))?;
        }
        ui.say(summary(&environment, &looked, &findings));
        Ok(if has_errors(&findings) {
            Exit::Error
        } else {
            Exit::Done
        })
    }

    /// What it was; nothing can be said of it if it had mistakes, and that is nobody's mistake now.
    fn before(
        &self,
        common: &Common,
        source: &Source,
        revision: &str,
    ) -> anyhow::Result<Option<Source>> {
        let tree = source::tree(common, Some(revision))?;
        Ok(Source::of_tree(tree, &source.fleet.environment.name).ok())
    }

    fn rendered(&self, common: &Common, source: &Source) -> anyhow::Result<(Looked, Vec<Finding>)> {
        let tenants: Vec<_> = source.fleet.tenants.iter().collect();
        let mut looked = Looked {
            tenants: tenants.len(),
            objects: 0,
        };
        let mut findings = source.fleet.warnings.clone();
        let values = if self.secrets {
            Some(SecretCheck {
                secrets: secrets::of_source(common, source)?,
                now: clock::now(),
                min_days: source.fleet.environment.spec.policies.certificates.min_days,
            })
        } else {
            None
        };
        let before = match &self.against {
            Some(revision) => self.before(common, source, revision)?,
            None => None,
        };
        for part in source.bundles_in_parts(&tenants) {
            let bundles = part.rendered.values().flatten();
            looked.objects += bundles
                .map(|bundle| bundle.manifests().len())
                .sum::<usize>();
            if let Some(values) = &values {
                findings.extend(runtime::real(look_into(values, source, &part)));
            }
            if let Some(before) = &before {
                findings.extend(hooks_gone(before, source, &part));
            }
            findings.extend(part.mistakes());
            findings.extend(part.warnings);
        }
        Ok((looked, findings))
    }
}

async fn look_into(values: &SecretCheck, source: &Source, part: &Bundles) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, bundle) in &part.rendered {
        if let (Some(tenant), Ok(bundle)) = (source.fleet.tenant(name), bundle) {
            findings.extend(values.findings(tenant, bundle).await);
        }
    }
    findings
}

fn text(findings: &[Finding]) -> String {
    let told = findings.iter().map(Finding::to_string);
    told.flat_map(|text| [text, "\n".to_owned()]).collect()
}

fn report(environment: &str, looked: &Looked, findings: &[Finding]) -> anyhow::Result<String> {
    let report = json!({
        "apiVersion": API_VERSION,
        "kind": "CheckReport",
        "environment": environment,
        "tenants": looked.tenants,
        "objects": looked.objects,
        "findings": findings,
    });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

fn summary(environment: &str, looked: &Looked, findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    let found = format!(
        "{}, {}",
        counted(errors, "mistake"),
        counted(warnings, "warning")
    );
    if looked.tenants == 0 {
        return format!("{environment}: {found}");
    }
    let tenants = counted(looked.tenants, "tenant");
    format!(
        "{environment}: {tenants}, {}: {found}",
        counted(looked.objects, "object")
    )
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
