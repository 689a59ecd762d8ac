//! Which hooks a plan runs, by the records alone. Holds no writer, asks no cluster.

use std::collections::BTreeMap;

use super::records::Records;
use super::rollouts::Order;
use crate::apply;
use crate::manifest::Hook;
use crate::record::{PackedBundle, TenantRecord};
use crate::rollout::Plan;

/// The hooks of each tenant of a plan that have not succeeded there yet, in the order in which they run.
pub fn hooks(order: &Order<'_>, plan: &Plan, records: &Records) -> BTreeMap<String, Vec<Hook>> {
    let mut running = BTreeMap::new();
    for (_, planned) in plan.tenants() {
        let place = &planned.place;
        let record = records.readable(&place.cluster, &place.namespace);
        let record = record.map(|stored| &stored.value);
        if let Some(Ok(bundle)) = order.bundles.get(&place.tenant) {
            running.insert(place.tenant.clone(), due(bundle, record));
        }
    }
    running.retain(|_, hooks| !hooks.is_empty());
    running
}

/// The hooks of a bundle that have not succeeded yet.
pub(super) fn due(bundle: &PackedBundle, record: Option<&TenantRecord>) -> Vec<Hook> {
    let known = |hook: &Hook| record.and_then(|record| record.hooks.get(hook.name()));
    let hooks = bundle.hooks().iter();
    hooks
        .filter(|hook| !apply::is_done(hook, known(hook)))
        .cloned()
        .collect()
}
