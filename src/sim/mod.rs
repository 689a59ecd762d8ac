//! A Kubernetes API server in process: a `tower::Service` that a `kube::Client` takes for a real one.
//!
//! It holds objects, runs the controllers that tenants' workloads need, and fails as it is told. There are no
//! background tasks: every request first brings the cluster up to its clock, in the order in which things fall
//! due, so that the same requests at the same times give the same bytes. `docs/simulation.md` says what it
//! models and what it does not.

mod behaviour;
mod checks;
mod controllers;
mod defaults;
mod delete;
mod discovery;
mod faults;
mod ingress;
mod kinds;
mod list;
mod log;
mod managed;
mod object;
mod ownership;
mod patch;
mod pods;
mod pool;
pub mod random;
mod refusal;
mod request;
mod routine;
mod saved;
mod selector;
mod service;
mod state;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod timers;
mod validation;
mod view;
mod write;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use jiff::Timestamp;
use rayon::prelude::*;
use serde_json::Value;

use state::State;

pub use behaviour::{ANNOTATION as BEHAVIOUR, Behaviour, Rule};
pub use faults::{Fault, RequestFaults};
pub use ingress::Ingress;
pub use log::{LoggedRequest, Lost, RequestLog, Verb};
pub use refusal::{Cause, Refusal};

/// Tells a cluster what time it is. It must not go backwards.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a simulated cluster is made of.
#[derive(Clone)]
pub struct Options {
    /// Told in the version of the server, so that two clusters can be told apart.
    pub name: String,
    /// All chance follows from it: uids, names of pods, how long they take, which requests fail.
    pub seed: u64,
    pub clock: Clock,
    /// How many nodes pods are spread over.
    pub nodes: usize,
}

/// One simulated cluster. Clones are the same cluster.
#[derive(Clone)]
pub struct SimCluster {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    state: Mutex<State>,
    /// All clusters of the same clock, itself among them: they are brought up to it at the same time.
    together: OnceLock<Vec<Weak<Shared>>>,
}

impl SimCluster {
    pub fn new(options: Options) -> Self {
        let now = (options.clock)();
        let state = State::new(&options, now);
        Self::with(options.clock, state)
    }

    /// Clusters that share a clock. What happens in one does not depend on the others, so it can be worked out for all
    /// at the same time.
    pub fn share_clock<'a>(clusters: impl IntoIterator<Item = &'a Self>) {
        let all: Vec<&Self> = clusters.into_iter().collect();
        for cluster in &all {
            let together = all.iter().map(|other| Arc::downgrade(&other.shared));
            let shared = cluster.shared.together.set(together.collect());
            debug_assert!(shared.is_ok(), "a cluster has one clock");
        }
    }

    /// A client that production code can use unchanged.
    pub fn client(&self) -> kube::Client {
        kube::Client::new(service::ApiServer(self.clone()), "default")
    }

    /// Makes something go wrong, or right again, from now on.
    pub fn tell(&self, fault: Fault) {
        let now = self.now();
        self.state(now).tell(fault, now);
    }

    /// What was asked of it so far, oldest first.
    pub fn requests(&self) -> RequestLog {
        self.locked().log.clone()
    }

    /// Forgets what was asked so far.
    pub fn forget_requests(&self) {
        self.locked().log = RequestLog::default();
    }

    /// Every object of a resource (`pods`, `deployments.apps`) as it is now, in the order of a list.
    pub fn objects(&self, resource: &str) -> Vec<Value> {
        self.objects_since(resource, 0).0
    }

    /// Those of them that were written after a version of the cluster, and the version that it has now.
    pub fn objects_since(&self, resource: &str, version: u64) -> (Vec<Value>, u64) {
        let state = self.state(self.now());
        let now = state.store.revision();
        let kind = state.kinds.find_resource(resource);
        let Some(kind) = kind.filter(|_| version < now) else {
            return (Vec::new(), now);
        };
        let served = state.kinds.of(kind);
        let stored = state.store.list(kind, None);
        let written = stored.filter(|(_, stored)| version < stored.head.revision);
        let values = written.map(|(_, stored)| stored.value(served));
        (values.collect(), now)
    }

    /// One object as it is now.
    pub fn object(&self, resource: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
        let state = self.state(self.now());
        let id = object::ObjectId::new(state.kinds.find_resource(resource)?, namespace, name);
        let stored = state.store.find(&id)?;
        Some(stored.value(state.kinds.of(id.kind)))
    }

    /// A person changes an object by `kubectl edit`.
    pub fn edit(
        &self,
        resource: &str,
        (namespace, name): (Option<&str>, &str),
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, Refusal> {
        let now = self.now();
        let mut state = self.state(now);
        let kind = state
            .kinds
            .find_resource(resource)
            .ok_or_else(Refusal::unknown_path)?;
        let id = object::ObjectId::new(kind, namespace, name);
        state.edit(&id, change, now)
    }

    /// The whole cluster as JSON, for [`SimCluster::load`].
    pub fn save(&self) -> Value {
        self.state(self.now()).save()
    }

    /// A cluster as it was saved. What fell due meanwhile happens at the first request.
    pub fn load(options: Options, saved: &Value) -> anyhow::Result<Self> {
        let state = State::load(&options, saved)?;
        Ok(Self::with(options.clock, state))
    }

    fn with(clock: Clock, state: State) -> Self {
        let state = Mutex::new(state);
        Self {
            shared: Arc::new(Shared {
                clock,
                state,
                together: OnceLock::new(),
            }),
        }
    }

    fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    /// The state, brought up to `now`.
    fn state(&self, now: Timestamp) -> MutexGuard<'_, State> {
        let mut state = self.locked();
        if let Some(together) = self.shared.together.get()
            && state.is_behind(now)
        {
            drop(state);
            together
                .par_iter()
                .filter_map(Weak::upgrade)
                .for_each(|shared| shared.locked().catch_up(now));
            state = self.locked();
        }
        state.catch_up(now);
        state
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.shared.locked()
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, State> {
        // A panicking test must not hide what another thread would find.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimCluster").finish_non_exhaustive()
    }
}
