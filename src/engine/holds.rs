//! Holding a tenant where it is, and letting it go again. Needs neither hub nor lease.

use jiff::Timestamp;

use super::store::{self, Trouble};
use crate::cluster::{CallError, Cluster};
use crate::error::UserError;
use crate::record::{self, Hold, HoldChange, Stored, TenantRecord};

/// A change that loses so often is up against somebody who does not stop.
const SWAPS: usize = 6;

/// Keeps a tenant at what it runs.
pub async fn hold(
    cluster: &Cluster,
    namespace: &str,
    hold: &Hold,
) -> Result<Stored<TenantRecord>, UserError> {
    change(cluster, namespace, |record| {
        Ok(record::hold(record, hold.clone()))
    })
    .await
}

/// Lets a tenant go with the fleet again.
pub async fn release(
    cluster: &Cluster,
    namespace: &str,
    who: (&str, &str),
    now: Timestamp,
) -> Result<Stored<TenantRecord>, UserError> {
    let change_of = HoldChange {
        who: who.0.to_owned(),
        why: who.1.to_owned(),
        at: now,
    };
    change(cluster, namespace, |record| {
        record::release_hold(record, change_of.clone())
            .map_err(|refused| UserError::new(format!("`{}`: {refused}", record.tenant)))
    })
    .await
}

async fn change(
    cluster: &Cluster,
    namespace: &str,
    transition: impl Fn(&TenantRecord) -> Result<TenantRecord, UserError>,
) -> Result<Stored<TenantRecord>, UserError> {
    let missing = || {
        UserError::new(format!(
            "cluster `{}` has no record of namespace `{namespace}`",
            cluster.name()
        ))
    };
    for _ in 0..SWAPS {
        let found = store::tenant(&cluster.reader(), namespace)
            .await
            .map_err(|trouble| trouble.advise(cluster.name()))?;
        let known = found.ok_or_else(missing)?;
        let after = transition(&known.value)?;
        match store::swap_tenant(&cluster.writer(), &after, Some(&known)).await {
            Ok(stored) => return Ok(stored),
            Err(Trouble::Call(CallError::Stale(_))) => {}
            Err(trouble) => return Err(trouble.advise(cluster.name())),
        }
    }
    Err(
        UserError::new(format!("the record of `{namespace}` keeps changing"))
            .hint("try again in a minute"),
    )
}
