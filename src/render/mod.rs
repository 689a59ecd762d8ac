//! Templates × tenant → manifests.
//!
//! The same commit renders the same bytes on every machine: templates see no clock, no randomness, no files and no
//! environment variables. What a template may cost is bounded; what it does wrong is told with its file and line,
//! for all tenants at once.

mod complaint;
mod context;
mod engine;
mod filters;
mod manifests;
mod secret;
mod shape;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use minijinja::Value;
use rayon::prelude::*;

use crate::error::did_you_mean;
use crate::fleet::{Files, Finding, Fleet, Place, Tenant};
use crate::manifest::{Bundle, Duplicate, Manifest};
use context::Shared;
use engine::Engine;

pub use shape::shape;

/// Where templates live in a repository.
pub const TEMPLATES: &str = "templates/";

/// Bundles by tenant; a tenant with mistakes has those instead.
pub type Rendered = BTreeMap<String, Result<Bundle, Vec<Finding>>>;

/// The templates of a commit, compiled once.
pub struct Renderer {
    engine: Engine,
    /// The templates to render of each bundle, in order.
    bundles: BTreeMap<String, Vec<String>>,
}

impl Renderer {
    /// Compiles all templates among `files`, or tells every syntax error. `blobs` are the git ids of files
    /// that secrets may refer to.
    pub fn new(files: &Files, blobs: BTreeMap<String, String>) -> Result<Self, Vec<Finding>> {
        let templates: Vec<(&str, &str)> = files
            .range(TEMPLATES.to_owned()..)
            .take_while(|(path, _)| path.starts_with(TEMPLATES))
            .filter(|(path, _)| is_template(path))
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let engine = Engine::new(&templates, blobs)?;
        let mut bundles: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, _) in templates {
            if let Some(bundle) = bundle_of(path) {
                bundles
                    .entry(bundle.to_owned())
                    .or_default()
                    .push(path.to_owned());
            }
        }
        Ok(Self { engine, bundles })
    }

    /// The manifests of one tenant, in order, or every mistake in them.
    pub fn render_tenant(&self, fleet: &Fleet, tenant: &Tenant) -> Result<Bundle, Vec<Finding>> {
        self.render_guarded(fleet, tenant, &Shared::of(fleet))
    }

    /// All tenants, in parallel.
    pub fn render_all(&self, fleet: &Fleet) -> Rendered {
        self.render_some(fleet, &fleet.tenants.iter().collect::<Vec<_>>())
    }

    /// These tenants, in parallel.
    pub fn render_some(&self, fleet: &Fleet, tenants: &[&Tenant]) -> Rendered {
        let shared = Shared::of(fleet);
        let render = |tenant: &&Tenant| {
            let rendered = self.render_guarded(fleet, tenant, &shared);
            (tenant.name.clone(), rendered)
        };
        tenants.par_iter().map(render).collect()
    }

    /// A bug that panics in one tenant leaves the others alone.
    fn render_guarded(
        &self,
        fleet: &Fleet,
        tenant: &Tenant,
        shared: &Shared,
    ) -> Result<Bundle, Vec<Finding>> {
        let attempt = || self.render(tenant, &shared.context(fleet, tenant));
        let rendered = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| {
            let message = "rendering panicked: this is a bug of ours";
            Err(vec![Finding::error(tenant.place.clone(), message)])
        });
        let told = |findings: Vec<Finding>| {
            findings
                .into_iter()
                .map(|finding| finding.in_tenant(&tenant.name))
                .collect()
        };
        rendered.map_err(told)
    }

    fn render(&self, tenant: &Tenant, context: &Value) -> Result<Bundle, Vec<Finding>> {
        let templates = self.templates_of(tenant).map_err(|finding| vec![finding])?;
        let mut manifests: Vec<Manifest> = Vec::new();
        let mut findings = Vec::new();
        for template in templates {
            let text = self.engine.render(template, context);
            let read = text.map_err(|finding| vec![finding]);
            match read.and_then(|text| manifests::read_all(template, &text, &tenant.namespace)) {
                Ok(read) => manifests.extend(read),
                Err(mistakes) => findings.extend(mistakes),
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        if manifests.is_empty() {
            let message = format!("bundle `{}` renders no object", tenant.bundle);
            return Err(vec![Finding::error(tenant.place.clone(), message)]);
        }
        Bundle::new(manifests).map_err(|twice| twice.iter().map(told_twice).collect())
    }

    fn templates_of(&self, tenant: &Tenant) -> Result<&[String], Finding> {
        let bundle = tenant.bundle.as_str();
        if let Some(templates) = self.bundles.get(bundle) {
            return Ok(templates);
        }
        let known = self.bundles.keys().map(String::as_str);
        let hint = match did_you_mean(bundle, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a bundle is a folder `{TEMPLATES}{bundle}/` with `*.yaml.j2` files"),
        };
        Err(Finding::error(tenant.place.clone(), format!("no bundle named `{bundle}`")).hint(hint))
    }
}

fn is_template(path: &str) -> bool {
    path.split('/')
        .next_back()
        .is_some_and(|file| file.contains(".j2"))
}

/// The bundle that a template renders objects of: `templates/<bundle>/<file>.yaml.j2`, not beginning with `_`.
fn bundle_of(path: &str) -> Option<&str> {
    let (bundle, file) = path.strip_prefix(TEMPLATES)?.split_once('/')?;
    let is_rendered = file.ends_with(".yaml.j2") && !file.starts_with('_') && !file.contains('/');
    is_rendered.then_some(bundle)
}

fn told_twice(duplicate: &Duplicate) -> Finding {
    let files: Vec<&str> = duplicate
        .origins
        .iter()
        .flatten()
        .map(|origin| origin.file.as_str())
        .collect();
    let place = files.first().map(|file| Place::of_file(*file));
    let message = format!(
        "`{}` is rendered twice: by {}",
        duplicate.object,
        files.join(" and ")
    );
    Finding::error(place, message).hint("give one of them another name".to_owned())
}

#[cfg(test)]
mod tests;
