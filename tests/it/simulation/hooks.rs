//! What must hold of hooks: no two runs of one are under way at once, none runs again for what it has succeeded for, and no
//! tenant gets a release whose hook has not succeeded there.

use std::collections::{BTreeMap, BTreeSet};

use escale::sim::SimCluster;
use serde_json::Value;

use crate::hooks::{Hook, MIGRATE, put};
use crate::scene::Scene;

/// Every tenant of these seeds has a hook, which runs for each release.
pub fn put_some(scene: &mut Scene) {
    let more = ", escale.dev/hook-key: \"{{ versions.web }}\"";
    put(scene, &Hook { more, ..MIGRATE });
}

/// The runs that were ever seen, over all clusters.
#[derive(Default)]
pub struct Runs {
    /// By tenant: the keys for which Jobs succeeded, oldest first, each with the uid of its Job.
    succeeded: BTreeMap<String, Vec<(String, String)>>,
    told: BTreeSet<String>,
    /// Up to which version each cluster was read: nothing new is wrong before a Job is written.
    read: BTreeMap<String, u64>,
}

impl Runs {
    /// Takes in what is there now, and says what is wrong, once each.
    pub fn sample(&mut self, sims: &BTreeMap<String, SimCluster>) -> Vec<String> {
        if !self.is_any_news(sims) {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        let mut active: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for job in sims.values().flat_map(|sim| sim.objects("jobs.batch")) {
            let tenant = text(&job["metadata"]["namespace"]);
            let uid = text(&job["metadata"]["uid"]);
            let key = text(&job["metadata"]["annotations"]["escale.dev/hook-key"]);
            if has(&job, "Complete") {
                wrong.extend(self.succeeds(&tenant, key, uid));
            } else if !has(&job, "Failed") {
                active
                    .entry(tenant)
                    .or_default()
                    .push(text(&job["metadata"]["name"]));
            }
        }
        let twice = active.into_iter().filter(|(_, jobs)| jobs.len() > 1);
        wrong.extend(
            twice.map(|(tenant, jobs)| format!("`{tenant}` has {} at once", jobs.join(" and "))),
        );
        wrong.retain(|line| self.told.insert(line.clone()));
        wrong
    }

    fn is_any_news(&mut self, sims: &BTreeMap<String, SimCluster>) -> bool {
        let mut is_any = false;
        for (cluster, sim) in sims {
            let read = self.read.entry(cluster.clone()).or_default();
            let (written, version) = sim.objects_since("jobs.batch", *read);
            *read = version;
            is_any |= !written.is_empty();
        }
        is_any
    }

    fn succeeds(&mut self, tenant: &str, key: String, uid: String) -> Option<String> {
        let all = self.succeeded.entry(tenant.to_owned()).or_default();
        if all.iter().any(|(_, known)| *known == uid) {
            return None;
        }
        let again = all.last().is_some_and(|(last, _)| *last == key);
        let why = again.then(|| format!("the hook of `{tenant}` ran again for {key}"));
        all.push((key, uid));
        why
    }

    /// Whether the hook of a release, by the tag of its image, has succeeded.
    pub fn has_succeeded(&self, tenant: &str, tag: &str) -> bool {
        let all = self.succeeded.get(tenant);
        all.is_some_and(|all| all.iter().any(|(key, _)| key.ends_with(&format!(":{tag}"))))
    }
}

fn has(job: &Value, kind: &str) -> bool {
    let conditions = job["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
