//! Kubernetes API servers: connect, list, write; limits and retries. The only user of kube, with `sim`.
//!
//! A [`Reader`] cannot write, by type: planning holds one, and never a [`Writer`]. kube's own
//! retries are off; `call.rs` holds the one retry layer there is.

mod bare;
mod call;
mod connect;
mod discovery;
mod item;
mod kind;
mod proxy;
mod reader;
mod trouble;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use crate::error::UserError;

pub use bare::read_bare;
use call::Caller;
pub use call::Requests;
pub use connect::{Connection, contexts};
pub use item::{Item, Page};
pub use kind::{Kind, Kinds};
pub use reader::{Depth, LogQuery, Reader, Within};
pub use trouble::{CallError, FieldConflict};
pub use writer::{Apply, Deletion, FENCE_MANAGER, HAND_OVER_MANAGER, Preconditions, Writer};

/// One API server, ready to be asked. Clones share limits, discovery and counters.
#[derive(Clone)]
pub struct Cluster {
    name: Arc<str>,
    caller: Arc<Caller>,
}

/// How hard one API server is pressed, and how long it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests in flight at a time.
    pub max_requests: usize,
    /// One attempt may take so long.
    pub attempt: Duration,
    /// One call may take so long, with all its retries.
    pub call: Duration,
    /// A cluster that has not answered yet, or was given up, is asked again for so long only.
    pub first_answer: Duration,
    /// Seed of the jitter between retries.
    pub seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_requests: 32,
            // The API server gives up after 60 s itself; who has not answered in 30 s is ill.
            attempt: Duration::from_secs(30),
            call: Duration::from_secs(90),
            first_answer: Duration::from_secs(10),
            seed: 0,
        }
    }
}

impl Cluster {
    /// Connects through a context of a kubeconfig, which is always named: never its current one.
    pub async fn connect(connection: &Connection, limits: Limits) -> Result<Self, UserError> {
        let client = connect::client(connection).await?;
        Ok(Self::from_client(&connection.name, client, limits))
    }

    /// Wraps a client that is there already: a simulated cluster, or one of a test.
    pub fn from_client(name: &str, client: kube::Client, limits: Limits) -> Self {
        Self {
            name: name.into(),
            caller: Arc::new(Caller::new(client, limits)),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.caller))
    }

    pub fn writer(&self) -> Writer {
        Writer::new(Arc::clone(&self.caller))
    }

    /// What was asked so far, every attempt counted.
    pub fn requests(&self) -> Requests {
        self.caller.requests()
    }

    /// The uid of namespace `kube-system`: the identity of a cluster, whatever its address.
    pub async fn identity(&self) -> Result<String, CallError> {
        self.reader().identity().await
    }
}
