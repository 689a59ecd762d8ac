//! What is to go wrong in a rehearsal, as it was typed; and what that means for one plan.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use crate::error::UserError;
use crate::fleet::{Fleet, Selection};
use crate::sim::RequestFaults;

/// `tenant=GLOB` or `cluster=NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failing {
    /// The new bundle of these tenants crashes.
    Tenant(String),
    /// The cluster goes away in the middle of a wave, and comes back later.
    Cluster(String),
}

/// All that is to go wrong; everything named exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub tenants: BTreeSet<String>,
    pub clusters: BTreeSet<String>,
    pub storm: bool,
}

impl FromStr for Failing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("tenant", name)) if !name.is_empty() => Ok(Self::Tenant(name.to_owned())),
            Some(("cluster", name)) if !name.is_empty() => Ok(Self::Cluster(name.to_owned())),
            _ => Err("it is `tenant=PATTERN` or `cluster=NAME`".to_owned()),
        }
    }
}

impl Faults {
    /// Finds what was named; a name that nothing has is an error.
    pub fn of(failing: &[Failing], storm: bool, fleet: &Fleet) -> Result<Self, UserError> {
        let mut faults = Self {
            storm,
            ..Self::default()
        };
        for one in failing {
            match one {
                Failing::Tenant(target) => faults.tenants.extend(tenants(target, fleet)?),
                Failing::Cluster(name) => {
                    fleet.check_cluster(name)?;
                    faults.clusters.insert(name.clone());
                }
            }
        }
        Ok(faults)
    }
}

/// A bad day for a network and for API servers, but not so bad that nothing gets through.
pub fn storm() -> RequestFaults {
    RequestFaults {
        latency: Duration::from_millis(2)..Duration::from_millis(120),
        cut: 0.05,
        too_many: 0.1,
        internal: 0.05,
        unavailable: 0.05,
        lost: 0.1,
    }
}

fn tenants(target: &str, fleet: &Fleet) -> Result<Vec<String>, UserError> {
    let selection = Selection {
        targets: vec![target.to_owned()],
        ..Selection::default()
    };
    let tenants = fleet.select(&selection)?.into_iter();
    Ok(tenants.map(|tenant| tenant.name.clone()).collect())
}
