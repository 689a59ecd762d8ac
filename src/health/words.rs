//! Words for people: counts that agree with their nouns, exit codes.

/// `1 pod`, `3 pods`.
pub(super) fn counted(count: impl TryInto<i64>, noun: &str) -> String {
    match count.try_into().unwrap_or(i64::MAX) {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// What an exit code means, where convention gives it a meaning: `exit code 137, killed (SIGKILL)`.
pub(super) fn exit(code: i64, reason: &str) -> String {
    let meaning = match (reason, code) {
        ("OOMKilled", _) => ", out of memory (OOMKilled)",
        (_, 0) => ", it ends though it should go on running",
        (_, 126) => ", its command cannot be executed",
        (_, 127) => ", its command was not found",
        (_, 134) => ", it aborted (SIGABRT)",
        (_, 137) => ", it was killed (SIGKILL)",
        (_, 139) => ", segmentation fault (SIGSEGV)",
        (_, 143) => ", it was told to stop (SIGTERM)",
        _ => "",
    };
    format!("exit code {code}{meaning}")
}

/// The first line, cut where it grows too long for a report.
pub(super) fn shortened(message: &str) -> String {
    const LONG: usize = 240;
    let line = message.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
