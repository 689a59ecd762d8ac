//! Lets tenants go: `escale leave`.

use std::sync::Arc;

use super::departures::nothing;
use super::outside::{self, Doer, Task};
use super::planning::place_of;
use super::soaks::Soaks;
use super::work;
use crate::cluster::Cluster;
use crate::error::UserError;
use crate::record::{Action, Stored, TenantRecord};
use crate::rollout::Planned;

/// Takes our marks off the objects of a tenant, and deletes its record. Answers how many objects had them.
pub async fn leave(
    cluster: &Cluster,
    doer: &Doer<'_>,
    stored: Stored<TenantRecord>,
) -> Result<usize, UserError> {
    let record = &stored.value;
    let tenant = record.tenant.clone();
    let Some(digest) = record.digest.clone() else {
        return Err(UserError::new(format!("`{tenant}` runs nothing"))
            .hint("`escale history` says what became of it"));
    };
    let task = Task {
        action: Action::Leave,
        why: doer.who.why.clone(),
        planned: Planned::of(place_of(record), digest.clone(), Some(digest)),
        stored,
        bundle: nothing(),
        release: None,
    };
    let soaks = Arc::new(Soaks::without_hub(Vec::new()));
    let job = outside::job_of(cluster.clone(), doer, soaks, task);
    work::leave(job).await.map_err(|why| {
        UserError::new(format!("`{tenant}` was not let go: {why}"))
            .hint("run it again: what is left is on record")
    })
}
