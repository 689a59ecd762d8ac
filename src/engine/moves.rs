//! Tenants whose `cluster` or `namespace` was edited while they run elsewhere: refused. To start them anew would leave
//! their data behind, and two of them running.

use std::collections::BTreeMap;

use super::records::Records;
use super::store::{self, Trouble};
use crate::cluster::Reader;
use crate::fleet::{Fleet, Tenant};
use crate::record::{Place, RolloutRecord, Stored, TenantRecord};
use crate::rollout::Exclusion;

/// By tenant, the cluster and namespace in which the hub last saw it.
pub type Seen = BTreeMap<String, (String, String)>;

/// By tenant, the first place in which it is on record.
pub type Places<'a> = BTreeMap<&'a str, &'a TenantRecord>;

pub fn places(records: &Records) -> Places<'_> {
    let mut places = Places::new();
    for stored in records.iter() {
        let record = &stored.value;
        places.entry(&record.tenant).or_insert(record);
    }
    places
}

/// Why a tenant that is new in its place is not started there.
pub fn exclusion(
    tenant: &Tenant,
    (records, places): (&Records, &Places<'_>),
    seen: &Seen,
) -> Option<Exclusion> {
    if let Some(record) = places.get(tenant.name.as_str()) {
        let place = (record.cluster.as_str(), record.namespace.as_str());
        return Some(Exclusion::Moved(words(tenant, place, "is on record")));
    }
    let (cluster, namespace) = seen.get(&tenant.name)?;
    let is_same = *cluster == tenant.cluster && *namespace == tenant.namespace;
    let answers = records
        .clusters()
        .any(|(name, answers)| name == cluster && answers);
    let place = (cluster.as_str(), namespace.as_str());
    let why = "was rolled out, and that cluster does not answer,";
    (!is_same && !answers && records.knows(cluster))
        .then(|| Exclusion::Moved(words(tenant, place, why)))
}

/// Whether a record that no file names is told of with the tenant that moved away from it.
pub fn is_told(record: &TenantRecord, fleet: &Fleet, records: &Records) -> bool {
    fleet.tenant(&record.tenant).is_some_and(|tenant| {
        let place = records.of(&tenant.cluster, &tenant.namespace);
        matches!(place, Ok(None))
    })
}

/// So many of the newest rollouts are looked through: an edit is noticed at once, or was made long ago.
const NEWEST: usize = 20;

/// Where rollouts last saw tenants; later ones win.
pub async fn seen(hub: &Reader, rollouts: &[Stored<RolloutRecord>]) -> Result<Seen, Trouble> {
    let mut seen = Seen::new();
    let older = rollouts.len().saturating_sub(NEWEST);
    for rollout in &rollouts[older..] {
        for line in store::plan(hub, &rollout.value).await? {
            if matches!(line.place, Place::Wave(_)) {
                seen.insert(line.tenant, (line.cluster, line.namespace));
            }
        }
    }
    Ok(seen)
}

fn words(tenant: &Tenant, (cluster, namespace): (&str, &str), why: &str) -> String {
    let placement = &tenant.placement;
    let (place, field) = if cluster == tenant.cluster {
        (&placement.namespace, "namespace")
    } else {
        (&placement.cluster, "cluster")
    };
    format!(
        "{place}: `{field}` may not be edited: `{}` {why} in namespace `{namespace}` of `{cluster}`; \
         put it back, give the new one another name, and let this one leave",
        tenant.name
    )
}
