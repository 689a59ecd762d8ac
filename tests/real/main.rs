//! Tests on real Kubernetes API servers. `tests/run real` starts the clusters and then this; alone it fails and says so.

mod audit;
mod binary;
mod clusters;
mod conformance;
mod end_to_end;
mod fleet;
mod rendered;
mod rights;
#[path = "../conformance/mod.rs"]
mod story;
