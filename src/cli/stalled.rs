//! `escale status --stalled`: a scheduled alarm for what stands still.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::cli::paragraph::wrapped;
use crate::cli::status::Output;
use crate::cli::ui::Ui;
use crate::cli::voice::{counted, duration};
use crate::engine::Reading;
use crate::error::Exit;
use crate::fleet::config::{API_VERSION, Duration};
use crate::rollout::{Needs, Stall};

/// What counts as standing still.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct StalledArgs {
    /// Show only what stands still although it should move, and what to type next
    #[arg(long)]
    pub stalled: bool,
    /// What moves again within this time does not stand still
    #[arg(long = "for", value_name = "TIME", default_value = "15m")]
    patience: Duration,
    /// End with 7 if a person is needed, with 4 if `escale rollout --continue` is enough
    #[arg(long, requires = "stalled")]
    exit_code: bool,
}

impl StalledArgs {
    pub fn patience(self) -> SignedDuration {
        self.patience.to_signed()
    }

    pub fn tell(self, ui: &Ui, reading: &Reading, output: Output) -> anyhow::Result<Exit> {
        let stalls = reading.stalls(self.patience());
        let is_whole = reading.unread().is_empty();
        match output {
            Output::Text => ui.data(&text(&stalls, reading.at, is_whole, ui.width())),
            Output::Json => ui.data(&self.json(&stalls, reading)?),
        }
        Ok(self.exit(&stalls, is_whole))
    }

    fn json(self, stalls: &[Stall], reading: &Reading) -> anyhow::Result<String> {
        let report = json!({
            "apiVersion": API_VERSION,
            "kind": "StalledReport",
            "environment": reading.environment,
            "at": reading.at,
            "for": self.patience.to_string(),
            "stalled": stalls,
            "unread": reading.unread(),
        });
        Ok(serde_json::to_string_pretty(&report)? + "\n")
    }

    /// That a person is needed stays true whatever else could not be read; that `--continue` is enough does not.
    fn exit(self, stalls: &[Stall], is_whole: bool) -> Exit {
        let any = |needs: Needs| self.exit_code && stalls.iter().any(|stall| stall.needs == needs);
        if any(Needs::Person) {
            Exit::PersonNeeded
        } else if !is_whole {
            Exit::Error
        } else if any(Needs::Continue) {
            Exit::NotFinished
        } else {
            Exit::Done
        }
    }
}

fn text(stalls: &[Stall], now: Timestamp, is_whole: bool, width: usize) -> String {
    let each = stalls.iter().map(|stall| paragraph(stall, now, width));
    each.chain([wrapped(&summary(stalls, is_whole), width)])
        .collect()
}

/// Commands stand on lines of their own: they are there to be copied.
fn paragraph(stall: &Stall, now: Timestamp, width: usize) -> String {
    let why = stall.why.as_deref().filter(|why| !why.is_empty());
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let line = format!(
        "{}: {}: {}, since {} ({}){why}",
        heading(stall.needs),
        stall.about,
        stall.what,
        stall.since.strftime("%Y-%m-%d %H:%M UTC"),
        duration(now.duration_since(stall.since)),
    );
    let commands = stall.next.iter().map(|command| format!("  $ {command}\n"));
    wrapped(&line, width) + &commands.collect::<String>()
}

fn heading(needs: Needs) -> &'static str {
    match needs {
        Needs::Person => "PERSON NEEDED",
        Needs::Continue => "RUN IT AGAIN",
        Needs::Nobody => "note",
    }
}

fn summary(stalls: &[Stall], is_whole: bool) -> String {
    let count = |needs: Needs| stalls.iter().filter(|stall| stall.needs == needs).count();
    let known = match (count(Needs::Person), count(Needs::Continue)) {
        (0, 0) if is_whole => return "nothing stands still".to_owned(),
        (0, 0) => "nothing that could be read stands still".to_owned(),
        (0, again) => format!("{} to be run again", counted(again, "thing")),
        (person, 0) => format!("{} for a person", counted(person, "thing")),
        (person, again) => format!(
            "{} for a person, {again} to be run again",
            counted(person, "thing")
        ),
    };
    if is_whole {
        known
    } else {
        format!("{known}; INCOMPLETE: more may be wrong where nothing could be read")
    }
}
