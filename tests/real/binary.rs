//! The real binary, as a person or a CI job runs it.

use std::fmt;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use crate::clusters;
use crate::fleet::Fleet;

/// What it said, and how it ended.
pub struct Told {
    pub code: Option<i32>,
    pub data: String,
    pub talk: String,
}

pub fn escale(folder: &Path, arguments: &[&str]) -> Told {
    escale_with(&clusters::kubeconfig(), folder, arguments)
}

pub fn escale_with(kubeconfig: &Path, folder: &Path, arguments: &[&str]) -> Told {
    let mut command = command(kubeconfig, folder, arguments);
    command.output().expect("escale starts").into()
}

/// With more in its environment.
pub fn escale_in(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Told {
    let mut command = command(&clusters::kubeconfig(), folder, arguments);
    command.envs(environment.iter().copied());
    command.output().expect("escale starts").into()
}

pub fn rollout(fleet: &Fleet) -> Told {
    escale(fleet.folder(), &["rollout", "-e", fleet.environment()])
}

/// `what` are the tenant and whatever else the command is given.
pub fn rollback(folder: &Path, what: &[&str]) -> Told {
    let command = ["rollback", "--reason", "documents do not open"];
    escale(folder, &[&command, what].concat())
}

/// Starts a rollout and kills it without warning, a while after it said `word`.
pub fn killed_rollout(fleet: &Fleet, word: &str, after: Duration) {
    let mut rollout = Running::rollout(fleet);
    rollout.wait_for(word);
    assert!(rollout.killed_after(after), "it ended before");
}

/// A rollout in a process of its own.
pub struct Running {
    child: Child,
    talk: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    pub fn rollout(fleet: &Fleet) -> Self {
        Self::rollout_with(fleet, &[])
    }

    pub fn rollout_with(fleet: &Fleet, more: &[&str]) -> Self {
        Self::rollout_in(fleet, &[], more)
    }

    /// With more in its environment.
    pub fn rollout_in(fleet: &Fleet, environment: &[(&str, &str)], more: &[&str]) -> Self {
        let arguments = [&["rollout", "-e", fleet.environment()], more].concat();
        let mut child = command(&clusters::kubeconfig(), fleet.folder(), &arguments)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("escale starts");
        let talk = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let said = String::new();
        Self { child, talk, said }
    }

    /// Returns when it has said a word; fails the test if it ends without.
    pub fn wait_for(&mut self, word: &str) {
        while !self.said.contains(word) {
            let said = &mut self.said;
            let read = self.talk.read_line(said).expect("escale speaks UTF-8");
            assert!(read > 0, "it never said `{word}`:\n{said}");
        }
    }

    /// Whether it was still running when it was killed without warning. What it says meanwhile must fit into a pipe.
    pub fn killed_after(mut self, time: Duration) -> bool {
        std::thread::sleep(time);
        self.child.kill().expect("a child can be killed");
        let status = self.child.wait().expect("it ends");
        status.code().is_none()
    }

    /// Waits for its end.
    pub fn told(mut self) -> Told {
        self.talk
            .read_to_string(&mut self.said)
            .expect("escale speaks UTF-8");
        let status = self.child.wait().expect("it ends");
        Told {
            code: status.code(),
            data: String::new(),
            talk: self.said,
        }
    }
}

fn command(kubeconfig: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_escale"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    command.env("KUBECONFIG", kubeconfig);
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
