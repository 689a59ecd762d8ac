//! When clusters did not answer during a rollout, or were unwell.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Every time that a cluster did not answer (or, apart, was unwell), by cluster, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absences(BTreeMap<String, Vec<Absence>>);

/// A time during which a cluster could not be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    pub since: Timestamp,
    /// `None`: it has not ended.
    pub until: Option<Timestamp>,
    pub why: String,
}

impl Absences {
    /// The absence that has not ended.
    pub fn current(&self, cluster: &str) -> Option<&Absence> {
        let last = self.0.get(cluster)?.last()?;
        last.until.is_none().then_some(last)
    }

    /// Those that have not ended, by cluster.
    pub fn all_current(&self) -> impl Iterator<Item = (&str, &Absence)> {
        let names = self.0.keys().map(String::as_str);
        names.filter_map(|name| Some((name, self.current(name)?)))
    }

    /// How long a cluster did not answer between then and now.
    pub fn length(&self, cluster: &str, since: Timestamp, now: Timestamp) -> SignedDuration {
        let absences = self.0.get(cluster).into_iter().flatten();
        let parts = absences.map(|absence| {
            let until = absence.until.unwrap_or(now);
            until.duration_since(absence.since.max(since))
        });
        parts.filter(SignedDuration::is_positive).sum()
    }

    /// When the last one ended, if none is under way.
    pub fn last_end(&self, cluster: &str) -> Option<Timestamp> {
        self.0.get(cluster)?.last()?.until
    }

    pub(super) fn begin(&mut self, cluster: &str, at: Timestamp, why: &str) {
        if self.current(cluster).is_none() {
            let absences = self.0.entry(cluster.to_owned()).or_default();
            absences.push(Absence {
                since: at,
                until: None,
                why: why.to_owned(),
            });
        }
    }

    pub(super) fn end(&mut self, cluster: &str, at: Timestamp) {
        let absences = self.0.get_mut(cluster);
        if let Some(last) = absences.and_then(|absences| absences.last_mut()) {
            last.until.get_or_insert(at);
        }
    }
}
