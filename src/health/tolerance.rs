//! How long trouble may last before it counts, and when an object is looked at.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How patient to be. The defaults are those of `docs/health.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Tolerance {
    /// A container that restarted so often since our write is doomed. An application that
    /// crashes twice while its database starts is not.
    pub restarts: i64,
    /// A container that crashes for so long is doomed, however often it restarted.
    pub crashing: SignedDuration,
    /// So long a registry may answer nothing useful. "Not found" is believed at once.
    pub pulling: SignedDuration,
    /// So long a pod may find no node: an autoscaler needs minutes to bring one.
    pub unschedulable: SignedDuration,
    /// So long the API server may refuse pods (quota, webhook) before that is a failure.
    pub refused: SignedDuration,
    /// So long a custom resource may have no status before none is expected, and an object
    /// that we wrote may be missing from a list.
    pub grace: SignedDuration,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            restarts: 3,
            crashing: SignedDuration::from_mins(2),
            pulling: SignedDuration::from_mins(2),
            unschedulable: SignedDuration::from_mins(5),
            refused: SignedDuration::from_mins(1),
            grace: SignedDuration::from_secs(15),
        }
    }
}

/// When an object is looked at, and what we did to it before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub now: Timestamp,
    /// Our last write to it, in this rollout.
    pub written_at: Option<Timestamp>,
    pub tolerance: Tolerance,
}

impl Moment {
    /// How long something lasts that began then, the time before our write not counted.
    /// What has no beginning lasts for ever.
    pub fn lasting(&self, since: Option<Timestamp>) -> SignedDuration {
        match since.max(self.written_at) {
            Some(since) => self.now.duration_since(since),
            None => SignedDuration::MAX,
        }
    }

    /// Whether something that the cluster dated happened before our write. Kubernetes drops
    /// fractions of seconds, so the second of the write is not before it.
    pub fn is_before_write(&self, at: Timestamp) -> bool {
        let written_at = self.written_at.map(Timestamp::as_second);
        written_at.is_some_and(|written_at| at.as_second() < written_at)
    }
}
