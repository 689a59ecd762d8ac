//! Tests on real Kubernetes API servers. `tests/run real` starts the clusters and then this; alone it fails and says so.

mod clusters;
mod conformance;
mod rights;
#[path = "../conformance/mod.rs"]
mod story;
