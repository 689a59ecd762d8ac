//! What a plan would delete, by the records alone, held against the brake.

use jiff::Timestamp;

use super::departures;
use super::records::Records;
use super::rollouts::Order;
use super::survey::Survey;
use crate::apply::{self, TenantDeletes};
use crate::error::UserError;
use crate::rollout::Plan;

/// Refuses a plan that deletes too much, before its first write.
pub fn check(
    order: &Order<'_>,
    plan: &Plan,
    survey: &Survey,
    now: Timestamp,
) -> Result<(), UserError> {
    if departures::are_allowed(order, plan, survey, now) {
        return Ok(());
    }
    apply::check_brake(
        &order.strategy.spec.brake,
        plan.tenants().count() + plan.excluded.len(),
        &deletes(order, plan, &survey.records),
        order.allowed_deletes.as_deref(),
    )
}

/// What each tenant of a plan would lose.
pub fn deletes(order: &Order<'_>, plan: &Plan, records: &Records) -> Vec<TenantDeletes> {
    plan.tenants()
        .filter_map(|(_, planned)| {
            let place = &planned.place;
            let stored = records.readable(&place.cluster, &place.namespace)?;
            let bundle = order.bundles.get(&place.tenant)?.as_ref().ok()?;
            let inventory = stored.value.ordinary();
            Some(TenantDeletes {
                tenant: place.tenant.clone(),
                cluster: place.cluster.clone(),
                objects: apply::candidates(&inventory, bundle.objects()),
                has: inventory.len(),
            })
        })
        .collect()
}
