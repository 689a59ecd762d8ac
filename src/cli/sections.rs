//! Sections of a job's log in GitLab, which readers fold. Anywhere else there are none.
//!
//! Source: GitLab `doc/ci/jobs/job_logs.md`, "custom collapsible sections".

use jiff::Timestamp;

use crate::cli::ui::Ui;

/// The section that is open.
#[derive(Default)]
pub struct Sections {
    is_in_gitlab: bool,
    open: Option<String>,
    count: usize,
}

impl Sections {
    pub fn of_this_job() -> Self {
        Self {
            is_in_gitlab: std::env::var("GITLAB_CI").is_ok_and(|value| value == "true"),
            ..Self::default()
        }
    }

    /// Ends the one that is open, and begins another with this line. Says whether it did.
    pub fn begin(&mut self, ui: &Ui, at: Timestamp, line: &str) -> bool {
        self.end(ui, at);
        if !self.is_in_gitlab {
            return false;
        }
        self.count += 1;
        let name = format!("escale_{}_{}", std::process::id(), self.count);
        let second = at.as_second();
        ui.say(format!(
            "\x1b[0Ksection_start:{second}:{name}\r\x1b[0K{line}"
        ));
        self.open = Some(name);
        true
    }

    pub fn end(&mut self, ui: &Ui, at: Timestamp) {
        if let Some(name) = self.open.take() {
            let second = at.as_second();
            ui.say(format!("\x1b[0Ksection_end:{second}:{name}\r\x1b[0K"));
        }
    }
}
