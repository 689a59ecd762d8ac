//! One rollout from order to ending: start it, or go on where it stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::brake;
use super::clock::Clock;
use super::clusters::Clusters;
use super::conductor::{Conductor, Ending};
use super::identity::{self, Newcomers};
use super::lease::{Asked, Lease};
use super::ledger::{Ledger, Opening};
use super::planning::{self, Bundles, Circumstances, Records};
use super::resume;
use super::soaks::Soaks;
use super::stop::{Stop, unless_stopped};
use super::store;
use super::sweep;
use super::work::Terms;
use crate::error::UserError;
use crate::fleet::Fleet;
use crate::manifest::Digest;
use crate::record::{self, Action, NAMESPACE, PackedBundle, RolloutRecord, RolloutState, Stored};
use crate::rollout::{Event, Frozen, Plan, Progress, Strategy};

/// What is to be rolled out, where, and on whose word.
pub struct Order<'a> {
    pub fleet: &'a Fleet,
    pub bundles: &'a Bundles,
    /// The commit.
    pub release: String,
    pub strategy: Strategy,
    /// Only these tenants; none: all of them.
    pub selected: Option<BTreeSet<String>>,
    pub who: Who,
    /// Passes the brake for exactly the plan that it names.
    pub allowed_deletes: Option<String>,
}

/// On whose word, from which process, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub name: String,
    /// One process: two runs of one pipeline are two holders.
    pub holder: String,
    pub why: String,
}

/// The world that an order is carried out in.
pub struct World<'a> {
    pub clusters: Clusters,
    pub clock: Clock,
    pub stop: watch::Receiver<Stop>,
    pub wait_limit: Option<Duration>,
    pub audience: &'a mut (dyn FnMut(&Event, &Progress, &Frozen) + Send),
}

/// How an order ended.
pub enum Carried {
    /// Nothing changes: not a single write.
    NothingToDo {
        plan: Plan,
    },
    /// Somebody else conducts this environment.
    Taken {
        by: String,
    },
    Ended(Box<Ended>),
}

/// A run of the conductor, and where the rollout stands after it.
pub struct Ended {
    /// `None` for a typed rollback, which has no record on the hub.
    pub id: Option<String>,
    pub ending: Ending,
    pub progress: Progress,
    pub frozen: Frozen,
}

/// What the hub and the clusters knew before anything was planned.
pub struct Survey {
    pub records: Records,
    pub soaks: Soaks,
    /// Bundles that must not go forward again, and why.
    pub quarantined: BTreeMap<Digest, String>,
    /// The commits that they belong to.
    pub quarantined_releases: Vec<String>,
    pub rollouts: Vec<Stored<RolloutRecord>>,
    /// Clusters that the hub has not noted yet.
    pub newcomers: Newcomers,
}

/// Reads what planning needs. Holds no writer.
pub async fn survey(
    clusters: &Clusters,
    environment: &str,
    now: Timestamp,
) -> anyhow::Result<Survey> {
    let hub = clusters.hub()?;
    let reader = hub.reader();
    let advise = |trouble: store::Trouble| trouble.advise(hub.name());
    let newcomers = identity::verify(clusters, &reader).await.map_err(advise)?;
    let records = Records::read(clusters, environment).await;
    let found = store::rollouts(&reader, environment)
        .await
        .map_err(|error| error.advise(hub.name()))?;
    let rollouts = found
        .into_iter()
        .map(|found| found.record)
        .collect::<Result<Vec<_>, UserError>>()?;
    let words = store::words(&reader, environment).await.map_err(advise)?;
    let standing = record::standing(&words, now);
    let referenced: BTreeSet<&str> = records
        .iter()
        .filter_map(|stored| stored.value.rollout.as_deref())
        .collect();
    let last = rollouts
        .iter()
        .map(|stored| &stored.value)
        .filter(|rollout| referenced.contains(rollout.id.as_str()));
    let soaks = Soaks::read(&reader, last).await.map_err(advise)?;
    let mut quarantined = BTreeMap::new();
    for word in &standing.quarantines {
        for rollout in rollouts
            .iter()
            .filter(|stored| is_of(&stored.value, &word.scope))
        {
            for line in store::plan(&reader, &rollout.value).await.map_err(advise)? {
                quarantined.extend(line.digest.map(|digest| (digest, word.reason.clone())));
            }
        }
    }
    Ok(Survey {
        records,
        soaks,
        quarantined,
        quarantined_releases: standing.quarantines.iter().filter_map(release_of).collect(),
        rollouts,
        newcomers,
    })
}

