//! Where a command gets its fleet from: the folder or a commit, checked and ready to render.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rayon::prelude::*;

use crate::cli::Common;
use crate::engine;
use crate::error::{UserError, did_you_mean};
use crate::fleet::{self, Finding, Fleet, Selection, Tenant, grouped, has_errors, load};
use crate::manifest::{Bundle, Shape};
use crate::policy;
use crate::record::PackedBundle;
use crate::render::{self, Rendered, Renderer};
use crate::repo::{Repo, Tree};

/// Which environment, and as of when.
#[derive(Clone, Debug, clap::Args)]
pub struct SourceArgs {
    /// The environment; default: the only one there is
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Read this commit, branch or tag instead of the working tree
    #[arg(long = "ref", value_name = "REV")]
    pub revision: Option<String>,
}

/// Which tenants.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SelectionArgs {
    /// Tenants, patterns (`'vault-*'`), platforms, domains or `client=NAME`; default: all
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Only tenants with these labels: `ring=canary,class!=vault`
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Vec<String>,
    /// Only tenants of this cluster
    #[arg(long, value_name = "NAME")]
    pub cluster: Vec<String>,
}

impl SelectionArgs {
    pub fn selection(&self) -> Result<Selection, UserError> {
        let selectors = self.selector.iter().map(|text| text.parse());
        Ok(Selection {
            clusters: self.cluster.clone(),
            selectors: selectors.collect::<Result<_, _>>()?,
            targets: self.targets.clone(),
        })
    }
}

/// A fleet without mistakes, and the templates to render it with.
pub struct Source {
    pub fleet: Fleet,
    /// The files it came from, and the commit.
    pub tree: Tree,
    pub renderer: Renderer,
}

/// Bundles that policies agree to, and what they warn of.
#[derive(Default)]
pub struct Bundles {
    pub rendered: Rendered,
    /// What each that was rendered looks like.
    pub shapes: BTreeMap<String, Shape>,
    pub warnings: Vec<Finding>,
}

/// One tenant, rendered and held to the policies.
struct Judged {
    tenant: String,
    bundle: Result<Bundle, Vec<Finding>>,
    shape: Option<Shape>,
    warnings: Vec<Finding>,
}

impl Source {
    /// Opens what the arguments name; all mistakes of all files are one error.
    pub fn open(common: &Common, arguments: &SourceArgs) -> anyhow::Result<Self> {
        let tree = tree(common, arguments.revision.as_deref())?;
        let environment = environment(&tree, arguments.environment.as_deref())?;
        Ok(Self::of_tree(tree, &environment)?)
    }

    /// The same environment at another revision: what `diff --against` compares with.
    pub fn at(&self, common: &Common, revision: &str) -> anyhow::Result<Self> {
        let tree = tree(common, Some(revision))?;
        Ok(Self::of_tree(tree, &self.fleet.environment.name)?)
    }

    /// The environment in a tree; all mistakes of all files are one error.
    pub fn of_tree(tree: Tree, environment: &str) -> Result<Self, UserError> {
        match read(&tree, environment) {
            Ok((fleet, renderer)) => Ok(Self {
                fleet,
                tree,
                renderer,
            }),
            Err(findings) => Err(mistakes(&format!("in `{environment}`"), findings)),
        }
    }

    /// Renders tenants and holds them to the policies; a tenant with mistakes has those instead.
    pub fn bundles(&self, tenants: &[&Tenant]) -> Bundles {
        let rendered = self.renderer.render_some(&self.fleet, tenants);
        let judged: Vec<Judged> = rendered
            .into_par_iter()
            .map(|(name, rendered)| self.judged(name, rendered))
            .collect();
        let mut bundles = Bundles::default();
        for Judged {
            tenant,
            bundle,
            shape,
            warnings,
        } in judged
        {
            bundles
                .shapes
                .extend(shape.map(|shape| (tenant.clone(), shape)));
            bundles.rendered.insert(tenant, bundle);
            bundles.warnings.extend(warnings);
        }
        bundles
    }

    /// The same, some tenants at a time: the bundles of 10,000 would take gigabytes.
    pub fn bundles_in_parts(&self, tenants: &[&Tenant]) -> impl Iterator<Item = Bundles> {
        const AT_A_TIME: usize = 256;
        let parts: Vec<Vec<&Tenant>> = tenants.chunks(AT_A_TIME).map(<[_]>::to_vec).collect();
        parts.into_iter().map(|part| self.bundles(&part))
    }

    fn judged(&self, name: String, rendered: Result<Bundle, Vec<Finding>>) -> Judged {
        let tenant = self
            .fleet
            .tenant(&name)
            .expect("only tenants of the fleet are rendered");
        let findings = match &rendered {
            Ok(bundle) => policy::check(&self.fleet, tenant, bundle),
            Err(_) => Vec::new(),
        };
        let (bundle, warnings) = if has_errors(&findings) {
            (Err(findings), Vec::new())
        } else {
            (rendered, findings)
        };
        let rendered = bundle.as_ref().ok();
        Judged {
            tenant: name,
            shape: rendered.map(|bundle| render::shape(tenant, bundle)),
            bundle,
            warnings,
        }
    }

