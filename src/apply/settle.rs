//! Conflicts over fields are settled per manager (notes 2.2.2): what a person did by hand is taken
//! back, what another controller owns is left to it; both are told.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use crate::fields::{Applied, ApplyError, ApplyRequest, FieldSet, Path, PathElement, server_apply};
use crate::manifest::{Live, MANAGER};

/// Managers behind which people stand, and tools that hand objects over to us; a trailing `*`
/// stands for anything.
const TAKEN_FROM: [&str; 11] = [
    "kubectl",
    "kubectl-*",
    "kluctl",
    "kluctl-*",
    "helm",
    "k9s",
    "rancher",
    "Mozilla",
    "before-first-apply",
    // Fields that nobody in particular owned, and those that we gave away.
    "unknown",
    "escale-*",
];

/// Something that the user should hear about a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A value set by hand is replaced by the one in git.
    TakenBack { field: String, from: String },
    /// The value in git is not applied: another controller owns the field.
    LeftTo { field: String, manager: String },
}

/// A payload that can be applied with force.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settled {
    pub(super) manifest: Value,
    pub(super) force: bool,
    pub(super) notices: Vec<Notice>,
    /// What the server would make of it; `None` if we cannot tell.
    pub(super) applied: Option<Applied>,
}

/// Settles every conflict that applying `manifest` to `live` would meet.
pub(super) fn settle(manifest: Value, live: &Live) -> Settled {
    match try_apply(&manifest, live, false) {
        Ok(applied) => Settled {
            manifest,
            force: false,
            notices: Vec::new(),
            applied: Some(applied),
        },
        Err(ApplyError::Conflicts(conflicts)) => {
            let owned = conflicts
                .into_iter()
                .map(|conflict| (conflict.path, conflict.manager));
            settle_owned(manifest, live, owned)
        }
        Err(ApplyError::Invalid(_)) => Settled {
            manifest,
            force: false,
            notices: Vec::new(),
            applied: None,
        },
    }
}

/// Settles conflicts that the server reports and we did not foresee: `(field, manager)`, as the
/// server spells them. `None` if a field's spelling fits two fields, or none.
pub(super) fn settle_reported(
    manifest: Value,
    live: &Live,
    reported: &[(String, String)],
) -> Option<Settled> {
    let mut owned = Vec::new();
    for (field, manager) in reported {
        let path = path_of(live, manager, field)?;
        owned.push((path, manager.clone()));
    }
    Some(settle_owned(manifest, live, owned))
}

fn settle_owned(
    mut manifest: Value,
    live: &Live,
    owned: impl IntoIterator<Item = (Path, String)>,
) -> Settled {
    let mut notices = Vec::new();
    for (path, manager) in owned {
        let field = path.to_string();
        if is_taken_from(&manager) {
            notices.push(Notice::TakenBack {
                field,
                from: manager,
            });
        } else {
            remove(&mut manifest, path.elements());
            notices.push(Notice::LeftTo { field, manager });
        }
    }
    let applied = try_apply(&manifest, live, true).ok();
    Settled {
        manifest,
        force: true,
        notices,
        applied,
    }
}

fn try_apply(manifest: &Value, live: &Live, force: bool) -> Result<Applied, ApplyError> {
    server_apply(ApplyRequest {
        live: Some(live.value()),
        sent: manifest,
        manager: MANAGER,
        force,
        // Times are not compared.
        now: Timestamp::UNIX_EPOCH,
        subresource: None,
    })
}

pub(super) fn is_taken_from(manager: &str) -> bool {
    TAKEN_FROM
        .iter()
        .any(|known| match known.strip_suffix('*') {
            Some(prefix) => manager.starts_with(prefix),
            None => manager == *known,
        })
}

/// The one field of a manager that the server spells so.
fn path_of(live: &Live, manager: &str, spelling: &str) -> Option<Path> {
    let entries = live
        .value()
        .pointer("/metadata/managedFields")?
        .as_array()?;
    let mut found: Vec<Path> = entries
        .iter()
        .filter(|entry| entry["manager"] == manager)
        .flat_map(|entry| FieldSet::from_fields_v1(&entry["fieldsV1"]).spelt(spelling))
        .collect();
    found.sort();
    found.dedup();
    match found.len() {
        1 => found.pop(),
        _ => None,
    }
}

/// Takes a field out of a payload; what is not there stays not there.
pub(super) fn remove(value: &mut Value, path: &[PathElement]) {
    let Some((last, above)) = path.split_last() else {
        return;
    };
    let parent_path: Path = above.iter().cloned().collect();
    let Some(at) = parent_path
        .find(value)
        .and_then(|parent| index_in(parent, last))
    else {
        return;
    };
    let parent = find_mut(value, above).expect("it was found just above");
    match (parent, at) {
        (Value::Object(map), At::Name(name)) => {
            map.remove(&name);
        }
        (Value::Array(items), At::Index(index)) => {
            items.remove(index);
        }
        _ => unreachable!("a name is found in a map, an index in a list"),
    }
}

/// Where a part stands in its parent.
enum At {
    Name(String),
    Index(usize),
}

fn index_in(parent: &Value, element: &PathElement) -> Option<At> {
    let single: Path = std::iter::once(element.clone()).collect();
    let found = single.find(parent)?;
    match parent {
        Value::Object(map) => map
            .iter()
            .find(|(_, item)| std::ptr::eq(*item, found))
            .map(|(name, _)| At::Name(name.clone())),
        Value::Array(items) => items
            .iter()
            .position(|item| std::ptr::eq(item, found))
            .map(At::Index),
        _ => None,
    }
}

fn find_mut<'a>(value: &'a mut Value, path: &[PathElement]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, element| {
        let at = index_in(value, element)?;
        match (value, at) {
            (Value::Object(map), At::Name(name)) => map.get_mut(&name),
            (Value::Array(items), At::Index(index)) => items.get_mut(index),
            _ => None,
        }
    })
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakenBack { field, from } => {
                write!(f, "`{field}` was changed by `{from}`: taken back")
            }
            Self::LeftTo { field, manager } => {
                write!(f, "`{field}` belongs to `{manager}`: left to it")
            }
        }
    }
}
