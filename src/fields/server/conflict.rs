//! Why an apply is refused, in the words of the API server.

use std::fmt;

use serde_json::Value;

use crate::fields::managed::{Managers, Operation};
use crate::fields::path::Path;

/// A field that another manager owns and that the apply would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub path: Path,
    pub manager: String,
    /// Empty for the object itself.
    pub subresource: String,
    /// By which version the manager updated the field; `None` for managers that apply.
    pub updated_by: Option<String>,
}

/// Why an apply was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// HTTP 409; the message of the status is this error's `Display`, its causes are the conflicts.
    Conflicts(Vec<Conflict>),
    /// What was sent does not fit the type of the object.
    Invalid(String),
}

/// The fields that others own and that the apply would change.
pub(super) fn spelt_conflicts(conflicts: &Managers) -> Vec<Conflict> {
    let mut spelt = Vec::new();
    for (identity, owned) in conflicts {
        let is_update = identity.operation == Operation::Update;
        spelt.extend(owned.fields.paths().into_iter().map(|path| Conflict {
            path,
            manager: identity.manager.clone(),
            subresource: identity.subresource.clone(),
            updated_by: is_update.then(|| owned.api_version.clone()),
        }));
    }
    spelt
}

impl Conflict {
    /// The manager as the API server names it: `"kubectl-edit" using apps/v1`.
    pub fn manager_as_server_spells(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        let mut text = quoted(&self.manager);
        if !self.subresource.is_empty() {
            text.extend([" with subresource ", &quoted(&self.subresource)]);
        }
        if let Some(version) = &self.updated_by {
            text.extend([" using ", version]);
        }
        text
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) => f.write_str(why),
            Self::Conflicts(conflicts) => write_conflicts(f, conflicts),
        }
    }
}

fn write_conflicts(f: &mut fmt::Formatter<'_>, conflicts: &[Conflict]) -> fmt::Result {
    if let [one] = conflicts {
        let path = one.path.as_server_spells();
        return write!(
            f,
            "Apply failed with 1 conflict: conflict with {}: {path}",
            one.manager_as_server_spells()
        );
    }
    write!(f, "Apply failed with {} conflicts: ", conflicts.len())?;
    let mut previous = None;
    for conflict in conflicts {
        let manager = conflict.manager_as_server_spells();
        if previous.as_ref() != Some(&manager) {
            let separator = if previous.is_some() { "\n" } else { "" };
            write!(f, "{separator}conflicts with {manager}:")?;
        }
        write!(f, "\n- {}", conflict.path.as_server_spells())?;
        previous = Some(manager);
    }
    Ok(())
}

impl std::error::Error for ApplyError {}
