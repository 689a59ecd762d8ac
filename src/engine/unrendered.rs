//! Tenants that could not be rendered, held against what may fail.

use super::rollouts::Order;
use crate::error::UserError;
use crate::rollout::{Exclusion, Plan};

/// Refuses a plan that would have failed before its first write, and names what to mend.
pub fn check(order: &Order<'_>, plan: &Plan) -> Result<(), UserError> {
    /// Mistakes that are told in full; `check` tells all of them.
    const FEW: usize = 5;
    let Some(why) = plan.fails_before(&order.strategy) else {
        return Ok(());
    };
    let mistakes = plan
        .excluded
        .iter()
        .filter_map(|excluded| match &excluded.reason {
            Exclusion::NotRendered(mistake) => Some(format!("\n  {}: {mistake}", excluded.tenant)),
            _ => None,
        });
    let mistakes: String = mistakes.take(FEW).collect();
    Err(UserError::new(format!("nothing is started: {why}{mistakes}"))
        .hint("mend them: `escale check` names every mistake; or roll out others alone: `escale rollout TENANT...`"))
}
