//! One integration binary: each room of tests is a module.

mod health_conformance;
mod tidy;
mod yaml;
