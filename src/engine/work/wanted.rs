//! What health is judged by: what a tenant should have, and what is known of each object.

use super::Open;
use crate::apply;
use crate::health::Wanted;
use crate::record::{self, TenantRecord};

/// What is looked for in a tenant of which nothing was written in this run.
pub fn wanted_of(record: &TenantRecord) -> Vec<Wanted> {
    let inventory = record.ordinary();
    let objects = inventory.lines().map(|line| line.object.clone());
    objects.map(Wanted::unwritten).collect()
}

/// The same, of a tenant that another process has written to: what it wrote still stands, or not.
pub fn written_of(record: &TenantRecord) -> Vec<Wanted> {
    let wanted = |line: &record::Line| {
        let unwritten = Wanted::unwritten(line.object.clone());
        match &line.written {
            Some(written) => Wanted {
                generation: written.generation,
                template: written.template_hash.clone(),
                ..unwritten
            },
            None => unwritten,
        }
    };
    record.ordinary().lines().map(wanted).collect()
}

/// The same, after work of ours.
pub(super) fn wanted_after(open: &Open) -> Vec<Wanted> {
    open.bundle
        .objects()
        .iter()
        .map(|object| {
            let mut done = open.done.iter().rev().filter(|(done, _)| done == object);
            let written = done.find_map(|(_, done)| match done {
                apply::Done::Applied(written) => written.as_ref(),
                _ => None,
            });
            if let Some(written) = written {
                return Wanted {
                    generation: written.generation,
                    template: written.template_hash.clone(),
                    uid: Some(written.uid.clone()),
                    written_at: Some(written.written_at),
                    ..Wanted::unwritten(object.clone())
                };
            }
            let standing = open.standing.get(object).cloned();
            standing.unwrap_or_else(|| Wanted::unwritten(object.clone()))
        })
        .collect()
}
