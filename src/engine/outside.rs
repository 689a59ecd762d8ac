//! Work on one tenant outside of waves: on who leaves, and on who is held. No rollout counts it, no hook runs, and nothing
//! of it is judged by health.

use std::sync::Arc;

use jiff::SignedDuration;

use super::rollouts::{Order, World, keep};
use super::soaks::Soaks;
use super::work::{Job, Terms};
use crate::apply::{OnSecrets, Sample};
use crate::error::UserError;
use crate::record::{Action, PackedBundle, Stored, TenantRecord};
use crate::rollout::Planned;

/// What is to be done.
pub struct Task {
    pub action: Action,
    pub why: String,
    pub planned: Planned,
    pub stored: Stored<TenantRecord>,
    pub bundle: PackedBundle,
    /// The commit that the record names from then on, if it names another one.
    pub release: Option<String>,
}

/// The task as a job; fails if there is no way to its cluster.
pub fn job(
    order: &Order<'_>,
    world: &World<'_>,
    soaks: Arc<Soaks>,
    task: Task,
) -> Result<Job, UserError> {
    Ok(Job {
        cluster: world.clusters.get(&task.planned.place.cluster)?.clone(),
        planned: task.planned,
        bundle: Some(task.bundle),
        release: task.release,
        record: Some(task.stored),
        soak: SignedDuration::ZERO,
        clock: world.clock,
        terms: Terms {
            holder: order.who.holder.clone(),
            who: order.who.name.clone(),
            why: task.why,
            action: task.action,
            environment: order.fleet.environment.name.clone(),
            rollout: None,
            hold: None,
            keep: keep(order.fleet),
            soaks,
            sample: Sample::none(),
            secrets: world.secrets.clone(),
            on_return: OnSecrets::Leave,
        },
        hooks: None,
        cause: None,
    })
}
