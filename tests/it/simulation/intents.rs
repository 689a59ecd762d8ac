//! I43: no tenant runs what its record does not name, as what it runs or as what its claim moves it to.

use escale::manifest::Digest;
use escale::record::{NAMESPACE, TenantRecord, decode_tenant};
use escale::sim::SimCluster;

/// What the record of a tenant says that it may run now.
pub fn named(sim: &SimCluster, tenant: &str) -> Vec<Digest> {
    let record = record(sim, tenant);
    let claimed = record.as_ref().and_then(|record| record.claim.as_ref());
    let claimed = claimed.and_then(|claim| claim.digest.clone());
    let recorded = record.as_ref().and_then(|record| record.digest.clone());
    claimed.into_iter().chain(recorded).collect()
}

/// The rollout that has an open claim on a tenant.
pub fn claimed_by(sim: &SimCluster, tenant: &str) -> Option<String> {
    record(sim, tenant)?.claim?.rollout
}

/// It is named after the tenant's namespace, which here has the tenant's name.
fn record(sim: &SimCluster, tenant: &str) -> Option<TenantRecord> {
    let object = sim.object("configmaps", Some(NAMESPACE), tenant)?;
    decode_tenant(&object).ok().map(|stored| stored.value)
}
