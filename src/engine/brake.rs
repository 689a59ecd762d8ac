//! What a plan would delete, by the records alone, held against the brake.

use super::planning::Records;
use super::rollouts::Order;
use crate::apply::{self, Brake, TenantDeletes};
use crate::error::UserError;
use crate::rollout::Plan;

/// Refuses a plan that deletes too much, before its first write.
pub fn check(order: &Order<'_>, plan: &Plan, records: &Records) -> Result<(), UserError> {
    let brake = Brake {
        deletes: order.strategy.spec.brake.deletes as usize,
    };
    apply::check_brake(
        brake,
        &deletes(order, plan, records),
        order.allowed_deletes.as_deref(),
    )
}

/// What each tenant of a plan would lose.
pub fn deletes(order: &Order<'_>, plan: &Plan, records: &Records) -> Vec<TenantDeletes> {
    plan.tenants()
        .filter_map(|(_, planned)| {
            let place = &planned.place;
            let Ok(Some(Ok(stored))) = records.of(&place.cluster, &place.namespace) else {
                return None;
            };
            let bundle = order.bundles.get(&place.tenant)?.as_ref().ok()?;
            let inventory = &stored.value.inventory;
            Some(TenantDeletes {
                tenant: place.tenant.clone(),
                cluster: place.cluster.clone(),
                objects: apply::candidates(inventory, bundle.objects()),
                has: inventory.len(),
            })
        })
        .collect()
}
