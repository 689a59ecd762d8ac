//! Environments, clusters, tenants, platforms: parsed, layered, checked, selected.

pub mod config;