fn release_of(word: &record::Word) -> Option<String> {
    match &word.scope {
        record::Scope::Release(release) => Some(release.clone()),
        record::Scope::Environment
        | record::Scope::Cluster(_)
        | record::Scope::Tenant(_)
        | record::Scope::Rollout(_) => None,
    }
}

/// The newest rollout that the hub remembers.
pub async fn latest_rollout(
    clusters: &Clusters,
    environment: &str,
) -> Result<Option<RolloutRecord>, UserError> {
    let hub = clusters.hub()?;
    let found = store::rollouts(&hub.reader(), environment)
        .await
        .map_err(|error| error.advise(hub.name()))?;
    found
        .into_iter()
        .next_back()
        .map(|found| found.record.map(|stored| stored.value))
        .transpose()
}

/// Which process conducts an environment now, as far as the hub's lease tells.
pub async fn conductor_of(clusters: &Clusters, environment: &str) -> Option<String> {
    let hub = clusters.hub().ok()?.reader();
    Lease::holder(&hub, environment).await.ok().flatten()
}

fn is_of(rollout: &RolloutRecord, scope: &record::Scope) -> bool {
    matches!(scope, record::Scope::Release(release) if rollout.release.as_ref() == Some(release))
}

/// The plan of an order, as things stand. Holds no writer.
pub fn plan(order: &Order<'_>, survey: &Survey, now: Timestamp) -> Plan {
    let circumstances = Circumstances {
        now,
        quarantined: &survey.quarantined,
        soaks: &survey.soaks,
        selected: order.selected.as_ref(),
    };
    let candidates =
        planning::candidates(order.fleet, order.bundles, &survey.records, &circumstances);
    let mut plan = Plan::new(&order.strategy, candidates);
    plan.excluded.extend(survey.records.orphans(order.fleet));
    plan
}

/// Rolls out: takes the lease, goes on with what is open, else plans and starts.
pub async fn roll_out(order: &Order<'_>, world: World<'_>) -> anyhow::Result<Carried> {
    let hub = world.clusters.hub()?.clone();
    let environment = order.fleet.environment.name.as_str();
    let writer = hub.writer();
    let asked = unless_stopped(&world.stop, async {
        writer.ensure_namespace(NAMESPACE).await?;
        Lease::acquire(&writer, environment, &order.who.holder, world.clock).await
    });
    let lease = match asked.await?.map_err(|error| error.advise(hub.name()))? {
        Asked::Held(lease) => lease,
        Asked::Taken { by } => return Ok(Carried::Taken { by }),
    };
    match prepare(order, &world, &writer).await {
        Ok(Prepared::Nothing(plan)) => {
            lease.release().await;
            Ok(Carried::NothingToDo { plan })
        }
        Ok(Prepared::Ready(ready)) => conduct(order, world, lease, *ready).await,
        Err(error) => {
            lease.release().await;
            Err(error)
        }
    }
}

enum Prepared {
    Nothing(Plan),
    Ready(Box<Ready>),
}

struct Ready {
    frozen: Frozen,
    progress: Progress,
    ledger: Ledger,
    survey: Survey,
}

async fn prepare(
    order: &Order<'_>,
    world: &World<'_>,
    hub: &crate::cluster::Writer,
) -> anyhow::Result<Prepared> {
    let now = world.clock.now();
    let survey = survey(&world.clusters, &order.fleet.environment.name, now);
    let survey = unless_stopped(&world.stop, survey).await??;
    let name = world.clusters.hub()?.name().to_owned();
    let open = survey
        .rollouts
        .iter()
        .find(|stored| !stored.value.state.is_over())
        .cloned();
    if let Some(open) = open {
        if open.value.release.as_ref() == Some(&order.release) {
            let lines = store::plan(&hub.reader().clone(), &open.value)
                .await
                .map_err(|trouble| trouble.advise(&name))?;
            let (frozen, progress) = resume::rebuild(&open.value, &lines, order, &survey)?;
            let ledger = Ledger::reopen(hub.clone(), open);
            return Ok(Prepared::Ready(Box::new(Ready {
                frozen,
                progress,
                ledger,
                survey,
            })));
        }
        supersede(hub, &open, order, now)
            .await
            .map_err(|trouble| trouble.advise(&name))?;
    }
    let plan = plan(order, &survey, now);
    if plan.is_empty() {
        return Ok(Prepared::Nothing(plan));
    }
    brake::check(order, &plan, &survey.records)?;
    ensure_namespaces(&world.clusters, &plan).await?;
    identity::note(hub, &survey.newcomers, now)
        .await
        .map_err(|error| error.advise(&name))?;
    let opening = Opening {
        environment: order.fleet.environment.name.clone(),
        release: Some(order.release.clone()),
        by: order.who.name.clone(),
        why: order.who.why.clone(),
        at: now,
    };
    let ledger = Ledger::open(hub.clone(), opening, &plan, &order.strategy)
        .await
        .map_err(|trouble| trouble.advise(&name))?;
    let progress = Progress::new(&plan);
    let frozen = Frozen::new(plan, order.strategy.clone());
    Ok(Prepared::Ready(Box::new(Ready {
        frozen,
        progress,
        ledger,
        survey,
    })))
}

