//! Which bundles stay: what runs, what one may go back to, and what is too young to judge.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::manifest::Digest;

use super::tenant::{Good, TenantRecord};

/// Parts that no record names are collected only after this long: a bundle is written before the
/// record that names it.
const UNREFERENCED: SignedDuration = SignedDuration::from_hours(24);

/// `records.keep` of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest good bundles of a tenant.
    pub releases: usize,
    /// And all good ones of so many days.
    pub days: u32,
}

/// One stored part of a bundle, as a LIST shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPart {
    pub name: String,
    pub bundle: Digest,
    pub created: Timestamp,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            releases: 20,
            days: 7,
        }
    }
}

impl Keep {
    /// What is younger stays, however much of it there is.
    pub fn oldest(self, now: Timestamp) -> Timestamp {
        let age = SignedDuration::from_hours(24 * i64::from(self.days));
        now.saturating_sub(age).unwrap_or(Timestamp::MIN)
    }

    /// The good bundles of a record that are kept, newest first.
    pub fn goods(self, record: &TenantRecord, now: Timestamp) -> Vec<Good> {
        let oldest = self.oldest(now);
        let goods = record.goods.iter().enumerate();
        goods
            .filter(|(index, good)| {
                *index < self.releases.max(1)
                    || oldest <= good.at
                    || Some(&good.digest) == record.digest.as_ref()
            })
            .map(|(_, good)| good.clone())
            .collect()
    }
}

/// Every bundle that a record may still ask for: running, coming, held, good.
pub fn bundles_to_keep(record: &TenantRecord) -> BTreeSet<Digest> {
    let coming = record
        .claim
        .as_ref()
        .and_then(|claim| claim.digest.as_ref());
    let held = record.hold.as_ref().and_then(|hold| hold.digest.as_ref());
    let goods = record.goods.iter().map(|good| &good.digest);
    let others = [record.digest.as_ref(), coming, held];
    goods.chain(others.into_iter().flatten()).cloned().collect()
}

/// The parts that may go: no record of the cluster names them, and they are older than a day.
pub fn unreferenced_parts<'a>(
    parts: &[StoredPart],
    records: impl IntoIterator<Item = &'a TenantRecord>,
    now: Timestamp,
) -> Vec<String> {
    let wanted: BTreeSet<Digest> = records.into_iter().flat_map(bundles_to_keep).collect();
    parts
        .iter()
        .filter(|part| !wanted.contains(&part.bundle))
        .filter(|part| UNREFERENCED < now.duration_since(part.created))
        .map(|part| part.name.clone())
        .collect()
}
