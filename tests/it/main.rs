//! One integration binary: each room of tests is a module.

mod conformance;
mod health_command;
mod diff;
mod health_conformance;
mod mistakes;
mod production;
mod project;
#[path = "../conformance/mod.rs"]
mod story;
mod tidy;
mod yaml;
