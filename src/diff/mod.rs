//! Wanted against found → changes; grouped over tenants; as text, markdown, JSON.
//!
//! [`compare_bundles`] tells the changes of one tenant, [`compare_objects`] those of one object,
//! whatever the two trees are: two commits, or a cluster and a dry-run. A [`Report`] gathers them
//! over the fleet and shows the same change of many tenants once. Values of Secrets are never kept:
//! they are hidden before a change exists.

mod change;
mod compare;
mod group;
mod hidden;
mod immutable;
mod lines;
mod markdown;
mod names;
mod report;
mod restart;
mod summary;
mod text;

pub use change::{Change, ChangeKind, FieldChange, Incomplete};
pub use compare::{Difference, Sides, compare_bundles, compare_objects};
pub use group::Group;
pub use markdown::{Heading, markdown};
pub use names::{Names, NamesByTenant};
pub use report::Report;
pub use summary::Summary;
pub use text::text;

#[cfg(test)]
mod tests;
