//! Whether tenants have all the pods that they want: what is true on the simulated clusters, whatever anybody believes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::manifest::ObjectRef;
use crate::record::PackedBundle;
use crate::rollout::Plan;
use crate::sim::SimCluster;

use super::today::Today;

/// The workloads of every tenant of a plan that ran something before: who is new has nobody to miss it.
pub struct Pods(BTreeMap<String, Workloads>);

struct Workloads {
    cluster: String,
    objects: Vec<ObjectRef>,
}

impl Pods {
    pub fn of(plan: &Plan, today: &Today) -> Self {
        let workloads = plan.tenants().filter_map(|(_, planned)| {
            let place = &planned.place;
            let objects = today.bundle(&place.tenant).map(PackedBundle::objects)?;
            let objects = objects.iter().filter(|object| resource(object).is_some());
            let workloads = Workloads {
                cluster: place.cluster.clone(),
                objects: objects.cloned().collect(),
            };
            Some((place.tenant.clone(), workloads))
        });
        Self(workloads.collect())
    }

    /// Who of these has fewer pods available than it wants.
    pub fn short(
        &self,
        tenants: &BTreeSet<String>,
        sims: &BTreeMap<String, SimCluster>,
    ) -> BTreeSet<String> {
        let is_short = |tenant: &&String| {
            self.0.get(*tenant).is_some_and(|workloads| {
                let sim = &sims[&workloads.cluster];
                workloads.objects.iter().any(|object| {
                    let namespace = object.namespace.as_deref();
                    let found = resource(object)
                        .and_then(|resource| sim.object(resource, namespace, &object.name));
                    found.is_some_and(|found| lacks_pods(&found))
                })
            })
        };
        tenants.iter().filter(is_short).cloned().collect()
    }
}

fn resource(object: &ObjectRef) -> Option<&'static str> {
    match object.kind.as_str() {
        "Deployment" => Some("deployments.apps"),
        "StatefulSet" => Some("statefulsets.apps"),
        "DaemonSet" => Some("daemonsets.apps"),
        _ => None,
    }
}

fn lacks_pods(workload: &Value) -> bool {
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let status = &workload["status"];
    if workload["kind"] == "DaemonSet" {
        return count(&status["numberAvailable"]) < count(&status["desiredNumberScheduled"]);
    }
    count(&status["availableReplicas"]) < count(&workload["spec"]["replicas"])
}
