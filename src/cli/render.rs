//! `escale render`: the manifests of tenants, on stdout or one file per object.

use std::path::{Path, PathBuf};

use crate::cli::Common;
use crate::cli::rendered_dir::RenderedDir;
use crate::cli::source::{SelectionArgs, Source, SourceArgs, mistakes};
use crate::cli::ui::Ui;
use crate::error::{Exit, UserError};
use crate::fleet::{Explanation, Finding, Platform, Tenant, explain};
use crate::manifest::{Bundle, Manifest};
use crate::yaml;

/// Render the manifests of tenants: all, or those that are named.
///
/// The same commit renders the same bytes on every machine. Secrets are shown as references.
#[derive(Debug, clap::Args)]
pub struct Render {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Write one file per object into this folder: CLUSTER/TENANT/STAGE-KIND-NAME.yaml
    #[arg(long, value_name = "DIR", conflicts_with = "explain")]
    output_dir: Option<PathBuf>,
    /// Instead of manifests, say which file sets this value: `database.storage`
    #[arg(long, value_name = "KEY")]
    explain: Option<String>,
}

impl Render {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let source = Source::open(common, &self.source)?;
        let tenants = source.fleet.select(&self.selection.selection()?)?;
        if let Some(key) = &self.explain {
            ui.data(&explained(&source, &tenants, key)?);
            return Ok(Exit::Done);
        }
        match &self.output_dir {
            Some(folder) => {
                let count = write(&source, &tenants, &common.directory.join(folder))?;
                ui.say(format!(
                    "{}: {count} objects of {} tenants written to {}",
                    source.describe(),
                    tenants.len(),
                    folder.display()
                ));
            }
            None => ui.data(&printed(&source, &tenants)?),
        }
        Ok(Exit::Done)
    }
}

fn write(source: &Source, tenants: &[&Tenant], folder: &Path) -> anyhow::Result<usize> {
    let mut written = RenderedDir::open(folder)?;
    each_bundle(source, tenants, |tenant, bundle| {
        bundle.manifests().iter().try_for_each(|manifest| {
            let text = yaml::write(manifest.value());
            written.add(&file_name(tenant, manifest), &text)
        })
    })?;
    written.finish()
}

fn printed(source: &Source, tenants: &[&Tenant]) -> anyhow::Result<String> {
    let mut out = String::new();
    each_bundle(source, tenants, |tenant, bundle| {
        out.push_str(&documents(tenant, bundle));
        Ok(())
    })?;
    Ok(out)
}

/// All or nothing: with half a fleet, whoever reads the output would delete the other half. Goes on after a mistake
/// to tell them all.
fn each_bundle(
    source: &Source,
    tenants: &[&Tenant],
    mut take: impl FnMut(&Tenant, &Bundle) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut found: Vec<Finding> = Vec::new();
    for part in source.bundles_in_parts(tenants) {
        found.extend(part.mistakes());
        if found.is_empty() {
            for (name, bundle) in &part.rendered {
                let tenant = source.fleet.tenant(name).zip(bundle.as_ref().ok());
                tenant.map_or(Ok(()), |(tenant, bundle)| take(tenant, bundle))?;
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(mistakes(&format!("in `{}`", source.fleet.environment.name), found).into())
}

fn documents(tenant: &Tenant, bundle: &Bundle) -> String {
    let document = |manifest: &Manifest| {
        let template = manifest.origin.as_ref().map_or("", |origin| &origin.file);
        let text = yaml::write(manifest.value());
        format!(
            "---\n# {}/{}: {template}\n{text}",
            tenant.cluster, tenant.name
        )
    };
    bundle.manifests().iter().map(document).collect()
}

/// Made of the object alone, so that one object more renames no file: the number is the stage of applying. Kinds of
/// custom resources bring their group, which tells them from those of Kubernetes.
fn file_name(tenant: &Tenant, manifest: &Manifest) -> String {
    let object = manifest.object();
    let stage = manifest.stage() as usize + 1;
    let mut kind = object.kind.to_lowercase();
    if object.group().contains('.') && !object.group().ends_with(".k8s.io") {
        kind = format!("{kind}.{}", object.group());
    }
    let name = object
        .name
        .replace(|character: char| !is_plain(character), "_");
    format!(
        "{}/{}/{stage}-{kind}-{name}.yaml",
        tenant.cluster, tenant.name
    )
}

fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._".contains(character)
}

fn explained(source: &Source, tenants: &[&Tenant], key: &str) -> Result<String, UserError> {
    let mut out = String::new();
    for tenant in tenants {
        let about = (&source.fleet, &source.tree.files);
        out.push_str(&told(&tenant.name, key, &explain(about, tenant, None, key)));
        let platforms = tenant.platforms.values();
        for platform in platforms.filter(|platform| says_something(platform, key)) {
            let name = format!("{}/{}", tenant.name, platform.name);
            out.push_str(&told(
                &name,
                key,
                &explain(about, tenant, Some(platform), key),
            ));
        }
    }
    if out.is_empty() {
        let error = UserError::new(format!("no file sets `{key}` for what is selected"));
        return Err(error.hint("keys are those below `values`, with dots: `database.storage`"));
    }
    Ok(out)
}

fn says_something(platform: &Platform, key: &str) -> bool {
    let first = key.split('.').next().unwrap_or(key);
    platform.values.contains_key(first)
}

fn told(name: &str, key: &str, explanation: &Explanation) -> String {
    let Some(value) = &explanation.value else {
        return String::new();
    };
    let heading = format!("{name}: {key} = {value}\n");
    let layers = explanation.layers.iter();
    let lines = layers.map(|said| format!("  {} ({}): {}\n", said.layer, said.place, said.value));
    std::iter::once(heading).chain(lines).collect()
}
