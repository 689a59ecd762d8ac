//! `escale render`: the manifests of tenants, on stdout or one file per object.

use std::path::PathBuf;

use crate::cli::Common;
use crate::cli::rendered_dir::RenderedDir;
use crate::cli::source::{SelectionArgs, Source, SourceArgs, mistakes};
use crate::cli::ui::Ui;
use crate::error::{Exit, UserError};
use crate::fleet::{Explanation, Platform, Tenant, explain};
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
        let bundles = rendered(&source, &tenants)?;
        match &self.output_dir {
            Some(folder) => {
                let mut written = RenderedDir::open(&common.directory.join(folder))?;
                for (tenant, bundle) in &bundles {
                    for manifest in bundle.manifests() {
                        let text = yaml::write(manifest.value());
                        written.add(&file_name(tenant, manifest), &text)?;
                    }
                }
                let count = written.finish()?;
                ui.say(format!(
                    "{}: {count} objects of {} tenants written to {}",
                    source.describe(),
                    bundles.len(),
                    folder.display()
                ));
            }
            None => bundles
                .iter()
                .for_each(|(tenant, bundle)| ui.data(&documents(tenant, bundle))),
        }
        Ok(Exit::Done)
    }
}

/// All or nothing: with half a fleet, whoever reads the output would delete the other half.
fn rendered<'a>(
    source: &Source,
    tenants: &[&'a Tenant],
) -> Result<Vec<(&'a Tenant, Bundle)>, UserError> {
    let mut bundles = source.bundles(tenants);
    let found = bundles.mistakes();
    if !found.is_empty() {
        return Err(mistakes(
            &format!("in `{}`", source.fleet.environment.name),
            found,
        ));
    }
    let bundle_of = |tenant: &&'a Tenant| {
        let bundle = bundles.rendered.remove(&tenant.name)?.ok()?;
        Some((*tenant, bundle))
    };
    Ok(tenants.iter().filter_map(bundle_of).collect())
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
