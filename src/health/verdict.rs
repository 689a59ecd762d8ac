//! What is said about one object.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::ObjectRef;

/// The five things that can be said about an object or a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Healthy,
    /// On its way; asking again is worth it.
    Progressing,
    /// Will not get well by itself.
    Failed,
    /// Stopped on purpose: a paused `Deployment`, a suspended `Job`.
    Suspended,
    /// What was seen does not tell.
    Unknown,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Progressing => "progressing",
            Self::Failed => "failed",
            Self::Suspended => "suspended",
            Self::Unknown => "unknown",
        }
    }

    /// Nothing to wait for and nothing to mend.
    pub fn is_settled_well(self) -> bool {
        matches!(self, Self::Healthy | Self::Suspended)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The verdict on one object, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectHealth {
    pub object: ObjectRef,
    pub verdict: Verdict,
    /// One word for machines, as Kubernetes writes them: `CrashLoopBackOff`.
    pub reason: String,
    /// A sentence for people. Names pod, container and exit code; the object is said by the context.
    pub message: String,
    /// The object to look at first, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub culprit: Option<Culprit>,
}

/// What keeps an object from being healthy: a pod, mostly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Culprit {
    pub object: ObjectRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    pub reason: String,
    pub message: String,
}

impl fmt::Display for ObjectHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)
    }
}

/// A verdict that does not know yet on which object it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub verdict: Verdict,
    pub reason: String,
    pub message: String,
    pub culprit: Option<Culprit>,
}

impl Finding {
    pub fn new(verdict: Verdict, reason: &str, message: impl Into<String>) -> Self {
        Self {
            verdict,
            reason: reason.to_owned(),
            message: message.into(),
            culprit: None,
        }
    }

    pub fn healthy(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Healthy, reason, message)
    }

    pub fn progressing(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Progressing, reason, message)
    }

    pub fn failed(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Failed, reason, message)
    }

    pub fn suspended(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Suspended, reason, message)
    }

    pub fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self::new(Verdict::Unknown, reason, message)
    }

    pub fn on(self, object: &ObjectRef) -> ObjectHealth {
        ObjectHealth {
            object: object.clone(),
            verdict: self.verdict,
            reason: self.reason,
            message: self.message,
            culprit: self.culprit,
        }
    }
}
