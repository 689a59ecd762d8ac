//! One rollout from order to ending: start it, or go on where it stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::always;
use super::choice::Changed;
use super::clock::Clock;
use super::clusters::Clusters;
use super::conductor::{Conductor, Ending};
use super::lease::{Asked, Lease};
use super::lineage::{Ahead, Lineage};
use super::planning::Bundles;
use super::prepare::{Prepared, Ready, prepare};
use super::queue::Queue;
use super::rebuild::{self, Rebuild};
use super::stop::{self, Stop, unless_stopped};
use super::sweep;
use super::work::Terms;
use crate::apply::{OnSecrets, Sample};
use crate::fleet::Fleet;
use crate::record::{self, Action, NAMESPACE, RolloutRecord};
use crate::rollout::{Event, Frozen, Plan, Progress, Strategy, Wait};
use crate::secret::Secrets;

/// What is to be rolled out, where, and on whose word.
#[derive(Clone)]
pub struct Order<'a> {
    pub fleet: &'a Fleet,
    pub bundles: &'a Bundles,
    /// The commit.
    pub release: String,
    pub strategy: Strategy,
    /// If nobody named the strategy: what changes may pick another one.
    pub changed: Option<Changed<'a>>,
    /// Only these tenants; none: all of them.
    pub selected: Option<BTreeSet<String>>,
    pub who: Who,
    /// How releases follow each other.
    pub lineage: Lineage<'a>,
    /// Whether it may be older than what runs, on purpose.
    pub may_be_older: bool,
    /// Passes the brake for exactly the plan that it names.
    pub allowed_deletes: Option<String>,
    /// Brings back what ran on a lost cluster, instead of the release.
    pub rebuild: Option<Rebuild>,
    /// Of a hundred objects that are skipped, the server is asked about so many.
    pub verify_sample: u8,
}

impl Order<'_> {
    /// Whether a rollout is what is ordered.
    pub(super) fn is_of(&self, rollout: &RolloutRecord) -> bool {
        match &self.rebuild {
            Some(rebuild) => rebuild::is_of(rollout, &rebuild.cluster),
            None => rollout.release.as_ref() == Some(&self.release),
        }
    }

    /// What goes out, as it is told to whoever makes way for it.
    pub(super) fn name(&self) -> String {
        match &self.rebuild {
            Some(rebuild) => format!("the rebuild of {}", rebuild.cluster),
            None => self.release.clone(),
        }
    }
}

/// On whose word, from which process, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Where values of Secrets come from.
    pub secrets: Secrets,
    pub audience: &'a mut Audience<'a>,
}

/// Hears what happens and what is waited for.
pub type Audience<'a> = dyn FnMut(Heard<'_>) + Send + 'a;

