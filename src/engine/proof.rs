//! What a cluster proves of a time in which nobody looked: a soak goes on while no process is there to see it.

use std::collections::{BTreeMap, BTreeSet};

use super::lists::{Lists, Which};
use super::observe::{Observed, Watched};
use crate::cluster::{CallError, Item, Kind};
use crate::health::gap;
use crate::manifest::Live;
use crate::rollout::Health;

/// Adds to what was seen well after a while alone since when it has been so, as its pods remember.
pub async fn add(
    observed: &mut Observed,
    lists: &Lists,
    watched: &[Watched],
) -> Result<(), CallError> {
    let seen = observed.seen.iter();
    let well = seen.filter(|seen| seen.sample.health == Health::Healthy);
    let well: BTreeSet<&str> = well.map(|seen| seen.tenant.as_str()).collect();
    let alone = watched.iter().filter(|one| one.was_alone);
    let alone: BTreeMap<&str, &str> = alone
        .filter(|one| well.contains(one.tenant.as_str()))
        .map(|one| (one.tenant.as_str(), one.namespace.as_str()))
        .collect();
    if alone.is_empty() {
        return Ok(());
    }
    let namespaces = alone.values().map(|namespace| (*namespace, Which::All));
    let found = lists
        .of_kinds(&[(Kind::pod(), namespaces.collect())])
        .await?;
    let mut quiet = BTreeMap::new();
    for (tenant, namespace) in alone {
        let pods = found.of(namespace).iter().map(Item::read_bare);
        let pods: Vec<Live> = pods.collect::<Result<_, _>>()?;
        quiet.insert(tenant.to_owned(), gap::quiet_since(&pods));
    }
    observed.pages += found.pages;
    for seen in &mut observed.seen {
        seen.quiet_since = quiet.get(&seen.tenant).copied().flatten();
    }
    Ok(())
}
