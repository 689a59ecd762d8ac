//! Carries an adoption out: by the waves of a strategy, each tenant under a claim of its own, watched as in a rollout.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Found;
use crate::apply::{OnSecrets, Sample};
use crate::engine::baseline;
use crate::engine::conductor::Conductor;
use crate::engine::prepare::ensure_namespaces;
use crate::engine::rollouts::{Ended, Who, World, conduct_alone};
use crate::engine::soaks::Soaks;
use crate::engine::work::Terms;
use crate::fleet::config::{OnBreach, OnFailure};
use crate::record::{Action, Keep, Stored, TenantRecord};
use crate::rollout::{Candidate, Frozen, Plan, Strategy, Wanted};

/// Tenants that are adopted, on whose word, and how.
pub struct Adoption {
    pub found: Vec<Found>,
    pub environment: String,
    /// The commit of those that are as the templates say.
    pub release: String,
    pub who: Who,
    pub strategy: Strategy,
    pub keep: Keep,
    /// Records of those whom somebody left in the middle.
    pub records: BTreeMap<String, Stored<TenantRecord>>,
    /// Whether Helm's ownership ends with it.
    pub ends_helm: bool,
}

/// Writes marks and owners, wave by wave. Needs no hub.
pub async fn adopt(adoption: Adoption, world: World<'_>) -> anyhow::Result<Ended> {
    let strategy = for_adoption(adoption.strategy.clone());
    let candidates = adoption.found.iter().map(candidate);
    let mut plan = Plan::new(&strategy, candidates.collect());
    let found = adoption.found.iter();
    let places = found
        .clone()
        .map(|found| (&found.place, found.bundle.objects()));
    plan.note_unhealthy(baseline::unhealthy_at(&world.clusters, places, world.clock).await);
    ensure_namespaces(&world.clusters, &plan).await?;
    let as_wanted = found.clone().filter(|found| found.is_as_wanted);
    let conductor = Conductor {
        terms: Terms {
            holder: adoption.who.holder,
            who: adoption.who.name,
            why: adoption.who.why,
            action: Action::Adopt,
            environment: adoption.environment,
            rollout: None,
            hold: None,
            keep: adoption.keep,
            soaks: Arc::new(Soaks::without_hub(Vec::new())),
            sample: Sample::none(),
            secrets: world.secrets,
            on_return: OnSecrets::Leave,
            ends_helm: adoption.ends_helm,
        },
        releases: as_wanted
            .map(|found| (found.place.tenant.clone(), adoption.release.clone()))
            .collect(),
        bundles: found
            .map(|found| (found.place.tenant.clone(), found.bundle.clone()))
            .collect(),
        holds: BTreeMap::new(),
        records: adoption.records,
        unread: BTreeMap::new(),
        clusters: world.clusters,
        clock: world.clock,
        frozen: Frozen::new(plan, strategy),
        ledger: None,
        lease: None,
        stop: world.stop,
        wait_limit: world.wait_limit,
        audience: world.audience,
    };
    conduct_alone(conductor).await
}

fn candidate(found: &Found) -> Candidate {
    Candidate {
        place: found.place.clone(),
        wanted: Wanted::Bundle(found.bundle.digest().clone()),
        current: None,
        is_settled: false,
        last_good: None,
        shape: None,
        kept_out: None,
    }
}

/// A person types it and waits: no window, no approval. There is nothing to go back to; what fails stays as it was found.
fn for_adoption(mut strategy: Strategy) -> Strategy {
    strategy.spec.tenant.on_failure = OnFailure::Leave;
    strategy.spec.windows.clear();
    for wave in &mut strategy.spec.waves {
        wave.approval = false;
        wave.on_breach = OnBreach::Pause;
    }
    strategy
}