/// Ends a rollout that nobody conducts any more: we hold the lease.
async fn supersede(
    hub: &crate::cluster::Writer,
    open: &Stored<RolloutRecord>,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<(), store::Trouble> {
    let ended = RolloutRecord {
        state: RolloutState::Superseded,
        reason: Some(format!("by release {}", order.release)),
        since: now,
        ..open.value.clone()
    };
    store::replace_rollout(hub, &ended, &open.resource_version)
        .await
        .map(|_| ())
}

async fn ensure_namespaces(clusters: &Clusters, plan: &Plan) -> anyhow::Result<()> {
    let names: BTreeSet<&str> = plan
        .tenants()
        .map(|(_, planned)| planned.place.cluster.as_str())
        .collect();
    for name in names {
        let writer = clusters.get(name)?.writer();
        writer
            .ensure_namespace(NAMESPACE)
            .await
            .map_err(|error| error.advise(name))?;
    }
    Ok(())
}

async fn conduct(
    order: &Order<'_>,
    world: World<'_>,
    lease: Lease,
    ready: Ready,
) -> anyhow::Result<Carried> {
    let Ready {
        frozen,
        progress,
        ledger,
        survey,
    } = ready;
    let id = ledger.record().id.clone();
    let bundles = rendered(order.bundles);
    let conductor = Conductor {
        terms: Terms {
            holder: order.who.holder.clone(),
            who: order.who.name.clone(),
            why: order.who.why.clone(),
            action: Action::Rollout,
            environment: order.fleet.environment.name.clone(),
            rollout: Some(id.clone()),
            hold: None,
            keep: keep(order.fleet),
            soaks: Arc::new(survey.soaks),
        },
        releases: bundles
            .keys()
            .map(|tenant| (tenant.clone(), order.release.clone()))
            .collect(),
        bundles,
        records: survey.records.into_tenants(),
        clusters: world.clusters,
        clock: world.clock,
        frozen,
        ledger: Some(ledger),
        lease: Some(lease),
        stop: world.stop,
        wait_limit: world.wait_limit,
        audience: world.audience,
    };
    let clusters = conductor.clusters.clone();
    let (ending, progress, frozen) = conductor.run(progress).await?;
    sweep_touched(&clusters, &frozen.plan, world.clock.now()).await;
    Ok(Carried::Ended(Box::new(Ended {
        id: Some(id),
        ending,
        progress,
        frozen,
    })))
}

/// Old bundles cost space, nothing else: what cannot be swept now is swept by the next rollout.
async fn sweep_touched(clusters: &Clusters, plan: &Plan, now: Timestamp) {
    let names: BTreeSet<&str> = plan
        .tenants()
        .map(|(_, planned)| planned.place.cluster.as_str())
        .collect();
    for cluster in names.into_iter().filter_map(|name| clusters.get(name).ok()) {
        let _ = sweep::sweep(cluster, now).await;
    }
}

fn rendered(bundles: &Bundles) -> BTreeMap<String, PackedBundle> {
    let rendered = bundles
        .iter()
        .filter_map(|(tenant, bundle)| Some((tenant.clone(), bundle.as_ref().ok()?.clone())));
    rendered.collect()
}

/// How much history `records.keep` of an environment keeps.
pub fn keep(fleet: &Fleet) -> record::Keep {
    let keep = &fleet.environment.spec.records.keep;
    record::Keep {
        releases: keep.releases as usize,
        days: keep.days,
    }
}
