//! `escale schema`: JSON Schemas of the config files, for editors and reviewers.

use serde_json::{Map, Value};

use crate::cli::Common;
use crate::cli::ui::Ui;
use crate::error::{Exit, UserError, did_you_mean};
use crate::fleet::config::{Kind, schema_of};

/// Print the JSON Schema of a kind of config file, or of all six by name.
#[derive(Debug, clap::Args)]
pub struct Schema {
    /// Environment, Versions, Strategy, Cluster, Tenant or Platform
    #[arg(value_name = "KIND")]
    kind: Option<String>,
}

impl Schema {
    pub fn run(&self, _common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let all = || Value::Object(Map::from_iter(Kind::ALL.map(named_schema)));
        let schema = match &self.kind {
            Some(name) => schema_of(kind(name)?),
            None => all(),
        };
        ui.data(&format!("{schema:#}\n"));
        Ok(Exit::Done)
    }
}

fn named_schema(kind: Kind) -> (String, Value) {
    (kind.name().to_owned(), schema_of(kind))
}

fn kind(name: &str) -> Result<Kind, UserError> {
    let found = Kind::ALL
        .into_iter()
        .find(|kind| kind.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names = Kind::ALL.map(Kind::name);
        let lower = names.map(str::to_lowercase);
        let error = UserError::new(format!("no kind named `{name}`")).exit(Exit::Usage);
        match did_you_mean(&name.to_lowercase(), lower.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("there are `{}`", names.join("`, `"))),
        }
    })
}
