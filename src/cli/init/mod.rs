//! `escale init`: a fleet's repository to begin with, which passes `check`.

use std::path::Path;

use anyhow::Context as _;
use include_dir::{Dir, include_dir};

use crate::cli::Common;
use crate::cli::source::{mistakes, read};
use crate::cli::ui::Ui;
use crate::error::{Exit, UserError};
use crate::fleet::{Files, is_name};
use crate::repo::Tree;

static SKELETON: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/cli/init/skeleton");
/// What this repository says of itself to people who have a fleet.
const CI: &str = include_str!("../../../.gitlab-ci.yml");
const CI_FILE: &str = ".gitlab-ci.yml";
/// The environment that the CI file names.
const CI_ENVIRONMENT: &str = "ESCALE_ENVIRONMENT: production";

/// Begin a fleet's repository: one cluster, one tenant, one template, and the CI file.
///
/// Writes into this folder, or the one that `-C` names. Nothing that is there is touched: if one of the files exists, none
/// is written.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The environment
    #[arg(short, long, value_name = "NAME", default_value = "production")]
    environment: String,
    /// The first cluster; it keeps the records of rollouts, too
    #[arg(long, value_name = "NAME", default_value = "main")]
    cluster: String,
    /// The cluster's context in the kubeconfig; default: its name
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The first tenant
    #[arg(long, value_name = "NAME", default_value = "first")]
    tenant: String,
}

impl Init {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        for name in [&self.environment, &self.cluster, &self.tenant] {
            if !is_name(name) {
                return Err(UserError::new(format!("`{name}` is no name"))
                    .hint("lower case letters, digits and `-`, as Kubernetes has them")
                    .into());
            }
        }
        let files = self.files();
        let folder = &common.directory;
        refuse_to_overwrite(folder, &files)?;
        self.check(&files)?;
        for (path, text) in &files {
            write(&folder.join(path), text)?;
        }
        ui.say(format!("{} files written:", files.len()));
        for path in files.keys() {
            ui.say(format!("  {path}"));
        }
        ui.say("next:");
        for line in self.next() {
            ui.say(format!("  {line}"));
        }
        Ok(Exit::Done)
    }

    fn files(&self) -> Files {
        let mut files = Files::new();
        self.collect(&SKELETON, &mut files);
        let environment = format!("ESCALE_ENVIRONMENT: {}", self.environment);
        files.insert(CI_FILE.to_owned(), CI.replace(CI_ENVIRONMENT, &environment));
        files
    }

    fn collect(&self, folder: &Dir<'_>, files: &mut Files) {
        for file in folder.files() {
            let path = self.filled(&file.path().display().to_string());
            let text = file.contents_utf8().expect("the skeleton is text");
            files.insert(path, self.filled(text));
        }
        for inner in folder.dirs() {
            self.collect(inner, files);
        }
    }

    /// With the names that were given in their places.
    fn filled(&self, text: &str) -> String {
        let context = self.context.as_ref().unwrap_or(&self.cluster);
        let names = [
            ("@environment@", &self.environment),
            ("@cluster@", &self.cluster),
            ("@context@", context),
            ("@tenant@", &self.tenant),
        ];
        let fill = |text: String, (place, name): (&str, &String)| text.replace(place, name);
        names.into_iter().fold(text.to_owned(), fill)
    }

    /// Nothing is written that `check` would not take.
    fn check(&self, files: &Files) -> Result<(), UserError> {
        let tree = Tree {
            files: files.clone(),
            ..Tree::default()
        };
        let read = read(&tree, &self.environment);
        read.map(|_| ())
            .map_err(|findings| mistakes("in what would be written", findings))
    }

    fn next(&self) -> Vec<String> {
        let environment = &self.environment;
        vec![
            "git init -b main && git add -A && git commit -m \"The fleet\"".to_owned(),
            format!("escale check -e {environment}"),
            format!("escale rollout -e {environment} --sim        # on simulated clusters"),
            format!(
                "escale diff -e {environment}                 # what would be applied to cluster `{}`",
                self.cluster
            ),
            format!(
                "escale new tenant NAME -e {environment} --cluster {}",
                self.cluster
            ),
        ]
    }
}

fn refuse_to_overwrite(folder: &Path, files: &Files) -> Result<(), UserError> {
    let there: Vec<&str> = files
        .keys()
        .filter(|path| folder.join(path).exists())
        .map(String::as_str)
        .collect();
    if there.is_empty() {
        return Ok(());
    }
    Err(UserError::new(format!(
        "nothing is written: `{}` {} there already",
        there.join("`, `"),
        if there.len() == 1 { "is" } else { "are" }
    ))
    .hint("begin in an empty folder: `escale -C DIR init`"))
}

/// Writes a file that is not there yet, and the folders that it is in.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().expect("a file is in a folder");
    std::fs::create_dir_all(folder)
        .with_context(|| format!("could not make `{}`", folder.display()))?;
    std::fs::write(path, text).with_context(|| format!("could not write `{}`", path.display()))
}
