//! Why a tenant is in no wave.

use serde::{Deserialize, Serialize};

/// A tenant that the plan leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Excluded {
    pub tenant: String,
    pub cluster: String,
    #[serde(flatten)]
    pub reason: Exclusion,
}

/// Why a tenant is in no wave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", content = "detail", rename_all = "camelCase")]
pub enum Exclusion {
    /// It runs what is wanted: zero writes.
    Unchanged,
    /// Kept at a bundle on purpose.
    Held(String),
    /// A mistake in its own files; counts as one failure.
    NotRendered(String),
    /// Its cluster did not answer when the plan was made.
    Unreachable(String),
    /// `updates: onApproval` or `onRequest`.
    NotAutomatic(String),
    /// Recorded on a cluster, but no file names it any more.
    Orphaned,
    /// Somebody else is writing to it.
    Claimed(String),
    /// Its record is damaged or of a newer version.
    RecordUnreadable(String),
    /// No wave of the strategy selects it, or none that does has room.
    NoWave,
    /// The release must not go forward here until a person clears it.
    Quarantined(String),
    /// `lifecycle: leaving`: nothing of it is changed, or is left.
    Leaving(String),
    /// The last day of a leaving tenant is over, and it is still there.
    NotRemoved(String),
    /// A leaving tenant, removed just now; what was kept of it.
    Removed(String),
    /// Its namespace has the record of another tenant, or of another environment.
    Taken(String),
    /// It runs elsewhere, and its file was edited to say that it is here.
    Moved(String),
    /// It comes `after` somebody who is left out.
    ComesAfter(String),
    /// It ran on a cluster that is built again, and what it ran is not known, or cannot be had.
    NotRebuilt(String),
    /// Left out when the rollout began, by the words of its record: whoever goes on with it knows no more.
    AsRecorded(String),
}

impl Exclusion {
    /// Whether a rollout that leaves this out ends with exceptions rather than clean.
    pub fn is_exception(&self) -> bool {
        match self {
            Self::Unchanged | Self::Leaving(_) | Self::Removed(_) => false,
            Self::Held(_)
            | Self::NotRendered(_)
            | Self::Unreachable(_)
            | Self::NotAutomatic(_)
            | Self::Orphaned
            | Self::Claimed(_)
            | Self::RecordUnreadable(_)
            | Self::NoWave
            | Self::Quarantined(_)
            | Self::NotRemoved(_)
            | Self::Moved(_)
            | Self::Taken(_)
            | Self::ComesAfter(_)
            | Self::NotRebuilt(_)
            | Self::AsRecorded(_) => true,
        }
    }

    /// The reason in words.
    pub fn words(&self) -> String {
        match self {
            Self::Unchanged => "unchanged".to_owned(),
            Self::Held(why) => format!("held: {why}"),
            Self::NotRendered(mistake) => format!("not rendered: {mistake}"),
            Self::Unreachable(why) => format!("cluster unreachable: {why}"),
            Self::NotAutomatic(updates) => format!("updates: {updates}"),
            Self::Orphaned => "orphaned: no file names it any more; nothing is pruned".to_owned(),
            Self::Claimed(by) => format!("claimed by {by}"),
            Self::RecordUnreadable(why) => format!("record unreadable: {why}"),
            Self::NoWave => "no wave of the strategy selects it and has room for it".to_owned(),
            Self::Quarantined(why) => format!("quarantined: {why}"),
            Self::Leaving(until) => format!("leaving: {until}"),
            Self::NotRemoved(why) => format!("leaving, not removed: {why}"),
            Self::Removed(what) => format!("left and removed: {what}"),
            Self::Taken(by) => format!("not its own: {by}"),
            Self::Moved(where_to) => format!("moved: {where_to}"),
            Self::ComesAfter(whom) => format!("comes after {whom}"),
            Self::NotRebuilt(why) => format!("not rebuilt: {why}"),
            Self::AsRecorded(words) => words.clone(),
        }
    }
}
