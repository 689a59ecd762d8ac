//! How many tenants of a cluster are written to side by side.
//!
//! A strategy may let hundreds be in flight, most of which wait to get healthy. Whoever writes holds
//! its manifests as trees, and a cluster takes only so many requests at a time: more writers would
//! cost memory and gain nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rollout::Plan;

/// A tenant keeps about three requests in flight, a cluster takes 32 by default.
const OF_A_CLUSTER: usize = 16;

/// The desks of all clusters of a plan.
pub struct Desks(BTreeMap<String, Desk>);

/// Where tenants of one cluster are written; whoever comes first sits down first.
#[derive(Clone)]
pub struct Desk(Arc<Semaphore>);

/// A place at a desk, given back when it is dropped.
pub type Seat = OwnedSemaphorePermit;

impl Desks {
    pub fn of(plan: &Plan) -> Self {
        let clusters = plan.tenants().map(|(_, planned)| &planned.place.cluster);
        let desk = || Desk(Arc::new(Semaphore::new(OF_A_CLUSTER)));
        Self(clusters.map(|name| (name.clone(), desk())).collect())
    }

    pub fn at(&self, cluster: &str) -> Desk {
        let desk = self.0.get(cluster);
        desk.expect("every tenant that is written to is in the plan")
            .clone()
    }
}

impl Desk {
    pub async fn seat(self) -> Seat {
        let seat = self.0.acquire_owned().await;
        seat.expect("desks are never closed")
    }
}
