//! Environments, clusters, tenants, platforms: parsed, layered, checked, selected.
//!
//! [`load`] makes a [`Fleet`] of the texts of files, or tells every mistake in them at once. What
//! is in a `Fleet` is consistent: clusters and classes exist, namespaces and domains are unique.

mod announce;
mod chat;
mod check;
pub mod config;
mod explain;
mod finding;
mod glob;
mod layout;
mod leaving;
mod load;
mod model;
mod names;
mod order;
mod parts;
mod probes;
mod read;
mod secrets;
mod select;
mod selector;
mod strategies;
mod strategy;
mod unique;
mod when;
mod words;

pub use explain::{Explanation, explain};
pub use finding::{Finding, Place, Severity, grouped, has_errors};
pub use glob::{is_pattern, matches};
pub use layout::environments;
pub use load::{Files, load};
pub use model::{Cluster, Environment, Fleet, Placement, Platform, Tenant, merge};
pub use names::is_name;
pub use secrets::SecretSource;
pub use select::{Selection, Sharing};
pub use selector::Selector;
pub use strategies::Strategies;

#[cfg(test)]
mod tests;
