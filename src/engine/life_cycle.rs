//! Who comes and who goes: where the fleet's files and the records do not name the same tenants.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::departures;
use super::records::Records;
use crate::fleet::config::Lifecycle;
use crate::fleet::{Fleet, Tenant};

/// Tenants that files and records do not agree on.
#[derive(Debug, Default)]
pub struct LifeCycle {
    /// In words: those that leave, and those that no file names any more.
    pub going: BTreeMap<String, String>,
    /// Named by a file, and not on record on their cluster, which answered.
    pub coming: Vec<String>,
}

impl LifeCycle {
    pub fn of(fleet: &Fleet, records: &Records, now: Timestamp) -> Self {
        let orphans = records.orphans(fleet).into_iter();
        let orphans = orphans.map(|orphan| (orphan.tenant, orphan.reason.words()));
        let leaving = fleet.tenants.iter().filter_map(|tenant| {
            let stored = records.readable(&tenant.cluster, &tenant.namespace)?;
            let reason = departures::exclusion(tenant, Some(&stored.value), now)?;
            Some((tenant.name.clone(), reason.words()))
        });
        let is_missing = |tenant: &&Tenant| {
            let found = records.of(&tenant.cluster, &tenant.namespace);
            tenant.lifecycle == Lifecycle::Active && matches!(found, Ok(None))
        };
        let coming = fleet.tenants.iter().filter(is_missing);
        Self {
            going: orphans.chain(leaving).collect(),
            coming: coming.map(|tenant| tenant.name.clone()).collect(),
        }
    }
}