    /// What it is, for people: `4f2a91c03d "Bump web"`, or the working tree.
    pub fn describe(&self) -> String {
        match &self.tree.commit {
            Some(commit) if self.tree.is_dirty => format!("{} (dirty)", commit.short()),
            Some(commit) => format!("{} \"{}\"", commit.short(), commit.subject),
            None => "working tree, not in git".to_owned(),
        }
    }
}

impl Bundles {
    /// The bundles packed, and every mistake; a tenant with mistakes has the first of them.
    pub fn packed(self) -> (engine::Bundles, Vec<Finding>) {
        let failed = self
            .rendered
            .values()
            .filter_map(|bundle| bundle.as_ref().err());
        let mistakes = failed.flatten().cloned().collect();
        let first = |findings: Vec<Finding>| {
            grouped(findings).first().map_or_else(
                || "a mistake".to_owned(),
                |finding| finding.to_string().replace('\n', " "),
            )
        };
        let pack = |(tenant, bundle): (String, Result<Bundle, Vec<Finding>>)| {
            let shape = self.shapes.get(&tenant).cloned();
            let packed = bundle.map(|bundle| PackedBundle::of(&bundle).shaped(shape));
            (tenant, packed.map_err(first))
        };
        (self.rendered.into_par_iter().map(pack).collect(), mistakes)
    }

    /// Everything that kept tenants from rendering.
    pub fn mistakes(&self) -> Vec<Finding> {
        let failed = self
            .rendered
            .values()
            .filter_map(|bundle| bundle.as_ref().err());
        grouped(failed.flatten().cloned())
    }
}

/// The fleet's folder: paths of files begin there.
pub fn root(common: &Common) -> anyhow::Result<PathBuf> {
    Ok(Repo::open(&common.directory)?.root().to_owned())
}

/// The files at a revision, or as they lie in the folder.
pub fn tree(common: &Common, revision: Option<&str>) -> anyhow::Result<Tree> {
    let repo = Repo::open(&common.directory)?;
    match revision {
        Some(revision) => repo.tree_at(revision),
        None => repo.working_tree(),
    }
}

/// Fleet and templates, or the mistakes of both.
pub fn read(tree: &Tree, environment: &str) -> Result<(Fleet, Renderer), Vec<Finding>> {
    let fleet = load(&tree.files, environment);
    let renderer = Renderer::new(&tree.files, tree.blobs.clone());
    match (fleet, renderer) {
        (Ok(fleet), Ok(renderer)) => Ok((fleet, renderer)),
        (fleet, renderer) => {
            let findings = fleet.err().into_iter().chain(renderer.err());
            Err(findings.flatten().collect())
        }
    }
}

/// The environment that was named, or the only one there is.
pub fn environment(tree: &Tree, named: Option<&str>) -> Result<String, UserError> {
    let known = fleet::environments(tree.files.keys().map(String::as_str));
    match (named, &known[..]) {
        (Some(named), _) if known.contains(&named) => Ok(named.to_owned()),
        (Some(named), _) => {
            let error = UserError::new(format!("no environment named `{named}`"));
            Err(match did_you_mean(named, known.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("there are `{}`", known.join("`, `"))),
            })
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, []) => Err(UserError::new("there is no environment here")
            .hint("an environment begins with `environments/NAME/environment.yaml`")),
        (None, several) => Err(UserError::new("there are several environments")
            .hint(format!("name one with `-e`: `{}`", several.join("`, `")))),
    }
}

/// Findings as one error: each with its place, the same mistake once.
pub fn mistakes(what: &str, findings: Vec<Finding>) -> UserError {
    let errors: Vec<Finding> = grouped(findings.into_iter().filter(Finding::is_error));
    let count = match errors.len() {
        1 => "1 mistake".to_owned(),
        count => format!("{count} mistakes"),
    };
    let mut message = format!("{count} {what}");
    for error in &errors {
        let told = error.to_string().replace('\n', "\n  ");
        message.push_str("\n  ");
        message.push_str(told.strip_prefix("error: ").unwrap_or(&told));
    }
    UserError::new(message)
}

/// What else is moved when a platform is named, for people to read before anything happens.
pub fn sharing_notes(fleet: &Fleet, selection: &Selection) -> Vec<String> {
    let shared = fleet.sharing(selection).into_iter().map(|sharing| {
        let others = BTreeSet::from_iter(sharing.others);
        let others: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
        let named = sharing.named.join("`, `");
        format!(
            "`{named}` shares tenant `{}` with {}",
            sharing.tenant,
            others.join(", ")
        )
    });
    shared.collect()
}
