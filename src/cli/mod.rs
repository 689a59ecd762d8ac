//! The command line: one file per command; only `ui.rs` prints.

mod check;
mod clock;
mod compared;
mod diff;
mod health;
mod render;
mod rendered_dir;
mod schema;
pub mod source;
pub mod ui;

use clap::{Parser, Subcommand};

use crate::error::{Exit, exit_code};
use ui::Ui;

/// Roll out releases over a fleet of tenants: canary first, wave by wave, and back when it breaks.
#[derive(Debug, Parser)]
#[command(name = "escale", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command understands.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Run as if started in this folder
    #[arg(
        short = 'C',
        long = "directory",
        value_name = "DIR",
        default_value = ".",
        global = true
    )]
    pub directory: std::path::PathBuf,
    /// Say more on stderr; twice: also what is asked of API servers
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

// One line per command, in the order of `design.md` 4: its file has the arguments and the doing.
#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Render(render::Render),
    Diff(diff::Diff),
    Health(health::Health),
    Schema(schema::Schema),
}

/// Parses the command line, runs the command, says what went wrong.
pub fn run() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return ui::usage(&error),
    };
    let ui = Ui::new(arguments.common.verbose);
    let outcome = dispatch(&arguments, &ui);
    outcome.unwrap_or_else(|error| {
        ui.error(&error);
        exit_code(&error)
    })
}

fn dispatch(arguments: &Arguments, ui: &Ui) -> anyhow::Result<Exit> {
    let common = &arguments.common;
    match &arguments.command {
        Command::Check(check) => check.run(common, ui),
        Command::Render(render) => render.run(common, ui),
        Command::Diff(diff) => diff.run(common, ui),
        Command::Health(health) => health.run(common, ui),
        Command::Schema(schema) => schema.run(common, ui),
    }
}
