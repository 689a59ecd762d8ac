//! Where a command acts: the clusters of a fleet, or simulated ones that last between commands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cli::{Common, clock, runtime};
use crate::cluster::{Cluster, Connection, Limits};
use crate::engine::{self, Audience, Clock, Clusters, Order, Stop, Survey, World};
use crate::error::UserError;
use crate::fleet::{self, Fleet};
use crate::probe::Door;
use crate::rollout::Strategy;
use crate::secret::Secrets;
use crate::sim::{Options, SimCluster};

/// Which clusters.
#[derive(Clone, Debug, clap::Args)]
pub struct StageArgs {
    /// The kubeconfig with the contexts of the clusters; default: `KUBECONFIG`, else `~/.kube/config`
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Simulated clusters instead, kept in `.escale/sim` between commands
    #[arg(long)]
    pub sim: bool,
}

/// Connected clusters, and what time it is there.
pub struct Stage {
    pub clusters: Clusters,
    pub clock: Clock,
    sims: Option<Sims>,
}

/// Simulated clusters, and the file that keeps them.
struct Sims {
    file: PathBuf,
    sims: BTreeMap<String, SimCluster>,
}

/// What passes on simulated clusters between two commands: of two words, one was said later.
const TYPING: SignedDuration = SignedDuration::from_secs(1);
/// Simulated nodes of each cluster.
const NODES: usize = 3;

impl StageArgs {
    /// Runs what a command does, in virtual time if the clusters are simulated.
    pub fn run<T>(&self, doing: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        if self.sim {
            runtime::virtual_time(doing)
        } else {
            runtime::real(doing)
        }
    }

    /// Connects to the clusters of a fleet.
    pub async fn open(&self, common: &Common, fleet: &Fleet) -> anyhow::Result<Stage> {
        if self.sim {
            return open_sims(common, fleet);
        }
        let clusters = Clusters::connect(fleet, &self.connection()).await;
        let door = |cluster: &fleet::Cluster| {
            let ingress = cluster.spec.ingress.as_ref()?;
            Some(Door::at(ingress.host_and_port()))
        };
        Ok(Stage {
            clusters: clusters.with_sites(fleet, door),
            clock: Clock::Wall,
            sims: None,
        })
    }

    /// Connects to contexts of a kubeconfig, without any fleet.
    pub async fn open_contexts(&self, contexts: &[String]) -> Stage {
        let connections = contexts.iter().map(|context| {
            let connection = Connection {
                name: context.clone(),
                context: context.clone(),
                ..self.connection()
            };
            (connection, Limits::default().max_requests)
        });
        let clusters = Clusters::connect_each(None, connections.collect()).await;
        Stage {
            clusters,
            clock: Clock::Wall,
            sims: None,
        }
    }

    pub fn connection(&self) -> Connection {
        Connection {
            kubeconfig: self.kubeconfig.clone(),
            no_proxy: std::env::var("NO_PROXY")
                .or_else(|_| std::env::var("no_proxy"))
                .ok(),
            ..Connection::default()
        }
    }
}

impl Stage {
    /// The strategy of an order: one that was named, or that what changes picks.
    pub async fn choose(&self, order: &Order<'_>, survey: &Survey) -> anyhow::Result<Strategy> {
        let hub = self.clusters.hub()?;
        let chosen = engine::choose(order, survey, &hub.reader(), self.clock.now()).await;
        Ok(chosen.map_err(|trouble| trouble.advise(hub.name()))?)
    }

    /// The world for an order: nothing is waited for longer than it takes.
    pub fn world<'a>(&self, secrets: Secrets, audience: &'a mut Audience<'a>) -> World<'a> {
        World {
            clusters: self.clusters.clone(),
            clock: self.clock,
            stop: self.stop(),
            wait_limit: None,
            secrets,
            audience,
        }
    }

    /// The same with other clusters, or others' names for them.
    pub fn with(self, clusters: Clusters) -> Self {
        Self { clusters, ..self }
    }

    /// Listens for Ctrl-C and SIGTERM; nobody stops a simulation.
    pub fn stop(&self) -> tokio::sync::watch::Receiver<Stop> {
        if self.sims.is_some() {
            runtime::never_stops()
        } else {
            runtime::stop_signals()
        }
    }

    /// Times are told from here in a simulation; else as the time of day.
    pub fn told_from(&self) -> Option<Timestamp> {
        self.sims.is_some().then(|| self.clock.now())
    }

    /// Keeps simulated clusters for the next command.
    pub fn close(self) -> anyhow::Result<()> {
        let Some(sims) = self.sims else { return Ok(()) };
        let clusters: BTreeMap<&String, Value> = sims
            .sims
            .iter()
            .map(|(name, sim)| (name, sim.save()))
            .collect();
        let now = self.clock.now() + TYPING;
        let saved = json!({"now": now, "clusters": clusters});
        let folder = sims.file.parent().unwrap_or(&sims.file).to_owned();
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("could not make `{}`", folder.display()))?;
        // What git should not see says so itself.
        std::fs::write(folder.join(".gitignore"), "*\n")
            .with_context(|| format!("could not write to `{}`", folder.display()))?;
        let text = serde_json::to_vec(&saved).context("a saved cluster is plain JSON")?;
        std::fs::write(&sims.file, text)
            .with_context(|| format!("could not write `{}`", sims.file.display()))
    }
}

fn open_sims(common: &Common, fleet: &Fleet) -> anyhow::Result<Stage> {
    let file = common
        .directory
        .join(format!(".escale/sim/{}.json", fleet.environment.name));
    let saved = read_saved(&file)?;
    let base = saved
        .as_ref()
        .and_then(|saved| saved["now"].as_str()?.parse().ok())
        .unwrap_or_else(clock::now);
    let clock = Clock::starting_at(base);
    let mut sims = BTreeMap::new();
    for (name, seed) in fleet.clusters.keys().zip(1..) {
        let options = Options {
            name: name.clone(),
            seed,
            clock: Arc::new(move || clock.now()),
            nodes: NODES,
        };
        let known = saved
            .as_ref()
            .map(|saved| &saved["clusters"][name])
            .filter(|known| !known.is_null());
        let sim = match known {
            Some(known) => SimCluster::load(options, known)?,
            None => SimCluster::new(options),
        };
        sims.insert(name.clone(), sim);
    }
    let connected = connected(&sims);
    let hub = fleet.hub().map(|hub| hub.name.clone());
    Ok(Stage {
        clusters: Clusters::new(hub, connected)
            .with_sites(fleet, |cluster| sims.get(&cluster.name).map(door)),
        clock,
        sims: Some(Sims { file, sims }),
    })
}

/// The production door to simulated clusters.
pub fn connected(sims: &BTreeMap<String, SimCluster>) -> BTreeMap<String, Cluster> {
    SimCluster::share_clock(sims.values());
    sims.iter()
        .map(|(name, sim)| {
            (
                name.clone(),
                Cluster::from_client(name, sim.client(), Limits::default()),
            )
        })
        .collect()
}

/// Where the pages of a simulated cluster answer.
pub fn door(sim: &SimCluster) -> Door {
    Door::simulated(sim.ingress())
}

fn read_saved(file: &PathBuf) -> anyhow::Result<Option<Value>> {
    match std::fs::read(file) {
        Ok(bytes) => {
            let saved = serde_json::from_slice(&bytes).map_err(|error| {
                UserError::new(format!("`{}` does not read: {error}", file.display()))
                    .hint("delete it: simulated clusters begin anew")
            })?;
            Ok(Some(saved))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("could not read `{}`", file.display())),
    }
}
