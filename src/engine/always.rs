//! What reaches held tenants too: objects marked `escale.dev/always` (certificates, pull secrets, network policies).
//!
//! They go to a held tenant outside of waves, once the release that has them has come to a good end with the others, or
//! runs everywhere already. The tenant is moved nowhere: these objects are written, and nothing else.

use std::sync::Arc;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::conductor::Ending;
use super::gates::closed_gate;
use super::lineage;
use super::outside::{self, Task};
use super::planning;
use super::rollouts::{Carried, Order, World};
use super::soaks::Soaks;
use super::stop;
use super::survey::{Survey, survey};
use super::work::{self, Refresh};
use crate::fleet::Tenant;
use crate::fleet::config::Lifecycle;
use crate::manifest::{ALWAYS, Bundle, Manifest};
use crate::record::{Action, PackedBundle, Stored, TenantRecord};
use crate::rollout::{Exclusion, Outcome, Plan, Planned, few_of};

/// So many tenants are written to side by side.
const AT_A_TIME: usize = 8;
/// Objects that are named; of more, the number is told.
const NAMED: usize = 3;

/// A held tenant that lacks something of what reaches it too.
#[derive(Clone)]
pub struct Lacking {
    planned: Planned,
    stored: Stored<TenantRecord>,
    /// All that reaches it, of what the release has for it.
    bundle: PackedBundle,
    /// What of it is not as the release has it, in words.
    objects: String,
}

/// Held tenants that lack something, by the records alone. Needs no request.
pub fn lacking(order: &Order<'_>, survey: &Survey, now: Timestamp) -> Vec<Lacking> {
    let is_quarantined = survey.quarantined_releases.contains(&order.release);
    if order.rebuild.is_some() || is_quarantined {
        return Vec::new();
    }
    let selected = order.selected.as_ref();
    let is_asked =
        |tenant: &&Tenant| selected.is_none_or(|selected| selected.contains(&tenant.name));
    let tenants = order.fleet.tenants.iter().filter(is_asked);
    tenants
        .filter_map(|tenant| lacks(tenant, order, survey, now))
        .collect()
}

fn lacks(tenant: &Tenant, order: &Order<'_>, survey: &Survey, now: Timestamp) -> Option<Lacking> {
    let stored = survey
        .records
        .readable(&tenant.cluster, &tenant.namespace)?;
    let record = &stored.value;
    let is_its_own =
        record.tenant == tenant.name && record.environment == order.fleet.environment.name;
    let stays = tenant.lifecycle == Lifecycle::Active && record.hold_at(now).is_some();
    if !is_its_own || !stays || record.claim.is_some() || record.digest.is_none() {
        return None;
    }
    let bundle = order.bundles.get(&tenant.name)?.as_ref().ok()?;
    if survey.quarantined.contains_key(bundle.digest()) {
        return None;
    }
    let reaching = reaching(&bundle.unpack());
    let objects = differing(&reaching, record);
    (!objects.is_empty()).then(|| {
        let bundle = Bundle::new(reaching).expect("a part of a bundle has nothing twice");
        Lacking {
            planned: planned(tenant, record),
            stored: stored.clone(),
            bundle: PackedBundle::of(&bundle),
            objects: few_of(&objects, NAMED),
        }
    })
}

fn reaching(bundle: &Bundle) -> Vec<Manifest> {
    let all = bundle.ordinary();
    all.filter(|manifest| manifest.annotation(ALWAYS) == Some("true"))
        .cloned()
        .collect()
}

/// What was last written otherwise, or never.
fn differing(reaching: &[Manifest], record: &TenantRecord) -> Vec<String> {
    let is_written = |manifest: &&Manifest| {
        let line = record.inventory.find(manifest.object());
        let written = line.and_then(|line| line.written.as_ref());
        written.is_some_and(|written| written.digest == manifest.digest())
    };
    let others = reaching.iter().filter(|manifest| !is_written(manifest));
    others
        .map(|manifest| manifest.object().to_string())
        .collect()
}

fn planned(tenant: &Tenant, record: &TenantRecord) -> Planned {
    let runs = record.digest.clone();
    let digest = runs.clone().expect("who runs nothing lacks nothing");
    Planned::of(planning::place(tenant), digest, runs)
}

