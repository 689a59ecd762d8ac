//! `escale new`: a tenant or a platform more, as a file that passes `check`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::cli::Common;
use crate::cli::init::write;
use crate::cli::source::{self, Source, mistakes};
use crate::cli::ui::Ui;
use crate::cli::voice::counted;
use crate::error::{Exit, UserError};
use crate::fleet::config::API_VERSION;
use crate::yaml;

/// Add a tenant or a platform: writes its file, if the fleet passes `check` with it.
#[derive(Debug, clap::Args)]
pub struct New {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Tenant(NewTenant),
    Platform(NewPlatform),
}

/// Add a tenant: one namespace on one cluster.
///
/// With `--client` and `--domain` it is the tenant of one client, in one file. Without, it is a folder that `escale new
/// platform` fills.
#[derive(Debug, clap::Args)]
struct NewTenant {
    /// Its name
    name: String,
    /// The environment; default: the only one there is
    #[arg(short, long, value_name = "NAME")]
    environment: Option<String>,
    /// The cluster that it is on
    #[arg(long, value_name = "NAME")]
    cluster: String,
    /// Its namespace; default: its name
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// A class of the environment
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
    /// Tenants that serve one client together
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// A label, as `ring=early`; repeat it for several
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Whose site it is
    #[arg(long, value_name = "NAME", requires = "domain")]
    client: Option<String>,
    /// The site's primary domain
    #[arg(long, value_name = "DOMAIN", requires = "client")]
    domain: Option<String>,
}

/// Add a platform: one client's site inside a tenant that many share.
#[derive(Debug, clap::Args)]
struct NewPlatform {
    /// Its name
    name: String,
    /// The environment; default: the only one there is
    #[arg(short, long, value_name = "NAME")]
    environment: Option<String>,
    /// The tenant that it is in
    #[arg(long, value_name = "NAME")]
    tenant: String,
    /// Whose site it is; default: the platform's name
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Its primary domain
    #[arg(long, value_name = "DOMAIN")]
    domain: String,
    /// Another domain that leads to it; repeat it for several
    #[arg(long, value_name = "DOMAIN")]
    alias: Vec<String>,
    /// An app of the catalogue to switch on; repeat it for several
    #[arg(long, value_name = "NAME")]
    app: Vec<String>,
}

/// A file of an environment that is not there yet.
struct NewFile {
    /// Below the environment's folder.
    path: String,
    document: Value,
    /// Whose objects change by it.
    tenant: String,
}

impl New {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let (environment, file) = match &self.what {
            What::Tenant(tenant) => (&tenant.environment, tenant.file()),
            What::Platform(platform) => (&platform.environment, platform.file()),
        };
        let tree = source::tree(common, None)?;
        let environment = source::environment(&tree, environment.as_deref())?;
        if let What::Platform(platform) = &self.what {
            platform.needs_folder(&tree.files, &environment)?;
        }
        file.add(common, ui, (tree, &environment))
    }
}

impl NewTenant {
    fn file(&self) -> NewFile {
        let labels: BTreeMap<&String, &String> =
            self.label.iter().map(|(key, value)| (key, value)).collect();
        let mut metadata = json!({"name": self.name});
        if !labels.is_empty() {
            metadata["labels"] = json!(labels);
        }
        let mut spec = json!({"cluster": self.cluster});
        let more = [
            ("namespace", &self.namespace),
            ("class", &self.class),
            ("group", &self.group),
        ];
        for (field, value) in more {
            if let Some(value) = value {
                spec[field] = json!(value);
            }
        }
        let site = self.client.as_ref().zip(self.domain.as_ref());
        if let Some((client, domain)) = site {
            spec["platforms"] = json!({client: {"client": client, "domain": domain}});
        }
        let name = &self.name;
        NewFile {
            path: match site {
                Some(_) => format!("tenants/{name}.yaml"),
                None => format!("tenants/{name}/tenant.yaml"),
            },
            document: document("Tenant", &metadata, &spec),
            tenant: name.clone(),
        }
    }
}

impl NewPlatform {
    fn file(&self) -> NewFile {
        let client = self.client.as_ref().unwrap_or(&self.name);
        let mut spec = json!({"client": client, "domain": self.domain});
        if !self.alias.is_empty() {
            spec["aliases"] = json!(self.alias);
        }
        if !self.app.is_empty() {
            let apps = self.app.iter().map(|app| (app.clone(), json!({})));
            spec["apps"] = Value::Object(apps.collect());
        }
        NewFile {
            path: format!("tenants/{}/{}.yaml", self.tenant, self.name),
            document: document("Platform", &json!({"name": self.name}), &spec),
            tenant: self.tenant.clone(),
        }
    }

    /// A tenant in a file of its own has its platforms there.
    fn needs_folder(
        &self,
        files: &crate::fleet::Files,
        environment: &str,
    ) -> Result<(), UserError> {
        let tenant = &self.tenant;
        let folder = format!("environments/{environment}/tenants/{tenant}");
        if !files.contains_key(&format!("{folder}.yaml")) {
            return Ok(());
        }
        Err(UserError::new(format!(
            "tenant `{tenant}` is one file, and its platforms are in it"
        ))
        .hint(format!(
            "make it a folder first: mkdir {folder} && git mv {folder}.yaml {folder}/tenant.yaml"
        )))
    }
}

fn document(kind: &str, metadata: &Value, spec: &Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec})
}

impl NewFile {
    /// Writes it, if nothing is wrong with the fleet then.
    fn add(
        self,
        common: &Common,
        ui: &Ui,
        (mut tree, environment): (crate::repo::Tree, &str),
    ) -> anyhow::Result<Exit> {
        let path = format!("environments/{environment}/{}", self.path);
        if tree.files.contains_key(&path) {
            return Err(UserError::new(format!("`{path}` is there already")).into());
        }
        let text = yaml::write(&self.document);
        tree.files.insert(path.clone(), text.clone());
        let refused = format!("that it would bring to `{environment}`; nothing is written");
        let (fleet, renderer) =
            source::read(&tree, environment).map_err(|findings| mistakes(&refused, findings))?;
        let source = Source {
            fleet,
            tree,
            renderer,
        };
        let tenant = source.fleet.tenant(&self.tenant);
        let tenant = tenant.ok_or_else(|| {
            UserError::new(format!("there is no tenant `{}`", self.tenant))
                .hint(format!("`escale new tenant {}` makes it", self.tenant))
        })?;
        let bundles = source.bundles(&[tenant]);
        let wrong = bundles.mistakes();
        if !wrong.is_empty() {
            return Err(mistakes(&refused, wrong).into());
        }
        let objects = bundles.rendered.values().flatten();
        let count: usize = objects.map(|bundle| bundle.manifests().len()).sum();
        write(&source::root(common)?.join(&path), &text)?;
        ui.data(&text);
        ui.say(format!(
            "{path} written: `{}` has {} with it",
            self.tenant,
            counted(count, "object")
        ));
        ui.say("next: commit it; `escale diff --against HEAD~1` shows what it brings");
        Ok(Exit::Done)
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write `key=value`".to_owned()),
    }
}
