//! escale: GitOps rollouts over a fleet of tenants.
//!
//! The rooms, in the order data walks through them; each only looks down:
//!
//! ```text
//! git → fleet → render → policy → diff → plan → rollout → health → record/rollback → report, chat, GitLab
//! ```
//!
//! Floors 0 to 3 are pure: no async, no clock, no files. `repo`, `cluster`, `secret`, `probe` and `sim` touch the world.
//! `engine` introduces them to each other; `report`, `gitlab` and `chat` are what pipelines see, `cli` what people do. `docs/architecture.md` is the map.

pub mod apply;
pub mod chat;
pub mod cli;
pub mod cluster;
pub mod diff;
pub mod engine;
pub mod error;
pub mod fields;
pub mod fleet;
pub mod gitlab;
pub mod health;
pub mod manifest;
pub mod policy;
pub mod probe;
pub mod record;
pub mod render;
pub mod repo;
pub mod report;
pub mod rollout;
pub mod secret;
pub mod sim;
pub mod yaml;