/// Says in a plan what would be written to held tenants.
pub fn tell(order: &Order<'_>, plan: &mut Plan, survey: &Survey, now: Timestamp) {
    for lacking in lacking(order, survey, now) {
        lacking.note(plan, "reaches it all the same, at the end");
    }
}

/// Writes to held tenants what reaches them too, if the order has come to a good end; says in its plan what came of it.
pub async fn reach(order: &Order<'_>, world: &World<'_>, carried: &mut Carried) {
    let Some(plan) = ended_well(carried) else {
        return;
    };
    if !has_held(plan) || has_quarantined(plan) || stop::is_asked(&world.stop) {
        return;
    }
    let environment = &order.fleet.environment.name;
    let Ok(survey) = survey(&world.clusters, environment, world.clock.now()).await else {
        // Who is held stays as it is; the next rollout looks again.
        return;
    };
    let is_newest = matches!(lineage::ahead_of(order, &survey), Ok(None));
    let now = world.clock.now();
    let lacking = lacking(order, &survey, now).into_iter();
    let soaks = Arc::new(survey.soaks.clone());
    let works = lacking.filter(|_| is_newest).map(|lacking| {
        let closed = closed_gate(
            (&order.strategy, &lacking.planned.place),
            &survey.last_words,
            now,
        );
        let soaks = Arc::clone(&soaks);
        async move {
            let words = match closed {
                Some(gate) => format!("waits for {gate}"),
                None => told(lacking.clone().write(order, world, soaks).await),
            };
            (lacking, words)
        }
    });
    let mut written = stream::iter(works).buffered(AT_A_TIME);
    while let Some((lacking, words)) = written.next().await {
        lacking.note(plan, &words);
    }
}

fn told(refresh: Refresh) -> String {
    match refresh {
        Refresh::Written => "was written all the same".to_owned(),
        Refresh::NotWritten(why) => format!("reaches it all the same, and was not written: {why}"),
    }
}

/// The plan of what succeeded, or had nothing to do.
fn ended_well(carried: &mut Carried) -> Option<&mut Plan> {
    match carried {
        Carried::NothingToDo { plan } => Some(plan),
        Carried::Ended(ended) => match ended.ending {
            Ending::Finished {
                outcome: Outcome::Succeeded | Outcome::SucceededWithExceptions,
                ..
            } => Some(&mut ended.frozen.plan),
            _ => None,
        },
        Carried::Taken { .. }
        | Carried::Ahead(_)
        | Carried::Queued { .. }
        | Carried::Rebuilding { .. } => None,
    }
}

/// Whoever goes on with a rollout knows of those who were left out only that they were.
fn has_held(plan: &Plan) -> bool {
    let mut excluded = plan.excluded.iter();
    excluded.any(|one| matches!(one.reason, Exclusion::Held(_) | Exclusion::AsRecorded(_)))
}

/// A release that must not go forward to somebody reaches nobody.
fn has_quarantined(plan: &Plan) -> bool {
    let mut excluded = plan.excluded.iter();
    excluded.any(|one| matches!(one.reason, Exclusion::Quarantined(_)))
}

impl Lacking {
    async fn write(self, order: &Order<'_>, world: &World<'_>, soaks: Arc<Soaks>) -> Refresh {
        let task = Task {
            action: Action::Refresh,
            why: order.who.why.clone(),
            planned: self.planned,
            stored: self.stored,
            bundle: self.bundle,
            release: None,
        };
        match outside::job(order, world, soaks, task) {
            Ok(job) => work::refresh(job).await,
            Err(error) => Refresh::NotWritten(error.to_string()),
        }
    }

    fn note(&self, plan: &mut Plan, words: &str) {
        let tenant = &self.planned.place.tenant;
        let mut excluded = plan.excluded.iter_mut();
        let Some(excluded) = excluded.find(|one| one.tenant == *tenant) else {
            return;
        };
        let hold = self.stored.value.hold.as_ref();
        let hold = hold.map(ToString::to_string).unwrap_or_default();
        excluded.reason = Exclusion::Held(format!("{hold}; {} {words}", self.objects));
    }
}
