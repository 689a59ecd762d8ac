//! The last words of a rollout, and the exit code that goes with them.

use crate::cli::left_out;
use crate::cli::ui::Ui;
use crate::cli::voice::counted;
use crate::engine::{Ahead, AheadAt, Ended, Ending};
use crate::error::Exit;
use crate::rollout::{Outcome, Plan};

/// There is nothing to roll out.
pub fn nothing(ui: &Ui, plan: &Plan) -> Exit {
    tell_left_out(ui, plan);
    let (words, exit) = idle(plan);
    ui.say(words);
    exit
}

/// That nothing changes, in words, and the exit code that goes with it.
pub fn idle(plan: &Plan) -> (String, Exit) {
    let exceptions = plan.exceptions().count();
    let unchanged = plan.unchanged();
    let exit = if exceptions == 0 {
        Exit::Done
    } else {
        Exit::Exceptions
    };
    let unchanged = counted(unchanged, "tenant");
    (format!("nothing to do: {unchanged} unchanged"), exit)
}

pub fn taken(ui: &Ui, by: &str) -> Exit {
    ui.say(format!(
        "not ours to run: {by} is conducting a rollout of this environment"
    ));
    ui.say("  hint: `escale status` shows it; run again when it has ended");
    Exit::NotOurs
}

/// A newer release is there already, or goes first.
pub fn ahead(ui: &Ui, release: &str, ahead: &Ahead) -> Exit {
    ui.say(format!("not ours to run: {}", newer(ahead)));
    ui.say(format!(
        "  hint: it contains {release}; to go back on purpose: `escale rollback`, or `--older --reason WHY`"
    ));
    Exit::NotOurs
}

/// Where a newer release is, in words.
pub fn newer(ahead: &Ahead) -> String {
    let release = &ahead.release;
    match ahead.at {
        AheadAt::Tenants(count) => {
            let runs = if count == 1 { "runs" } else { "run" };
            format!(
                "{} {runs} release {release}, which is newer",
                counted(count, "tenant")
            )
        }
        AheadAt::Rollout => format!("release {release}, which is newer, is being rolled out"),
        AheadAt::Queue => format!("release {release}, which is newer, goes next"),
    }
}

/// A rebuild is open, and goes first.
pub fn rebuilding(ui: &Ui, cluster: &str) -> Exit {
    ui.say(format!(
        "not begun: the rebuild of cluster `{cluster}` is open, and nobody conducts it"
    ));
    ui.say("  hint: `escale rollout --continue` goes on with it; `escale status` shows what it waits for; then run this again");
    Exit::NotFinished
}

/// What comes after a rebuild.
pub fn rebuilt(ui: &Ui, exit: Exit) {
    if matches!(exit, Exit::Done | Exit::Exceptions) {
        ui.say("  hint: the next `escale rollout` brings everybody forward whom nobody holds, and those that were left out");
    }
}

/// It has not had its turn.
pub fn queued(ui: &Ui, behind: &str) -> Exit {
    ui.say(format!("not begun: waits for {behind} to come to its end"));
    ui.say("  hint: run the same command again, or `escale rollout --continue`");
    Exit::NotFinished
}

pub fn ended(ui: &Ui, ended: &Ended) -> Exit {
    tell_left_out(ui, &ended.frozen.plan);
    let id = ended
        .id
        .as_deref()
        .map_or_else(String::new, |id| format!("rollout {id}: "));
    let (words, exit) = verdict(&ended.ending);
    ui.say(format!("{id}{words}"));
    if exit == Exit::PersonNeeded && ended.id.is_some() {
        ui.say("  hint: `escale status` shows what failed; then `escale resume`, `escale abort` or `escale rollback`");
    }
    if matches!(
        ended.ending,
        Ending::Finished {
            outcome: Outcome::RolledBack,
            ..
        }
    ) {
        ui.say("  hint: the release is in quarantine; fix it in a new commit, or `escale clear COMMIT`");
    }
    if let Ending::LeftOff {
        until: Some(until), ..
    } = ended.ending
    {
        let until = until.strftime("%Y-%m-%d %H:%M:%S UTC");
        ui.say(format!("  hint: there is nothing to do before {until}"));
    }
    exit
}

/// An ending in words, and the exit code that goes with it.
pub fn verdict(ending: &Ending) -> (String, Exit) {
    match ending {
        Ending::Finished { outcome, why } => finished(*outcome, why),
        Ending::Person { on, failed } => {
            let exit = if *failed {
                Exit::PersonNeeded
            } else {
                Exit::NotFinished
            };
            (format!("waits for {}", on.join(", ")), exit)
        }
        Ending::LeftOff { why, .. } => (
            format!("not finished ({why}): run the same command again to go on"),
            Exit::NotFinished,
        ),
        Ending::LeaseLost => ("another process conducts it now".to_owned(), Exit::NotOurs),
    }
}

fn finished(outcome: Outcome, why: &str) -> (String, Exit) {
    match outcome {
        Outcome::Succeeded => (format!("succeeded: {why}"), Exit::Done),
        Outcome::SucceededWithExceptions => (
            format!("succeeded with exceptions: {why}"),
            Exit::Exceptions,
        ),
        Outcome::RolledBack => (
            format!("failed, and everything it touched is back: {why}"),
            Exit::FailedAndBack,
        ),
        Outcome::Failed => (
            format!("failed, and a person is needed: {why}"),
            Exit::PersonNeeded,
        ),
        Outcome::Aborted => (format!("ended: {why}"), Exit::FailedAndBack),
        Outcome::Superseded => (format!("left to a newer release: {why}"), Exit::NotOurs),
    }
}

/// Names who was left out, but for those that run what is wanted.
fn tell_left_out(ui: &Ui, plan: &Plan) {
    for line in left_out::lines(plan.left_out()) {
        ui.say(line);
    }
}
