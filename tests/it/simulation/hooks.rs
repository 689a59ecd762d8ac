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
        let mut wrong = Vec::new();
        for (cluster, sim) in sims {
            let read = self.read.entry(cluster.clone()).or_default();
            let (written, version) = sim.objects_since("jobs.batch", *read);
            *read = version;
            for job in written.iter().filter(|job| has(job, "Complete")) {
                let tenant = text(&job["metadata"]["namespace"]);
                let uid = text(&job["metadata"]["uid"]);
                let key = text(&job["metadata"]["annotations"]["escale.dev/hook-key"]);
                wrong.extend(self.succeeds(&tenant, key, uid));
            }
            if written.iter().any(is_under_way) {
                wrong.extend(at_once(sim));
            }
        }
        wrong.retain(|line| self.told.insert(line.clone()));
        wrong
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

/// The tenants of a cluster that have more than one run under way.
fn at_once(sim: &SimCluster) -> Vec<String> {
    let mut active: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for job in sim
        .objects("jobs.batch")
        .iter()
        .filter(|job| is_under_way(job))
    {
        let jobs = active
            .entry(text(&job["metadata"]["namespace"]))
            .or_default();
        jobs.push(text(&job["metadata"]["name"]));
    }
    let twice = active.into_iter().filter(|(_, jobs)| jobs.len() > 1);
    let lines =
        twice.map(|(tenant, jobs)| format!("`{tenant}` has {} at once", jobs.join(" and ")));
    lines.collect()
}

fn is_under_way(job: &Value) -> bool {
    !has(job, "Complete") && !has(job, "Failed")
}

fn has(job: &Value, kind: &str) -> bool {
    let conditions = job["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
