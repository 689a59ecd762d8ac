//! Tenants that leave: untouched until their last day is over, then removed by a rollout that is allowed to.

use std::sync::Arc;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::brake;
use super::gates::closed_gate;
use super::outside::{self, Task};
use super::planning;
use super::rollouts::{Order, World};
use super::soaks::Soaks;
use super::stop;
use super::survey::Survey;
use super::work::{self, Removal};
use crate::apply::{self, TenantDeletes};
use crate::fleet::Tenant;
use crate::fleet::config::Lifecycle;
use crate::manifest::Bundle;
use crate::record::{Action, PackedBundle, Stored, TenantRecord};
use crate::rollout::{Excluded, Exclusion, Plan, Planned};

/// So many tenants are removed side by side.
const AT_A_TIME: usize = 8;

/// A leaving tenant whose last day is over.
#[derive(Clone)]
pub struct Departure {
    planned: Planned,
    stored: Stored<TenantRecord>,
    why: String,
}

/// Whether what is on record of a tenant is to go: it leaves, its last day is over, and nobody holds it.
pub fn is_due(tenant: &Tenant, environment: &str, record: &TenantRecord, now: Timestamp) -> bool {
    let is_over = tenant.delete_after.is_some_and(|day| day.is_over_at(now));
    let is_its_own = record.tenant == tenant.name && record.environment == environment;
    tenant.lifecycle == Lifecycle::Leaving && is_over && is_its_own && record.hold_at(now).is_none()
}

/// Why a leaving tenant is in no wave, before anybody asks whether it may be removed.
pub fn exclusion(
    tenant: &Tenant,
    record: Option<&TenantRecord>,
    now: Timestamp,
) -> Option<Exclusion> {
    if tenant.lifecycle != Lifecycle::Leaving {
        return None;
    }
    let words = match (record, tenant.delete_after) {
        (None, _) => "nothing of it is on record".to_owned(),
        (Some(_), None) => "it stays as it is; no `deleteAfter` says until when".to_owned(),
        (Some(record), Some(day)) if day.is_over_at(now) => {
            let held = record.hold_at(now).map(|hold| format!("held: {hold}"));
            return Some(Exclusion::NotRemoved(
                held.unwrap_or_else(|| last_day(tenant)),
            ));
        }
        (Some(_), Some(day)) => format!("it stays as it is until {day}, its last day"),
    };
    Some(Exclusion::Leaving(words))
}

/// Departures of an order, each with what it waits for, if anything.
pub fn standing(
    order: &Order<'_>,
    plan: &Plan,
    survey: &Survey,
    now: Timestamp,
) -> Vec<(Departure, Option<String>)> {
    let due = due(order, survey, now);
    if due.is_empty() {
        return Vec::new();
    }
    let token = token(order, plan, survey, &due);
    let is_allowed = order.allowed_deletes.as_deref() == Some(token.as_str());
    let waits = |one: &Departure| {
        let gate = gate(order, one, survey, now);
        gate.or_else(|| {
            let goes = is_allowed || one.stored.value.is_being_removed();
            (!goes).then(|| one.wants(&token))
        })
    };
    let told = due.into_iter().map(|one| {
        let waits = waits(&one);
        (one, waits)
    });
    told.collect()
}

/// Whether this order's override names the deletes of its plan together with those of who leaves.
pub fn are_allowed(order: &Order<'_>, plan: &Plan, survey: &Survey, now: Timestamp) -> bool {
    let Some(allowed) = &order.allowed_deletes else {
        return false;
    };
    let due = due(order, survey, now);
    !due.is_empty() && *allowed == token(order, plan, survey, &due)
}

/// Says in a plan what each departure waits for.
pub fn tell(order: &Order<'_>, plan: &mut Plan, survey: &Survey, now: Timestamp) {
    for (departure, waits) in standing(order, plan, survey, now) {
        let words = waits.unwrap_or_else(|| format!("{}; a rollout removes it", departure.why));
        departure.set(plan, Exclusion::NotRemoved(words));
    }
}

/// Removes tenants, and says in the plan what came of it.
pub async fn carry_out(
    order: &Order<'_>,
    world: &World<'_>,
    departures: Vec<Departure>,
    survey: &Survey,
    plan: &mut Plan,
) {
    let soaks = Arc::new(survey.soaks.clone());
    let works = departures.into_iter().map(|departure| {
        let soaks = Arc::clone(&soaks);
        async move {
            let removal = departure.clone().remove(order, world, soaks).await;
            (departure, removal)
        }
    });
    let mut removals = stream::iter(works).buffered(AT_A_TIME);
    while let Some((departure, removal)) = removals.next().await {
        let exclusion = match removal {
            Removal::Removed { deleted, kept } => Exclusion::Removed(told(deleted, &kept)),
            Removal::NotRemoved(why) => Exclusion::NotRemoved(why),
        };
        departure.set(plan, exclusion);
    }
}

