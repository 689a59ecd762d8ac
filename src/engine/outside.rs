//! Work on one tenant outside of waves: on who leaves, and on who is held. No rollout counts it, no hook runs, and nothing
//! of it is judged by health.

use std::sync::Arc;

use jiff::SignedDuration;

use super::clock::Clock;
use super::rollouts::{Order, Who, World, keep};
use super::soaks::Soaks;
use super::work::{Job, Terms};
use crate::apply::{OnSecrets, Sample};
use crate::cluster::Cluster;
use crate::error::UserError;
use crate::record::{Action, Keep, PackedBundle, Stored, TenantRecord};
use crate::rollout::Planned;
use crate::secret::Secrets;

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

/// Whoever does it, and for which environment.
pub struct Doer<'a> {
    pub who: &'a Who,
    pub environment: &'a str,
    pub keep: Keep,
    pub secrets: Secrets,
    pub clock: Clock,
}

/// The task as a job; fails if there is no way to its cluster.
pub fn job(
    order: &Order<'_>,
    world: &World<'_>,
    soaks: Arc<Soaks>,
    task: Task,
) -> Result<Job, UserError> {
    let cluster = world.clusters.get(&task.planned.place.cluster)?.clone();
    let doer = Doer {
        who: &order.who,
        environment: &order.fleet.environment.name,
        keep: keep(order.fleet),
        secrets: world.secrets.clone(),
        clock: world.clock,
    };
    Ok(job_of(cluster, &doer, soaks, task))
}

/// The same, without an order.
pub fn job_of(cluster: Cluster, doer: &Doer<'_>, soaks: Arc<Soaks>, task: Task) -> Job {
    Job {
        cluster,
        planned: task.planned,
        bundle: Some(task.bundle),
        release: task.release,
        record: Some(task.stored),
        soak: SignedDuration::ZERO,
        clock: doer.clock,
        terms: Terms {
            holder: doer.who.holder.clone(),
            who: doer.who.name.clone(),
            why: task.why,
            action: task.action,
            environment: doer.environment.to_owned(),
            rollout: None,
            hold: None,
            keep: doer.keep,
            soaks,
            sample: Sample::none(),
            secrets: doer.secrets.clone(),
            on_return: OnSecrets::Leave,
            ends_helm: false,
        },
        hooks: None,
        cause: None,
    }
}
