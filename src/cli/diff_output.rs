//! How changes are printed, and the exit code that goes with them.

use crate::cli::ui::Ui;
use crate::diff::{Heading, Report, markdown, text};
use crate::error::Exit;

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum Output {
    Text,
    Json,
    Markdown,
}

/// What fits into a comment of any forge, with room for what a pipeline adds.
const COMMENT: usize = 60_000;

impl Output {
    pub fn print(self, report: &Report, heading: &Heading<'_>, ui: &Ui) -> anyhow::Result<()> {
        match self {
            Self::Text => {
                let Heading {
                    environment,
                    before,
                    after,
                } = heading;
                ui.say(format!("{environment}: {before} → {after}"));
                ui.data(&text(report, ui.width()));
            }
            Self::Json => ui.data(&format!("{}\n", serde_json::to_string_pretty(report)?)),
            Self::Markdown => ui.data(&markdown(report, heading, COMMENT)),
        }
        Ok(())
    }
}

/// `tells`: differences have an exit code of their own.
pub fn exit(report: &Report, tells: bool) -> Exit {
    if report.is_incomplete() {
        Exit::Error
    } else if tells && report.has_changes() {
        Exit::Differences
    } else {
        Exit::Done
    }
}
