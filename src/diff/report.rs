//! The changes of a fleet, gathered.

use serde::Serialize;

use crate::diff::group::{Group, grouped};
use crate::diff::names::NamesByTenant;
use crate::diff::summary::Summary;
use crate::diff::{Change, ChangeKind, Incomplete};

/// All changes, alone and grouped. As JSON it is what `escale diff -o json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    api_version: &'static str,
    kind: &'static str,
    pub items: Vec<Change>,
    /// Every change that is one, in exactly one group.
    pub groups: Vec<Group>,
    pub incomplete: Vec<Incomplete>,
    /// Tenants that only the older side has: nothing of theirs is deleted until they leave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orphaned: Vec<String>,
    /// Tenants with `lifecycle: leaving`, each with its last day: nothing of theirs is changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaving: Vec<String>,
    /// How many tenants were compared.
    #[serde(skip)]
    pub tenants: usize,
}

impl Report {
    /// `items` may hold unchanged objects: they are listed, not grouped.
    pub fn new(mut items: Vec<Change>, names: &NamesByTenant) -> Self {
        items.sort_by(|a, b| (&a.tenant, &a.object).cmp(&(&b.tenant, &b.object)));
        let changed: Vec<Change> = items
            .iter()
            .filter(|item| item.change != ChangeKind::Unchanged)
            .cloned()
            .collect();
        Self {
            api_version: "escale.dev/v1alpha1",
            kind: "DiffReport",
            groups: grouped(&changed, names),
            items,
            incomplete: Vec::new(),
            orphaned: Vec::new(),
            leaving: Vec::new(),
            tenants: 0,
        }
    }

    pub fn is_incomplete(&self) -> bool {
        !self.incomplete.is_empty()
    }

    pub fn has_changes(&self) -> bool {
        !self.groups.is_empty()
    }

    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }
}
