//! Whether what we wrote of a pod template still stands, where something was changed since.

use std::sync::Arc;

use crate::cluster::{CallError, Item};
use crate::health::Wanted;
use crate::manifest::Live;

/// What is wanted, with who changed it. `found` are `items`, read without what tells that: only what has a newer
/// generation than our write is read whole.
pub fn noted(
    wanted: &Arc<[Wanted]>,
    found: &[Live],
    items: &[Item],
) -> Result<Arc<[Wanted]>, CallError> {
    let newer = |wanted: &Wanted| {
        wanted.template.as_ref()?;
        let mut found = found.iter().zip(items);
        found
            .find(|(live, _)| live.object().is_same(&wanted.object))
            .filter(|(live, _)| wanted.is_older_than(live))
            .map(|(_, item)| item)
    };
    if wanted.iter().all(|wanted| newer(wanted).is_none()) {
        return Ok(Arc::clone(wanted));
    }
    let note = |wanted: &Wanted| {
        let changed_by = match newer(wanted) {
            Some(item) => wanted.changed_by(&item.read()?),
            None => None,
        };
        Ok(Wanted {
            changed_by,
            ..wanted.clone()
        })
    };
    wanted.iter().map(note).collect()
}
