//! Runs programs that know secrets: an argument vector, no shell, no terminal, and an end to waiting.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::fleet::config::ExecSource;

/// What a program said.
pub struct Answer {
    pub stdout: Vec<u8>,
    pub stderr: String,
    pub has_succeeded: bool,
    /// `exit status: 1`.
    pub status: String,
}

/// What the program of an `exec` source prints for a path. What it says on stderr is not repeated: nobody knows what it
/// puts there.
pub async fn answer(source: &ExecSource, path: &str) -> Result<Vec<u8>, String> {
    let command = source.command_for(path);
    let name = command.first().cloned().unwrap_or_default();
    let answer = run(&command, &[], source.timeout.to_std()).await?;
    if answer.has_succeeded {
        return Ok(without_newline(answer.stdout));
    }
    Err(format!(
        "`{name}` failed with {}; run it by hand to see why",
        answer.status
    ))
}

/// Programs end what they print with a newline that is no part of the secret.
fn without_newline(mut text: Vec<u8>) -> Vec<u8> {
    if text.ends_with(b"\n") {
        text.pop();
    }
    text
}

/// Runs a program to its end.
pub async fn run(command: &[String], input: &[u8], patience: Duration) -> Result<Answer, String> {
    let Some((name, arguments)) = command.split_first() else {
        return Err("its command is empty".to_owned());
    };
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| cannot_start(name, &error))?;
    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that does not read to the end has its reasons, and says so by its status.
            let _ = stdin.write_all(input).await;
        }
    };
    let ended = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = match tokio::time::timeout(patience, ended).await {
        Ok(output) => output.map_err(|error| format!("`{name}`: {error}"))?,
        Err(_) => return Err(format!("`{name}` did not answer within {patience:?}")),
    };
    Ok(Answer {
        has_succeeded: output.status.success(),
        status: output.status.to_string(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        stdout: output.stdout,
    })
}

fn cannot_start(name: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no program `{name}` on this machine"),
        _ => format!("`{name}` cannot be started: {error}"),
    }
}
