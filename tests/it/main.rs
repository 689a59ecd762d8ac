//! One integration binary: each room of tests is a module.

mod adoption;
mod agency;
mod always;
mod bad_input;
mod beginnings;
mod catch_up;
mod chat;
mod cluster;
mod conflicts;
mod conformance;
mod cooperative;
mod coverage;
mod diff;
mod drift;
mod events;
mod forgotten;
mod formats;
mod gates;
mod gitlab;
mod golden;
mod health_command;
mod health_conformance;
mod hooks;
mod life_cycle;
mod mid_claim;
mod mistakes;
mod pages;
mod production;
mod project;
mod rehearsals;
mod rollouts;
mod runbook;
mod scene;
mod secret_check;
mod secrets;
mod silence;
mod simulation;
mod stalled;
mod status;
#[path = "../conformance/mod.rs"]
mod stories;
mod strategies;
mod structure;
mod succession;
mod tenant_steps;
mod tidy;
mod traps;
mod two_sites;
mod unread;
mod unrendered;
mod unwell;
mod verified;
mod waiting;
mod yaml;

/// As in `src/main.rs`: simulated rollouts are many small allocations, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
