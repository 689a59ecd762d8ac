//! What the fleet runs before anything is rehearsed: as git says; `live` has what the clusters say.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::Timestamp;
use rayon::prelude::*;
use serde_json::Value;

use crate::cli::Common;
use crate::cli::source::Source;
use crate::engine::Bundles;
use crate::fleet::Fleet;
use crate::manifest::Digest;
use crate::record::{PackedBundle, TenantRecord};
use crate::repo::{self, Repo};

/// What runs, ready to be put on simulated clusters.
pub struct Today {
    /// Where that is known from, for people.
    pub described: String,
    pub from: From,
    /// Its tenants are those that run something.
    pub fleet: Fleet,
    /// What each of them runs.
    pub bundles: Bundles,
    /// The commit; in what is live every record says its own.
    pub release: String,
    /// What time it is.
    pub now: Timestamp,
    /// What only clusters know.
    pub known: Known,
    /// What could not be copied, and so is not rehearsed as it is.
    pub notes: Vec<String>,
}

/// Who said what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum From {
    Clusters,
    Git,
    /// Nothing runs yet.
    Nothing,
}

/// What is copied as it is, because no commit tells it.
#[derive(Default)]
pub struct Known {
    pub records: Vec<TenantRecord>,
    /// `ConfigMap`s, each with its cluster: older bundles, the hub's rollouts, people's words.
    pub objects: Vec<(String, Value)>,
    /// Clusters that do not answer.
    pub unreachable: Vec<String>,
}

/// So many tenants are rendered before they are packed.
const AT_A_TIME: usize = 256;
/// A fleet that did not change for longer is taken for one that is new.
const COMMITS: usize = 500;

impl Today {
    /// As if this revision had been rolled out and had soaked.
    pub fn at(common: &Common, wanted: &Source, revision: &str) -> anyhow::Result<Self> {
        let before = wanted
            .at(common, revision)
            .with_context(|| format!("could not read what runs out of `{revision}`"))?;
        let (bundles, notes) = rendered(&before);
        let mut fleet = before.fleet.clone();
        fleet
            .tenants
            .retain(|tenant| matches!(bundles.get(&tenant.name), Some(Ok(_))));
        let commit = before.tree.commit.as_ref();
        Ok(Self {
            described: before.describe(),
            from: From::Git,
            fleet,
            bundles,
            release: commit.map_or_else(String::new, |commit| commit.id.clone()),
            now: noon(),
            known: Known::default(),
            notes,
        })
    }

    /// As if nothing had ever been rolled out.
    pub fn nothing(wanted: &Source) -> Self {
        let mut fleet = wanted.fleet.clone();
        fleet.tenants.clear();
        Self {
            described: "nothing".to_owned(),
            from: From::Nothing,
            fleet,
            bundles: Bundles::new(),
            release: String::new(),
            now: noon(),
            known: Known::default(),
            notes: Vec::new(),
        }
    }

    /// The digest and the bundle that a tenant runs.
    pub fn bundle(&self, tenant: &str) -> Option<&PackedBundle> {
        self.bundles.get(tenant)?.as_ref().ok()
    }

    /// The commit that a good bundle of a tenant was rendered from.
    pub fn release_of(&self, tenant: &str, digest: &Digest) -> Option<String> {
        let mut records = self.known.records.iter();
        let Some(record) = records.find(|record| record.tenant == tenant) else {
            let is_it = self.bundle(tenant).map(PackedBundle::digest) == Some(digest);
            return is_it.then(|| self.release.clone());
        };
        if record.digest.as_ref() == Some(digest) {
            return record.release.clone();
        }
        record.good(digest)?.release.clone()
    }
}

/// The commit that stands for what runs where nobody says it: the last one at which the fleet was another.
pub fn stand_in(common: &Common, wanted: &Source) -> anyhow::Result<Option<String>> {
    let Some(commit) = &wanted.tree.commit else {
        return Ok(None);
    };
    if wanted.tree.is_dirty {
        return Ok(Some(commit.id.clone()));
    }
    let repo = Repo::open(&common.directory)?;
    let environment = format!("environments/{}/", wanted.fleet.environment.name);
    for back in 1..=COMMITS {
        let earlier = format!("{}~{back}", commit.id);
        // Before the first commit there is none.
        let Ok(changed) = repo.changed_paths(&earlier, &commit.id) else {
            return Ok(None);
        };
        let is_of_fleet = |path: &String| repo::is_of(&wanted.fleet.environment.name, path);
        if changed.iter().any(is_of_fleet) {
            let file = format!("{environment}environment.yaml");
            let tree = repo.tree_at(&earlier);
            let has_fleet = tree.is_ok_and(|tree| tree.files.contains_key(&file));
            return Ok(has_fleet.then_some(earlier));
        }
    }
    Ok(None)
}

/// When a rehearsal from git begins: always then, so that it is the same each time.
fn noon() -> Timestamp {
    "2026-11-23T12:00:00Z"
        .parse()
        .expect("a constant that is a time")
}

/// Every bundle, policies not asked: what they think of the past is of no use to anybody.
fn rendered(before: &Source) -> (Bundles, Vec<String>) {
    let tenants: Vec<_> = before.fleet.tenants.iter().collect();
    let mut bundles = BTreeMap::new();
    for part in tenants.chunks(AT_A_TIME) {
        let some = before.renderer.render_some(&before.fleet, part);
        bundles.par_extend(some.into_par_iter().map(|(tenant, bundle)| {
            let packed = bundle.map(|bundle| PackedBundle::of(&bundle));
            (tenant, packed.map_err(|_| "not rendered".to_owned()))
        }));
    }
    let failed = bundles.iter().filter(|(_, bundle)| bundle.is_err());
    let notes = failed.map(|(tenant, _)| {
        format!("`{tenant}` does not render as it was: it is taken for a tenant that runs nothing")
    });
    let notes = notes.collect();
    (bundles, notes)
}
