//! The command line: one file per command; only `ui.rs` prints.

mod adopt;
mod announce;
mod anywhere;
mod approve;
mod artifacts;
mod at_gates;
mod audience;
mod chat;
mod check;
mod clock;
mod compared;
mod completions;
mod demo;
mod deployments;
mod diff;
mod diff_output;
mod drift;
mod ending;
pub mod events;
mod fleet_table;
mod freeze;
mod git;
mod go_on;
mod health;
mod health_now;
mod hold;
mod hooks_gone;
mod init;
mod left_out;
pub mod metrics;
mod new;
mod paragraph;
mod plan_markdown;
mod plan_text;
mod rebuild;
pub mod rehearse;
mod render;
mod rendered_dir;
mod rollback;
mod rollout;
mod runtime;
mod schema;
mod secret_check;
mod secrets;
mod sections;
pub mod source;
mod stage;
mod stalled;
mod status;
mod tables;
mod targets;
pub mod ui;
mod voice;
mod who;
mod words;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::error::{Exit, exit_code};
use crate::record::Verb;
use approve::Judgement;
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
    Init(init::Init),
    New(new::New),
    Check(check::Check),
    Render(render::Render),
    Diff(diff::Diff),
    Drift(drift::Drift),
    Plan(rollout::Plan),
    Rollout(rollout::Rollout),
    Status(status::Status),
    History(status::History),
    Rollback(rollback::Rollback),
    Hold(hold::Hold),
    ReleaseHold(hold::ReleaseHold),
    Freeze(freeze::Freeze),
    Thaw(freeze::Thaw),
    Clear(words::Clear),
    /// Let a wave of the open rollout start, or tenants move to what they would get now
    ///
    /// An approval of a wave is for this one rollout. An approval of a tenant (`updates: onApproval` or `onRequest`) is
    /// for the bundle that `--ref` (default: `HEAD`) renders for it, whatever release brings that; the next rollout
    /// takes the tenant along.
    Approve(approve::Judge),
    /// Pause the open rollout instead of starting a wave, or take the approval of tenants back
    Reject(approve::Judge),
    /// Start nothing more; what is in flight settles
    Pause(words::Say),
    /// Go on after a pause, or after a failure that is accepted
    Resume(words::Say),
    /// End the rollout where it is; reverts nothing
    Abort(words::Say),
    Adopt(adopt::Adopt),
    Leave(adopt::Leave),
    Health(health::Health),
    Schema(schema::Schema),
    Demo(demo::Demo),
    Rehearse(rehearse::Rehearse),
    Chat(chat::Chat),
    Completions(completions::Completions),
    Man(completions::Man),
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
        Command::Init(init) => init.run(common, ui),
        Command::New(new) => new.run(common, ui),
        Command::Check(check) => check.run(common, ui),
        Command::Render(render) => render.run(common, ui),
        Command::Diff(diff) => diff.run(common, ui),
        Command::Drift(drift) => drift.run(common, ui),
        Command::Plan(plan) => plan.run(common, ui),
        Command::Rollout(rollout) => rollout.run(common, ui),
        Command::Status(status) => status.run(common, ui),
        Command::History(history) => history.run(common, ui),
        Command::Rollback(rollback) => rollback.run(common, ui),
        Command::Hold(hold) => hold.run(common, ui),
        Command::ReleaseHold(release) => release.run(common, ui),
        Command::Freeze(freeze) => freeze.run(common, ui),
        Command::Thaw(thaw) => thaw.run(common, ui),
        Command::Clear(clear) => clear.run(common, ui),
        Command::Approve(judge) => judge.run(common, ui, Judgement::Approve),
        Command::Reject(judge) => judge.run(common, ui, Judgement::Reject),
        Command::Pause(pause) => pause.run(common, ui, Verb::Pause),
        Command::Resume(resume) => resume.run(common, ui, Verb::Resume),
        Command::Abort(abort) => abort.run(common, ui, Verb::Abort),
        Command::Adopt(adopt) => adopt.run(common, ui),
        Command::Leave(leave) => leave.run(common, ui),
        Command::Health(health) => health.run(common, ui),
        Command::Schema(schema) => schema.run(common, ui),
        Command::Demo(demo) => demo.run(common, ui),
        Command::Rehearse(rehearse) => rehearse.run(common, ui),
        Command::Chat(chat) => chat.run(common, ui),
        Command::Completions(completions) => Ok(completions.run(ui, Arguments::command())),
        Command::Man(man) => man.run(common, ui, Arguments::command()),
    }
}
