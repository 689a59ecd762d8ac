//! The real binary, as a person or a CI job runs it.

use std::fmt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::clusters;

/// What it said, and how it ended.
pub struct Told {
    pub code: Option<i32>,
    pub data: String,
    pub talk: String,
}

pub fn escale(folder: &Path, arguments: &[&str]) -> Told {
    command(folder, arguments)
        .output()
        .expect("escale starts")
        .into()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_escale"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    command.env("KUBECONFIG", clusters::kubeconfig());
    command
}

impl Told {
    /// Fails the test, with everything that was said, unless it ended with this code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// Fails the test unless both, data and talk together, have this in them.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let found = self.data.contains(text) || self.talk.contains(text);
        assert!(found, "expected `{text}`\n{self}");
        self
    }
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            data: String::from_utf8_lossy(&output.stdout).into_owned(),
            talk: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code {:?}\n--- stdout\n{}", self.code, self.data)?;
        write!(f, "--- stderr\n{}", self.talk)
    }
}
