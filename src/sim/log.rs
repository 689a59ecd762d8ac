//! What was asked of a cluster: the audit log that tests count.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Every request so far, oldest first; also those that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestLog(Vec<LoggedRequest>);

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    pub at: Timestamp,
    pub verb: Verb,
    /// `deployments.apps`; for [`Verb::Discover`] the path.
    pub resource: String,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub dry_run: bool,
    /// The field manager, where one was named.
    pub manager: Option<String>,
    /// The HTTP status of the answer, or why there was none.
    pub answer: Result<u16, Lost>,
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    Unreachable,
    CutBeforeLanding,
    /// It did what it was asked; nobody heard.
    CutAfterLanding,
}

/// As the audit log of a real server has them, applies apart from other patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Discover,
    Get,
    List,
    Create,
    Update,
    Apply,
    Patch,
    Delete,
    DeleteCollection,
}

impl RequestLog {
    pub fn iter(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Requests that could change something. Dry-runs cannot.
    pub fn mutating(&self) -> impl Iterator<Item = &LoggedRequest> {
        self.iter().filter(|request| request.is_mutating())
    }

    /// How many of each verb and resource; dry-runs apart.
    pub fn counts(&self) -> BTreeMap<(Verb, &str, bool), usize> {
        let mut counts = BTreeMap::new();
        for request in self.iter() {
            let key = (request.verb, request.resource.as_str(), request.dry_run);
            *counts.entry(key).or_default() += 1;
        }
        counts
    }

    pub(super) fn push(&mut self, request: LoggedRequest) {
        self.0.push(request);
    }
}

impl LoggedRequest {
    pub fn is_mutating(&self) -> bool {
        !self.dry_run && self.verb.is_mutating()
    }
}

impl Verb {
    pub fn is_mutating(self) -> bool {
        !matches!(self, Self::Discover | Self::Get | Self::List)
    }
}
