//! Tests on real Kubernetes API servers. `tests/run real` starts the clusters and then this; alone it fails and says so.

mod adoption;
mod audit;
mod binary;
mod by_hand;
mod charts;
mod clusters;
mod conformance;
mod encrypted;
mod end_to_end;
mod fleet;
#[path = "../it/gitlab/stub.rs"]
mod gitlab_stub;
#[path = "../it/gitlab/tokens.rs"]
mod gitlab_tokens;
mod hard_days;
mod hooks;
#[path = "../../src/probe/tests/server.rs"]
mod https;
mod kills;
mod life_cycle;
mod mistakes;
mod needed;
mod outages;
mod pages;
mod pipeline;
mod records;
mod rendered;
mod rights;
mod secrets;
mod seen;
mod sites;
#[path = "../conformance/mod.rs"]
mod stories;
mod story;
mod together;
mod turns;
mod unwell;
