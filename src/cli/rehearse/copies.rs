//! Simulated copies of a fleet's clusters, which hold what it runs today.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::kinds;
use super::today::Today;
use crate::cli::runtime;
use crate::cli::stage;
use crate::cli::ui::Ui;
use crate::cli::voice::counted;
use crate::cluster::{CallError, Cluster, Limits};
use crate::engine::{self, Bundles, Carried, Clock, Clusters, Heard, Order, Who, World, store};
use crate::fleet::Fleet;
use crate::fleet::config::{
    self, FailureLimits, Limit, LimitSet, OnBreach, OnFailure, StrategySpec,
};
use crate::record::{NAMESPACE, Stored, TenantRecord};
use crate::repo::Kinship;
use crate::rollout::{Phase, Strategy, What};
use crate::secret::Secrets;
use crate::sim::{Fault, Options, SimCluster, random};

/// Clusters in this process, with the names of the real ones.
pub struct Copies {
    pub sims: BTreeMap<String, SimCluster>,
    pub clusters: Clusters,
    pub clock: Clock,
}

/// Simulated nodes of each cluster.
const NODES: usize = 3;
/// What runs is put there so long before the rehearsal begins: by then it has come to rest.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);
/// Whoever is in flight is looked at again and again: more at once would take longer.
const SIDE_BY_SIDE: u32 = 100;
/// Progress is told each time so many tenants are there.
const TOLD: usize = 1000;

impl Copies {
    /// Empty clusters for two fleets: the one that runs, and the one that is wanted.
    pub fn of(today: &Today, wanted: &Fleet, seed: u64) -> anyhow::Result<Self> {
        let clock = Clock::starting_at(today.now.checked_sub(BEFORE)?);
        let names: BTreeSet<&String> = today
            .fleet
            .clusters
            .keys()
            .chain(wanted.clusters.keys())
            .collect();
        let sims: BTreeMap<String, SimCluster> = names
            .into_iter()
            .map(|name| (name.clone(), simulated(name, seed, clock)))
            .collect();
        SimCluster::share_clock(sims.values());
        let connected = sims.iter().map(|(name, sim)| {
            let limits = Limits {
                seed,
                ..limits(wanted, name)
            };
            let cluster = Cluster::from_client(name, sim.client(), limits);
            (name.clone(), cluster)
        });
        let hub = wanted.hub().map(|hub| hub.name.clone());
        Ok(Self {
            clusters: Clusters::new(hub, connected.collect())
                .with_sites(wanted, |cluster| sims.get(&cluster.name).map(stage::door)),
            sims,
            clock,
        })
    }

    /// Puts there what runs today, then lets it rest until today. Answers what is not as it is in the fleet.
    pub async fn plant(
        &self,
        today: &Today,
        wanted: &Bundles,
        ui: &Ui,
    ) -> anyhow::Result<Vec<String>> {
        kinds::define(&self.clusters, &today.bundles, wanted).await?;
        let mut notes = Vec::new();
        if !today.fleet.tenants.is_empty() {
            notes = self.roll_out(today, ui).await?;
        }
        self.copy_known(today).await?;
        let rest = today.now.duration_since(self.clock.now());
        tokio::time::sleep(Duration::try_from(rest).unwrap_or_default()).await;
        for name in &today.known.unreachable {
            if let Some(sim) = self.sims.get(name) {
                sim.tell(Fault::Unreachable {
                    from: self.clock.now(),
                    until: None,
                });
            }
        }
        Ok(notes)
    }

