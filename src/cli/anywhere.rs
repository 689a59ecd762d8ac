//! Tenants found without a fleet's files: every context is asked what records its cluster has.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::stage::Stage;
use crate::cli::ui::Ui;
use crate::cluster::Cluster;
use crate::engine::Clusters;
use crate::engine::store::{self, Found};
use crate::error::{UserError, did_you_mean};
use crate::record::{Stored, TenantRecord};

/// All tenants of all clusters that answer.
#[derive(Default)]
pub struct Anywhere {
    seen: Vec<Seen>,
    /// Records that cannot be read, by the namespace that they are about.
    unreadable: BTreeMap<String, UserError>,
}

/// A tenant, and how it was reached.
struct Seen {
    cluster: Cluster,
    stored: Stored<TenantRecord>,
}

impl Anywhere {
    /// Reads every record, of one environment or of all. Clusters that do not answer are told.
    pub async fn read(stage: &Stage, environment: Option<&str>, ui: &Ui) -> Self {
        for (context, error) in &stage.clusters.failed {
            ui.say(format!("context `{context}` cannot be used: {error}"));
        }
        let answers = stage
            .clusters
            .ask(|cluster| async move { store::tenants(&cluster.reader()).await })
            .await;
        let mut anywhere = Self::default();
        let mut known = BTreeSet::new();
        for (context, answer) in answers {
            let (Ok(cluster), found) = (stage.clusters.get(&context), answer) else {
                continue;
            };
            match found {
                Err(error) => ui.say(format!("context `{context}` does not answer: {error}")),
                Ok(found) => found
                    .into_iter()
                    .for_each(|found| anywhere.add(cluster, found, environment, &mut known)),
            }
        }
        anywhere
    }

    /// Several contexts may lead to one cluster, as several users: its records count once.
    fn add(
        &mut self,
        cluster: &Cluster,
        found: Found<Stored<TenantRecord>>,
        environment: Option<&str>,
        known: &mut BTreeSet<String>,
    ) {
        match found.record {
            Err(error) => {
                self.unreadable.insert(found.name, error);
            }
            Ok(stored) => {
                let is_asked = environment.is_none_or(|name| name == stored.value.environment);
                if is_asked && known.insert(stored.uid.clone()) {
                    let cluster = cluster.clone();
                    self.seen.push(Seen { cluster, stored });
                }
            }
        }
    }

    /// The tenants that are named, and their clusters by the names that the records give them:
    /// contexts are called otherwise on every machine.
    pub fn named(
        &self,
        targets: &[String],
    ) -> Result<(Vec<Stored<TenantRecord>>, Clusters), UserError> {
        let mut tenants: Vec<Stored<TenantRecord>> = Vec::new();
        let mut clusters: BTreeMap<String, Cluster> = BTreeMap::new();
        for target in targets {
            let Seen { cluster, stored } = self.one(target)?;
            let name = &stored.value.cluster;
            let known = clusters.entry(name.clone()).or_insert(cluster.clone());
            if known.name() != cluster.name() {
                return Err(UserError::new(format!(
                    "contexts `{}` and `{}` both lead to a cluster `{name}`, but not to the same one",
                    known.name(),
                    cluster.name()
                ))
                .hint("put the tenants back one by one, each with its `--context`"));
            }
            if tenants.iter().all(|other| other.uid != stored.uid) {
                tenants.push(stored.clone());
            }
        }
        Ok((tenants, Clusters::new(None, clusters)))
    }

    fn one(&self, target: &str) -> Result<&Seen, UserError> {
        let is_it = |seen: &&Seen| {
            let record = &seen.stored.value;
            record.tenant == target || record.namespace == target
        };
        let found: Vec<&Seen> = self.seen.iter().filter(is_it).collect();
        match found.as_slice() {
            [] => Err(self.unknown(target)),
            [one] => Ok(one),
            several => Err(ambiguous(target, several)),
        }
    }

    fn unknown(&self, target: &str) -> UserError {
        if let Some(error) = self.unreadable.get(target) {
            return error.clone();
        }
        let names = self
            .seen
            .iter()
            .map(|seen| seen.stored.value.tenant.as_str());
        let error = UserError::new(format!("no record of a tenant `{target}`"));
        match did_you_mean(target, names) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(
                "without fleet files only tenants and namespaces are known, not domains or clients",
            ),
        }
    }
}

fn ambiguous(target: &str, several: &[&Seen]) -> UserError {
    let places = several.iter().map(|seen| {
        let record = &seen.stored.value;
        format!(
            "`{}` of `{}` behind context `{}`",
            record.cluster,
            record.environment,
            seen.cluster.name()
        )
    });
    UserError::new(format!(
        "there are several `{target}`: on {}",
        places.collect::<Vec<_>>().join(", on ")
    ))
    .hint("say which one: `--context NAME`, or `-e ENVIRONMENT`")
}