fn told(deleted: usize, kept: &[String]) -> String {
    let objects = if deleted == 1 { "object" } else { "objects" };
    let kept = match kept {
        [] => String::new(),
        kept => format!("; kept: {}", kept.join(", ")),
    };
    format!("{deleted} {objects} deleted{kept}")
}

fn due(order: &Order<'_>, survey: &Survey, now: Timestamp) -> Vec<Departure> {
    let tenants = order.fleet.tenants.iter();
    let selected = tenants.filter(|tenant| {
        let selected = order.selected.as_ref();
        selected.is_none_or(|selected| selected.contains(&tenant.name))
    });
    let environment = &order.fleet.environment.name;
    let due = selected.filter_map(|tenant| {
        let stored = survey
            .records
            .readable(&tenant.cluster, &tenant.namespace)?;
        is_due(tenant, environment, &stored.value, now).then(|| Departure {
            planned: planned(tenant),
            stored: stored.clone(),
            why: last_day(tenant),
        })
    });
    due.collect()
}

fn last_day(tenant: &Tenant) -> String {
    let day = tenant.delete_after.map(|day| day.to_string());
    format!("its last day was {}", day.unwrap_or_default())
}

fn planned(tenant: &Tenant) -> Planned {
    Planned::of(planning::place(tenant), nothing().digest().clone(), None)
}

/// The bundle of a tenant that has nothing any more.
pub fn nothing() -> PackedBundle {
    PackedBundle::of(&Bundle::new(Vec::new()).expect("nothing is there twice"))
}

/// What names exactly these deletes: those of the plan, and those of tenants whose removal was not begun yet.
fn token(order: &Order<'_>, plan: &Plan, survey: &Survey, due: &[Departure]) -> String {
    let pruned = brake::deletes(order, plan, &survey.records);
    let begun = |one: &&Departure| one.stored.value.is_being_removed();
    let leaving = due.iter().filter(|one| !begun(one));
    let leaving: Vec<TenantDeletes> = leaving.map(Departure::deletes).collect();
    apply::override_token(pruned.iter().chain(&leaving))
}

fn gate(
    order: &Order<'_>,
    departure: &Departure,
    survey: &Survey,
    now: Timestamp,
) -> Option<String> {
    let place = &departure.planned.place;
    let gate = closed_gate((&order.strategy, place), &survey.last_words, now)?;
    Some(format!("{}; waits for {gate}", departure.why))
}

impl Departure {
    fn deletes(&self) -> TenantDeletes {
        let place = &self.planned.place;
        let inventory = &self.stored.value.inventory;
        TenantDeletes {
            tenant: place.tenant.clone(),
            cluster: place.cluster.clone(),
            objects: apply::removals(inventory),
            has: inventory.len(),
        }
    }

    /// What goes and what stays, and what has to be typed.
    fn wants(&self, token: &str) -> String {
        let TenantDeletes { objects, has, .. } = self.deletes();
        let lines = self.stored.value.inventory.lines();
        let stay: Vec<String> = lines
            .filter(|line| !objects.contains(&line.object))
            .map(|line| line.object.to_string())
            .collect();
        let stay = match stay.as_slice() {
            [] => String::new(),
            stay => format!(", and {} stay", stay.join(", ")),
        };
        format!(
            "{}; {} of its {has} objects go{stay}: `escale rollout --allow-deletes {token}`",
            self.why,
            objects.len()
        )
    }

    fn set(&self, plan: &mut Plan, reason: Exclusion) {
        let tenant = &self.planned.place.tenant;
        let its = |one: &&mut Excluded| one.tenant == *tenant;
        if let Some(excluded) = plan.excluded.iter_mut().find(its) {
            excluded.reason = reason;
        }
    }

    async fn remove(self, order: &Order<'_>, world: &World<'_>, soaks: Arc<Soaks>) -> Removal {
        if stop::is_asked(&world.stop) {
            return Removal::NotRemoved(format!("{}; we were told to stop", self.why));
        }
        let task = Task {
            action: Action::Remove,
            why: format!("it leaves: {}", self.why),
            planned: self.planned,
            stored: self.stored,
            bundle: nothing(),
            release: Some(order.release.clone()),
        };
        match outside::job(order, world, soaks, task) {
            Ok(job) => work::remove(job).await,
            Err(error) => Removal::NotRemoved(format!("deferred: {error}")),
        }
    }
}