    /// As quickly as it can be done and without a soak: nobody rehearses this.
    async fn roll_out(&self, today: &Today, ui: &Ui) -> anyhow::Result<Vec<String>> {
        let tenants = today.fleet.tenants.iter();
        let order = Order {
            fleet: &today.fleet,
            bundles: &today.bundles,
            release: today.release.clone(),
            strategy: at_once(),
            changed: None,
            selected: Some(tenants.map(|tenant| tenant.name.clone()).collect()),
            who: Who {
                name: "escale".to_owned(),
                holder: "before the rehearsal".to_owned(),
                why: "what runs today".to_owned(),
            },
            lineage: &unordered,
            may_be_older: true,
            allowed_deletes: None,
            rebuild: None,
            // The copies were just made.
            verify_sample: 0,
        };
        let mut there = 0;
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, frozen, .. } = heard
                && let What::TenantSucceeded { .. } = event.what
            {
                there += 1;
                if there % TOLD == 0 {
                    let all = counted(frozen.plan.len(), "tenant");
                    ui.say(format!("{there} of {all} are on the simulated clusters"));
                }
            }
        };
        let world = World {
            // What is asked for is what the rehearsed release should answer.
            clusters: self.clusters.clone().without_sites(),
            clock: self.clock,
            stop: runtime::never_stops(),
            wait_limit: None,
            secrets: Secrets::stand_ins(),
            audience: &mut hear,
        };
        let Carried::Ended(ended) = engine::roll_out(&order, world).await? else {
            return Ok(Vec::new());
        };
        let failed = ended.progress.tenants.iter();
        let failed = failed.filter(|(_, one)| !matches!(one.phase, Phase::Succeeded { .. }));
        let told = failed.map(|(tenant, one)| {
            let why = one
                .failure
                .as_ref()
                .map_or("", |failed| failed.why.as_str());
            format!("`{tenant}` is not healthy on the simulated cluster as it runs today: {why}")
        });
        Ok(told.collect())
    }

    async fn copy_known(&self, today: &Today) -> anyhow::Result<()> {
        for (cluster, object) in &today.known.objects {
            let writer = self.clusters.get(cluster)?.writer();
            writer.ensure_namespace(NAMESPACE).await?;
            match writer.create(object).await {
                // A bundle that is there already is the same.
                Ok(_) | Err(CallError::Exists(_)) => {}
                Err(error) => return Err(error.advise(cluster).into()),
            }
        }
        for record in &today.known.records {
            self.copy_record(record).await?;
        }
        Ok(())
    }

    /// The record as it is, but with the objects of the simulated cluster.
    async fn copy_record(&self, record: &TenantRecord) -> anyhow::Result<()> {
        let Ok(cluster) = self.clusters.get(&record.cluster) else {
            return Ok(());
        };
        let advise = |trouble: store::Trouble| trouble.advise(cluster.name());
        let writer = cluster.writer();
        writer.ensure_namespace(NAMESPACE).await?;
        let found: Option<Stored<TenantRecord>> = store::tenant(writer.reader(), &record.namespace)
            .await
            .map_err(advise)?;
        let mut copied = record.clone();
        if let Some(found) = &found {
            copied.inventory = found.value.inventory.clone();
        }
        store::swap_tenant(&writer, &copied, found.as_ref())
            .await
            .map_err(advise)?;
        Ok(())
    }
}

fn simulated(name: &str, seed: u64, clock: Clock) -> SimCluster {
    SimCluster::new(Options {
        name: name.to_owned(),
        seed: random::number(seed, &["cluster", name]),
        clock: Arc::new(move || clock.now()),
        nodes: NODES,
    })
}

fn limits(fleet: &Fleet, cluster: &str) -> Limits {
    let spec = fleet.clusters.get(cluster).map(|cluster| &cluster.spec);
    spec.map_or_else(Limits::default, |spec| Limits {
        max_requests: spec.max_requests as usize,
        ..Limits::default()
    })
}

fn at_once() -> Strategy {
    let mut spec = StrategySpec::default();
    spec.tenant.min_healthy_time = config::Duration::default();
    spec.tenant.on_failure = OnFailure::Leave;
    for wave in &mut spec.waves {
        wave.on_breach = OnBreach::Continue;
    }
    spec.limits.max_concurrency = LimitSet {
        cluster: Some(Limit::Count(SIDE_BY_SIDE)),
        ..LimitSet::default()
    };
    spec.limits.max_unavailable = LimitSet::default();
    spec.limits.max_failures = FailureLimits {
        all: Some(Limit::percent(100)),
        cluster: None,
        ..FailureLimits::default()
    };
    Strategy {
        name: "at once".to_owned(),
        spec,
        chosen: None,
        max_sample_gap: SignedDuration::from_secs(60),
    }
}

/// On simulated copies any commit may come after any other.
pub fn unordered(_: &str, _: &str) -> Kinship {
    Kinship::Newer
}
