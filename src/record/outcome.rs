//! How the work on one tenant ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The outcomes of `design.md` 2, spelt in records and JSON as here in camel case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Unchanged,
    Succeeded,
    Failed,
    TimedOut,
    Interrupted,
    Deferred,
    Held,
    NotAttempted,
    UnhealthyBefore,
    RolledBack,
    RollbackFailed,
}

impl Outcome {
    pub const ALL: [Self; 11] = [
        Self::Unchanged,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Interrupted,
        Self::Deferred,
        Self::Held,
        Self::NotAttempted,
        Self::UnhealthyBefore,
        Self::RolledBack,
        Self::RollbackFailed,
    ];

    /// The spelling in records, labels and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timedOut",
            Self::Interrupted => "interrupted",
            Self::Deferred => "deferred",
            Self::Held => "held",
            Self::NotAttempted => "notAttempted",
            Self::UnhealthyBefore => "unhealthyBefore",
            Self::RolledBack => "rolledBack",
            Self::RollbackFailed => "rollbackFailed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
    }

    /// Whether a claim can end so. The other outcomes say that nobody touched the tenant, and so
    /// that nobody held a claim.
    pub fn ends_a_claim(self) -> bool {
        match self {
            Self::Unchanged
            | Self::Succeeded
            | Self::Failed
            | Self::TimedOut
            | Self::Interrupted
            | Self::UnhealthyBefore
            | Self::RolledBack
            | Self::RollbackFailed => true,
            Self::Deferred | Self::Held | Self::NotAttempted => false,
        }
    }

    /// Whether the tenant runs a whole bundle that was seen healthy.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Unchanged | Self::Succeeded | Self::RolledBack => true,
            Self::Failed
            | Self::TimedOut
            | Self::Interrupted
            | Self::Deferred
            | Self::Held
            | Self::NotAttempted
            | Self::UnhealthyBefore
            | Self::RollbackFailed => false,
        }
    }

    /// Whether the tenant runs a whole bundle, and nothing is left to do for it.
    pub fn is_whole(self) -> bool {
        self.is_settled() || self == Self::UnhealthyBefore
    }
}

/// For people: `timed out`, `not attempted`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.as_str().chars() {
            if letter.is_uppercase() {
                write!(f, " {}", letter.to_lowercase())?;
            } else {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_back_and_is_spelt_as_json_spells_it() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
            assert_eq!(
                serde_json::to_value(outcome).unwrap(),
                serde_json::json!(outcome.as_str())
            );
        }
        assert_eq!(Outcome::TimedOut.to_string(), "timed out");
    }
}
