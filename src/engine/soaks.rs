//! Whether the wave in which a tenant got what it runs has soaked: only then is that bundle good.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::store::{self, Trouble};
use crate::cluster::Reader;
use crate::record::{Place, RolloutRecord, Soak, TenantRecord, WaveState};

/// What the hub knows of the waves that tenants last moved in.
#[derive(Clone, Debug, Default)]
pub struct Soaks {
    /// By rollout, then by tenant: whether its wave passed.
    known: BTreeMap<String, BTreeMap<String, bool>>,
    /// Who is seen unhealthy now: whatever the clock says, nobody can tell that its soak passed.
    unhealthy: BTreeSet<String>,
}

impl Soaks {
    /// What is known without the hub: who is unhealthy now.
    pub fn without_hub(unhealthy: impl IntoIterator<Item = String>) -> Self {
        Self {
            known: BTreeMap::new(),
            unhealthy: unhealthy.into_iter().collect(),
        }
    }

    /// Reads the plans of these rollouts.
    pub async fn read(
        hub: &Reader,
        rollouts: impl IntoIterator<Item = &RolloutRecord>,
    ) -> Result<Self, Trouble> {
        let mut soaks = Self::default();
        for rollout in rollouts {
            let mut tenants = BTreeMap::new();
            for line in store::plan(hub, rollout).await? {
                if let Place::Wave(name) = &line.place {
                    tenants.insert(line.tenant, has_passed(rollout, name));
                }
            }
            soaks.known.insert(rollout.id.clone(), tenants);
        }
        Ok(soaks)
    }

    /// What to say of a record's bundle when its claim is taken.
    pub fn of(&self, record: &TenantRecord) -> Soak {
        let rollout = record.rollout.as_ref().and_then(|id| self.known.get(id));
        match rollout.and_then(|tenants| tenants.get(&record.tenant)) {
            Some(true) => Soak::Passed,
            Some(false) => Soak::NotPassed,
            None if self.unhealthy.contains(&record.tenant) => Soak::NotPassed,
            // A typed rollback, or a rollout that the hub does not remember.
            None => Soak::ByClock,
        }
    }

    pub fn has_passed(&self, record: &TenantRecord, now: Timestamp) -> bool {
        match self.of(record) {
            Soak::Passed => true,
            Soak::NotPassed => false,
            Soak::ByClock => record.good_from.is_some_and(|from| from <= now),
        }
    }
}

fn has_passed(rollout: &RolloutRecord, wave: &str) -> bool {
    rollout
        .waves
        .iter()
        .any(|record| record.name == wave && record.state == WaveState::Passed)
}