/// What there is to hear.
pub enum Heard<'a> {
    /// A process begins to conduct a rollout, or goes on with it.
    Begins(Beginning<'a>),
    /// An event, and the progress after it.
    Event {
        event: &'a Event,
        progress: &'a Progress,
        frozen: &'a Frozen,
    },
    /// What is waited for, at what time; said again and again.
    Waits { wait: &'a Wait, now: Timestamp },
}

/// What tells one rollout from another, and how far it is when a process takes it up.
#[derive(Clone, Copy)]
pub struct Beginning<'a> {
    pub at: Timestamp,
    /// `None` for a typed rollback, which has no record on the hub.
    pub rollout: Option<&'a RolloutRecord>,
    pub progress: &'a Progress,
    pub frozen: &'a Frozen,
    /// What somebody should know, and counts for nothing.
    pub warnings: &'a [String],
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
    /// A newer release goes first, or runs already.
    Ahead(Ahead),
    /// It waits for its turn: run it again.
    Queued {
        behind: String,
    },
    /// A lost cluster is brought back first, and nobody is at it.
    Rebuilding {
        cluster: String,
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

/// Rolls out: takes the lease or waits for its turn, goes on with what is open, else plans and starts.
pub async fn roll_out(order: &Order<'_>, mut world: World<'_>) -> anyhow::Result<Carried> {
    let mut queue = Queue::new();
    let mut carried = take_turn(order, &mut world, &mut queue).await;
    if let Ok(carried) = &mut carried {
        Box::pin(always::reach(order, &world, carried)).await;
    }
    if carried.is_err() && stop::is_asked(&world.stop) {
        let hub = world.clusters.hub()?.writer();
        let environment = order.fleet.environment.name.as_str();
        queue.give_up(&hub, environment, world.clock.now()).await;
    }
    carried
}

async fn take_turn(
    order: &Order<'_>,
    world: &mut World<'_>,
    queue: &mut Queue,
) -> anyhow::Result<Carried> {
    let hub = world.clusters.hub()?.clone();
    let environment = order.fleet.environment.name.as_str();
    let writer = hub.writer();
    loop {
        let asked = unless_stopped(&world.stop, async {
            writer.ensure_namespace(NAMESPACE).await?;
            Lease::acquire(&writer, environment, &order.who.holder, world.clock).await
        });
        let mut lease = match asked.await?.map_err(|error| error.advise(hub.name()))? {
            Asked::Held(lease) => lease,
            Asked::Taken { by } => match queue.look(order, world, &by).await? {
                Some(carried) => return Ok(carried),
                None => continue,
            },
        };
        // A survey takes long when a cluster does not answer, and the lease runs out in 15 seconds.
        let preparing = Box::pin(prepare(order, world, &writer));
        let Some(prepared) = lease.keep_during(preparing).await else {
            continue;
        };
        let ready = match prepared {
            Ok(Prepared::Ready(ready)) => {
                return Box::pin(conduct(order, world, lease, *ready)).await;
            }
            Ok(Prepared::First(ready)) => ready,
            other => {
                lease.release().await;
                return match other? {
                    Prepared::Nothing(plan) => Ok(Carried::NothingToDo { plan }),
                    Prepared::Ahead(ahead) => Ok(Carried::Ahead(ahead)),
                    Prepared::Rebuilding { cluster } => Ok(Carried::Rebuilding { cluster }),
                    Prepared::Ready(_) | Prepared::First(_) => unreachable!("matched above"),
                };
            }
        };
        let carried = Box::pin(conduct(order, world, lease, *ready)).await?;
        if !has_come_to_rest(&carried) {
            return Ok(carried);
        }
    }
}

/// Whether the rollout that went first is over.
fn has_come_to_rest(carried: &Carried) -> bool {
    match carried {
        Carried::Ended(ended) => matches!(ended.ending, Ending::Finished { .. }),
        Carried::NothingToDo { .. }
        | Carried::Taken { .. }
        | Carried::Ahead(_)
        | Carried::Queued { .. }
        | Carried::Rebuilding { .. } => false,
    }
}

async fn conduct(
    order: &Order<'_>,
    world: &mut World<'_>,
    lease: Lease,
    ready: Ready,
) -> anyhow::Result<Carried> {
    let Ready {
        frozen,
        progress,
        ledger,
        survey,
        bundles,
        releases,
        news,
        warnings,
    } = ready;
    (world.audience)(Heard::Begins(Beginning {
        at: world.clock.now(),
        rollout: Some(ledger.record()),
        progress: &progress,
        frozen: &frozen,
        warnings: &warnings,
    }));
    if let Some(event) = &news {
        (world.audience)(Heard::Event {
            event,
            progress: &progress,
            frozen: &frozen,
        });
    }
    let id = ledger.record().id.clone();
    let environment = &order.fleet.environment.name;
    let forgettable = sweep::forgettable(&survey, keep(order.fleet), world.clock.now());
    let conductor = Conductor {
        terms: Terms {
            holder: order.who.holder.clone(),
            who: order.who.name.clone(),
            why: order.who.why.clone(),
            action: Action::Rollout,
            environment: environment.clone(),
            rollout: Some(id.clone()),
            hold: None,
            keep: keep(order.fleet),
            soaks: Arc::new(survey.soaks),
            sample: Sample {
                seed: id.clone(),
                percent: order.verify_sample,
            },
            secrets: world.secrets.clone(),
            on_return: OnSecrets::Leave,
            ends_helm: false,
        },
        holds: match &order.rebuild {
            Some(rebuild) if order.is_of(ledger.record()) => rebuild.holds(world.clock.now()),
            Some(_) | None => BTreeMap::new(),
        },
        releases,
        bundles,
        unread: survey
            .records
            .unreachable()
            .map(|(cluster, why)| (cluster.to_owned(), why.to_owned()))
            .collect(),
        records: survey.records.into_tenants(),
        clusters: world.clusters.clone(),
        clock: world.clock,
        frozen,
        ledger: Some(ledger),
        lease: Some(lease),
        stop: world.stop.clone(),
        wait_limit: world.wait_limit,
        audience: &mut *world.audience,
    };
    let clusters = conductor.clusters.clone();
    let (ending, progress, frozen) = conductor.run(progress).await?;
    sweep_touched(&clusters, &frozen.plan, world.clock.now()).await;
    if let Ok(hub) = clusters.hub() {
        let _ = sweep::forget(&hub.writer(), environment, &forgettable).await;
    }
    Ok(Carried::Ended(Box::new(Ended {
        id: Some(id),
        ending,
        progress,
        frozen,
    })))
}

/// Conducts a frozen plan that has no record on the hub: a person typed it, and waits.
pub(super) async fn conduct_alone(conductor: Conductor<'_>) -> anyhow::Result<Ended> {
    let progress = Progress::new(&conductor.frozen.plan);
    (conductor.audience)(Heard::Begins(Beginning {
        at: conductor.clock.now(),
        rollout: None,
        progress: &progress,
        frozen: &conductor.frozen,
        warnings: &[],
    }));
    let (ending, progress, frozen) = Box::pin(conductor.run(progress)).await?;
    Ok(Ended {
        id: None,
        ending,
        progress,
        frozen,
    })
}

/// What is old costs space, nothing else: what cannot be swept now is swept by the next rollout.
async fn sweep_touched(clusters: &Clusters, plan: &Plan, now: Timestamp) {
    let names: BTreeSet<&str> = plan
        .tenants()
        .map(|(_, planned)| planned.place.cluster.as_str())
        .collect();
    for cluster in names.into_iter().filter_map(|name| clusters.get(name).ok()) {
        let _ = sweep::sweep(cluster, now).await;
    }
}

/// How much history `records.keep` of an environment keeps.
pub fn keep(fleet: &Fleet) -> record::Keep {
    let keep = &fleet.environment.spec.records.keep;
    record::Keep {
        releases: keep.releases as usize,
        days: keep.days,
    }
}
