//! A commit, as people name it.

use jiff::Timestamp;
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// All 40 hex digits.
    pub id: String,
    pub author: String,
    /// The first line of its message.
    pub subject: String,
    /// When it was committed.
    pub time: Timestamp,
}

impl Commit {
    /// `None` for a commit from beyond the range of times.
    pub fn of(commit: &git2::Commit<'_>) -> Option<Self> {
        let subject = commit.summary().ok().flatten();
        Some(Self {
            id: commit.id().to_string(),
            author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
            subject: subject.unwrap_or_default().to_owned(),
            time: Timestamp::from_second(commit.time().seconds()).ok()?,
        })
    }

    /// The first 10 hex digits, for people.
    pub fn short(&self) -> &str {
        &self.id[..10]
    }
}
