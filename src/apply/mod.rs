//! Pure: wanted × record × live → steps; conflict policy; final inventory.
//!
//! [`plan_tenant`] decides what is written to one tenant and why; [`decide_prune`] what is deleted
//! once the tenant is healthy; [`final_inventory`] what is remembered; [`probe`] what the server is asked
//! about a sample of the skipped; [`check_brake`] whether a whole plan deletes too much. The engine
//! carries steps out and decides nothing.

mod admit;
mod autoscale;
mod brake;
mod fence;
mod finish;
mod found;
mod hooks;
mod immutable;
mod owner;
mod plan;
mod prune;
mod settle;
mod skip;
mod stand_in;
mod step;
#[cfg(test)]
mod tests;
mod verify;

pub use brake::{TenantDeletes, check_brake, override_token};
pub use fence::{fence_stamp, fence_unstamp};
pub use finish::{Done, final_inventory};
pub use found::{as_found, disowned, helm_release, without_helm};
pub use hooks::{
    HookStep, HookTerms, JobSight, has_begun, hook_job, hook_step, is_done, job_sight,
};
pub use immutable::immutable_changes;
pub use owner::{Owner, unmarked};
pub use plan::{LiveObjects, OnSecrets, Wanted, plan_object, plan_tenant, settle_step};
pub use prune::{
    Ask, KeepReason, Prune, PruneDecision, candidates, decide_prune, has_owner, is_own_namespace,
    removals,
};
pub use settle::Notice;
pub use skip::{dry_run_changes, written};
pub use stand_in::with_stand_ins;
pub use step::{ApplyStep, SkipReason, Step, TenantSteps, Why};
pub use verify::{Probe, Sample, probe};
