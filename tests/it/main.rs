//! One integration binary: each room of tests is a module.

mod health_command;
mod health_conformance;
mod mistakes;
mod production;
mod project;
mod tidy;
mod yaml;
