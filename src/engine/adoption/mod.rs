//! Taking over tenants that others installed: what stands there becomes the bundle that they run, and what we may go back
//! to. Nothing but marks and owners changes; what the templates say otherwise is brought by the next rollout, by waves.

mod carry_out;
mod found;

use std::collections::BTreeMap;

use crate::diff::{Change, ChangeKind};
use crate::manifest::ObjectRef;
use crate::record::PackedBundle;
use crate::rollout::Place;

pub use carry_out::{Adoption, adopt};
pub use found::look;

/// What came of looking at one tenant.
pub enum Look {
    Found(Box<Found>),
    /// It has a record, and has come to rest.
    Adopted,
    /// None of its objects is there.
    Nothing,
    /// Why it cannot be adopted.
    Refused(String),
}

/// A tenant that can be adopted.
pub struct Found {
    pub place: Place,
    /// What stands there.
    pub bundle: PackedBundle,
    /// It is just what the templates say.
    pub is_as_wanted: bool,
    /// What the next rollout changes.
    pub changes: Vec<Change>,
    /// The names of Helm releases that its objects belong to.
    pub helm: Vec<String>,
    /// What these releases have and no template: it stays, and belongs to nobody from then on.
    pub stays: Vec<ObjectRef>,
}

impl Found {
    /// Whether somebody should agree first: pods restart, something is made again, or a field or an object is lost.
    pub fn needs_consent(&self) -> bool {
        !self.stays.is_empty() || self.changes.iter().any(is_risky)
    }
}

fn is_risky(change: &Change) -> bool {
    let is_lost = |field: &crate::diff::FieldChange| field.after.is_none();
    change.restarts
        || matches!(
            change.change,
            ChangeKind::NeedsRecreate | ChangeKind::Delete
        )
        || (change.change == ChangeKind::Update && change.fields.iter().any(is_lost))
}

/// Names exactly what comes of adopting these tenants: how many, and a hash of what the next rollout changes.
pub fn consent_token<'a>(found: impl Iterator<Item = &'a Found>) -> String {
    /// Enough to tell plans apart, short enough to type.
    const DIGITS: usize = 8;
    let lines: BTreeMap<String, String> = found
        .filter(|found| found.needs_consent())
        .map(|found| {
            let changes = serde_json::to_string(&found.changes).expect("plain data becomes JSON");
            let place = format!("{}/{}", found.place.cluster, found.place.tenant);
            (place, format!("{changes}{:?}", found.stays))
        })
        .collect();
    let text = format!("{lines:?}");
    let hash = blake3::hash(text.as_bytes()).to_hex();
    format!("{}-{}", lines.len(), &hash[..DIGITS])
}
