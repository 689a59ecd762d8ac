//! What changes, as JSON tells it.

use serde::Serialize;
use serde_json::Value;

use crate::manifest::ObjectRef;

/// One object of one tenant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub cluster: String,
    pub tenant: String,
    pub object: ObjectRef,
    pub change: ChangeKind,
    /// Whether pods are replaced: those of the object itself.
    pub restarts: bool,
    /// Empty where the whole object comes or goes.
    pub fields: Vec<FieldChange>,
}

/// What happens to an object; in the order in which people should hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It could not be compared; `incomplete` says why.
    Error,
    Delete,
    /// A field changes that the API server lets nobody change.
    NeedsRecreate,
    /// A hook that older releases had, and that does not run any more.
    HookGone,
    /// A hook runs, for the first time or for another key.
    HookRuns,
    Update,
    Create,
    Unchanged,
}

/// One field; a side that does not have it is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// `.spec.template.spec.containers[name="web"].image`
    pub path: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What was not compared, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Incomplete {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    pub reason: String,
}
