//! What a tenant's inventory is after a run, whatever happened in it (cli-utils' rule, notes 2.3.2).

use crate::manifest::ObjectRef;
use crate::record::{Inventory, Line, Written};

use super::prune::KeepReason;

/// How the work on one object ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Written; what its response said, if that could be read.
    Applied(Option<Written>),
    /// Left as it is, because it is as wanted.
    Skipped,
    /// Refused by the server, or not tried: nothing was written.
    NotApplied,
    /// Sent, and never answered: it may be there now.
    Unknown,
    Deleted,
    /// Asked for, and not gone yet.
    NotDeleted,
    Kept(KeepReason),
}

/// The inventory to close a claim with; `before` is the one from before the claim was taken. Every
/// object that may exist stays known, and nothing is remembered of a write but its response.
pub fn final_inventory(before: &Inventory, done: &[(ObjectRef, Done)]) -> Inventory {
    let mut inventory = before.clone();
    for (object, done) in done {
        match done {
            Done::Applied(written) => {
                let first = inventory.find(object).and_then(|line| line.written.clone());
                let written = written.clone().map(|written| after(first, written));
                inventory.insert(line(object, written));
            }
            Done::Skipped | Done::Unknown if !inventory.contains(object) => {
                inventory.insert(line(object, None));
            }
            Done::Skipped | Done::Unknown | Done::NotApplied | Done::NotDeleted => {}
            Done::Deleted => {
                inventory.remove(object);
            }
            Done::Kept(why) => {
                if why.is_let_go() {
                    inventory.remove(object);
                }
            }
        }
    }
    inventory
}

/// Only the first write tells who made an object.
fn after(first: Option<Written>, written: Written) -> Written {
    let created = match first {
        Some(first) if first.uid == written.uid => first.created,
        Some(_) | None => written.created,
    };
    Written { created, ..written }
}

fn line(object: &ObjectRef, written: Option<Written>) -> Line {
    Line {
        object: object.clone(),
        written,
    }
}
