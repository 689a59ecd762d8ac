//! What is done to the objects of one tenant, each with its reason.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifest::{Digest, ObjectRef, SecretRef, Stage, secret_refs};
use crate::record::{Intent, IntentAct};

use super::settle::Notice;

/// One object of a tenant and what happens to it.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Skip {
        object: ObjectRef,
        why: SkipReason,
        /// Values of git that are not applied because others own the fields.
        notices: Vec<Notice>,
    },
    Apply(ApplyStep),
    /// The local test could not tell: a server dry-run decides whether the step is applied.
    DryRun(ApplyStep),
    /// The change touches fields that cannot change in place. Nothing of it is sent.
    NeedsRecreate {
        object: ObjectRef,
        fields: Vec<String>,
        /// Whether its author allowed to delete and create it (`escale.dev/recreate`).
        allowed: bool,
    },
    /// It cannot be written now: it is being deleted, or it belongs to somebody else.
    Blocked {
        object: ObjectRef,
        why: String,
    },
}

/// One server-side apply, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplyStep {
    pub object: ObjectRef,
    /// What is sent: the manifest with our marks, without what is left to others.
    pub manifest: Value,
    /// Digest of the wanted manifest, for the inventory.
    pub digest: Digest,
    /// Of the live object, if there is one: nobody may have come in between.
    pub uid: Option<String>,
    pub resource_version: Option<String>,
    /// All that is left in `manifest` is ours to take.
    pub force: bool,
    pub why: Why,
    /// Whether pods are replaced.
    pub restarts: bool,
    pub notices: Vec<Notice>,
    /// Sent first, by the hand-over manager and forced: it keeps the replicas that the autoscaler
    /// chose. What follows carries the resourceVersion of the answer.
    pub hand_over: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not there.
    New,
    /// What is wanted has changed.
    Changed,
    /// Nothing new is wanted, but the live object differs.
    Drifted,
    /// It is there, but carries no mark of ours.
    Adopted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// It is exactly what our last write left (tier 1).
    AsRecorded,
    /// Applying would change nothing (tier 2).
    NothingToChange,
    /// A Secret on a way back.
    LeftAsFound,
}

/// Everything that is to be done to one tenant before its health is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct TenantSteps {
    /// In the order of applying.
    pub steps: Vec<Step>,
    /// Objects that no longer belong to the tenant, in the order of deleting. They go only after
    /// the tenant is healthy, if [`decide_prune`](super::decide_prune) lets them.
    pub prune: Vec<ObjectRef>,
}

impl Step {
    pub fn object(&self) -> &ObjectRef {
        match self {
            Self::Apply(step) | Self::DryRun(step) => &step.object,
            Self::Skip { object, .. }
            | Self::NeedsRecreate { object, .. }
            | Self::Blocked { object, .. } => object,
        }
    }

    /// What may be written for this step, for the claim.
    pub fn intent(&self) -> Option<Intent> {
        let act = match self {
            Self::Apply(step) | Self::DryRun(step) if step.hand_over.is_some() => {
                IntentAct::HandOver
            }
            Self::Apply(_) | Self::DryRun(_) => IntentAct::Apply,
            Self::NeedsRecreate { allowed: true, .. } => IntentAct::Recreate,
            Self::NeedsRecreate { .. } | Self::Skip { .. } | Self::Blocked { .. } => return None,
        };
        Some(Intent {
            act,
            object: self.object().clone(),
        })
    }
}

impl TenantSteps {
    /// The steps in groups that may run side by side; each group waits for the one before.
    pub fn into_stages(self) -> impl Iterator<Item = Vec<Step>> {
        let mut rest = self.steps.into_iter().peekable();
        std::iter::from_fn(move || {
            let stage = Stage::of(rest.peek()?.object());
            let is_of_it = |step: &Step| Stage::of(step.object()) == stage;
            Some(std::iter::from_fn(|| rest.next_if(is_of_it)).collect())
        })
    }

    /// Every write that may follow, deletes included, for the claim.
    pub fn intents(&self) -> Vec<Intent> {
        let deletes = self.prune.iter().map(|object| Intent {
            act: IntentAct::Delete,
            object: object.clone(),
        });
        self.steps
            .iter()
            .filter_map(Step::intent)
            .chain(deletes)
            .collect()
    }

    /// What may be sent.
    pub fn manifests(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().filter_map(|step| match step {
            Step::Apply(step) | Step::DryRun(step) => Some(&step.manifest),
            Step::Skip { .. } | Step::NeedsRecreate { .. } | Step::Blocked { .. } => None,
        })
    }

    /// Every secret value that writing needs.
    pub fn secret_refs(&self) -> BTreeSet<SecretRef> {
        self.manifests().flat_map(secret_refs).collect()
    }

    /// What stays as it is.
    pub fn skipped(&self) -> impl Iterator<Item = &ObjectRef> {
        self.steps.iter().filter_map(|step| match step {
            Step::Skip { object, .. } => Some(object),
            Step::Apply(_)
            | Step::DryRun(_)
            | Step::NeedsRecreate { .. }
            | Step::Blocked { .. } => None,
        })
    }

    /// Whether there is nothing to write and nothing to delete.
    pub fn is_unchanged(&self) -> bool {
        let all_skipped = self
            .steps
            .iter()
            .all(|step| matches!(step, Step::Skip { .. }));
        all_skipped && self.prune.is_empty()
    }
}
