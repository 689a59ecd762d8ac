//! Where one tenant stands within a rollout: its phase, its health, its failure.

use jiff::{SignedDuration, Timestamp};

use super::event::Failure;

/// Where one tenant stands.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantProgress {
    pub phase: Phase,
    /// Since when every sample was healthy, on the written bundle.
    pub healthy_since: Option<Timestamp>,
    pub last_sample: Option<Sample>,
    /// Since when every sample was failed.
    pub failing_since: Option<Timestamp>,
    /// For how long there was no sample where there should have been: nobody knows how it was then.
    pub unseen: SignedDuration,
    /// Counts against the budgets; a failed tenant that went back still counts.
    pub failure: Option<Failed>,
    /// Something that the rollout wrote may be there.
    pub is_touched: bool,
    /// When its cluster did not answer, or was found to be unwell, for the first time since what was last done to it
    /// succeeded.
    pub interrupted: Option<Timestamp>,
    /// The hook that runs.
    pub hook: Option<String>,
    /// The hook that bars the way back: it succeeded, and cannot be undone.
    pub irreversible: Option<String>,
}

/// That a tenant failed in this rollout, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub how: Failure,
    pub why: String,
    /// A person (or `onBreach: continue`) said to go on all the same.
    pub is_excused: bool,
}

/// The health of a tenant as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    pub at: Timestamp,
    pub health: Health,
    /// Whether it has the pods that somebody would miss, whatever their revision.
    pub serves: bool,
    /// One line that names object, pod, container and reason.
    pub headline: String,
}

/// A tenant's health, reduced to what decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Healthy,
    Progressing,
    Failed,
    Unknown,
}

impl Health {
    /// The spelling in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Progressing => "progressing",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// The declared states of a tenant within one rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Pending,
    /// Written to in part by a process that is gone: it is gone on with before anything else starts.
    LeftOff,
    Writing {
        since: Timestamp,
    },
    Settling {
        written_at: Timestamp,
    },
    Closing {
        since: Timestamp,
    },
    Succeeded {
        at: Timestamp,
    },
    Failed {
        at: Timestamp,
    },
    WritingBack {
        since: Timestamp,
    },
    SettlingBack {
        written_at: Timestamp,
    },
    ClosingBack {
        since: Timestamp,
    },
    RolledBack {
        at: Timestamp,
    },
    RollbackFailed {
        why: String,
    },
    /// Failed and stays as it is.
    Left {
        why: String,
    },
    /// Not healthy, as it was not before the rollout: that is not held against the release.
    UnhealthyBefore {
        why: String,
    },
    Deferred {
        why: String,
    },
    TakenOver {
        by: String,
    },
}

impl Phase {
    /// The spelling in event logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::LeftOff => "leftOff",
            Self::Writing { .. } => "writing",
            Self::Settling { .. } => "settling",
            Self::Closing { .. } => "closing",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::WritingBack { .. } => "writingBack",
            Self::SettlingBack { .. } => "settlingBack",
            Self::ClosingBack { .. } => "closingBack",
            Self::RolledBack { .. } => "rolledBack",
            Self::RollbackFailed { .. } => "rollbackFailed",
            Self::Left { .. } => "left",
            Self::UnhealthyBefore { .. } => "unhealthyBefore",
            Self::Deferred { .. } => "deferred",
            Self::TakenOver { .. } => "takenOver",
        }
    }

    /// Written to, and not settled: what limits on concurrency count.
    pub fn is_in_flight(&self) -> bool {
        match self {
            Self::LeftOff
            | Self::Writing { .. }
            | Self::Settling { .. }
            | Self::Closing { .. }
            | Self::Failed { .. }
            | Self::WritingBack { .. }
            | Self::SettlingBack { .. }
            | Self::ClosingBack { .. } => true,
            Self::Pending
            | Self::Succeeded { .. }
            | Self::RolledBack { .. }
            | Self::RollbackFailed { .. }
            | Self::Left { .. }
            | Self::UnhealthyBefore { .. }
            | Self::Deferred { .. }
            | Self::TakenOver { .. } => false,
        }
    }

    /// Whether a worker is at it.
    fn is_at_work(&self) -> bool {
        matches!(
            self,
            Self::Writing { .. }
                | Self::Closing { .. }
                | Self::WritingBack { .. }
                | Self::ClosingBack { .. }
        )
    }

    pub fn is_going_back(&self) -> bool {
        matches!(
            self,
            Self::WritingBack { .. } | Self::SettlingBack { .. } | Self::ClosingBack { .. }
        )
    }

    /// Why nothing more is done to it though it is not well, if that is so.
    pub fn given_up(&self) -> Option<&str> {
        match self {
            Self::Left { why } | Self::RollbackFailed { why } | Self::UnhealthyBefore { why } => {
                Some(why)
            }
            _ => None,
        }
    }

    /// Whether the tenant's health must be looked at.
    pub fn is_watched(&self) -> bool {
        matches!(
            self,
            Self::Settling { .. } | Self::SettlingBack { .. } | Self::Succeeded { .. }
        )
    }
}

impl TenantProgress {
    pub fn new(phase: Phase) -> Self {
        Self {
            phase,
            healthy_since: None,
            last_sample: None,
            failing_since: None,
            unseen: SignedDuration::ZERO,
            failure: None,
            is_touched: false,
            interrupted: None,
            hook: None,
            irreversible: None,
        }
    }

    /// Takes in a sample of health. Samples from before the write never count (I10); a gap longer
    /// than `max_gap` voids what was seen before it (I11).
    pub(super) fn observe(&mut self, sample: Sample, max_gap: SignedDuration) {
        let gap = self
            .last_sample
            .as_ref()
            .map(|last| sample.at.duration_since(last.at));
        let is_void = gap.is_some_and(|gap| gap > max_gap || gap.is_negative());
        match sample.health {
            Health::Healthy if self.healthy_since.is_none() || is_void => {
                self.healthy_since = Some(sample.at);
            }
            Health::Healthy => {}
            Health::Progressing | Health::Failed | Health::Unknown => self.healthy_since = None,
        }
        self.unseen += gap.filter(|gap| *gap > max_gap).unwrap_or_default();
        let is_failed = sample.health == Health::Failed;
        self.failing_since = is_failed.then(|| self.failing_since.unwrap_or(sample.at));
        self.last_sample = Some(sample);
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.healthy_since = None;
        self.last_sample = None;
        self.failing_since = None;
        self.unseen = SignedDuration::ZERO;
        self.hook = None;
        if !phase.is_at_work() {
            self.interrupted = None;
        }
        self.phase = phase;
    }

    /// Its cluster did not answer: what was being done to it has to be done again. Or it is unwell: what was seen of who
    /// settles there says nothing. `is_touched` says whether anything may have been written.
    pub(super) fn interrupt(&mut self, at: Timestamp, is_touched: bool) {
        let since = self.interrupted.unwrap_or(at);
        self.is_touched |= is_touched;
        let phase = match self.phase {
            Phase::Writing { .. } if self.is_touched => Phase::LeftOff,
            Phase::Writing { .. } => Phase::Pending,
            Phase::Closing { .. } => Phase::Settling { written_at: at },
            Phase::WritingBack { .. } => Phase::Failed { at },
            Phase::ClosingBack { .. } => Phase::SettlingBack { written_at: at },
            Phase::Settling { .. } | Phase::SettlingBack { .. } => self.phase.clone(),
            _ => return,
        };
        self.enter(phase);
        self.interrupted = Some(since);
    }
}
