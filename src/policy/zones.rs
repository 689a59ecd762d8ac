//! A class that promises several zones gets as many replicas, and a scheduler that keeps them apart.

use serde_json::Value;

use super::place;
use super::pods::pod_spec;
use crate::fleet::{Finding, Fleet, Tenant};
use crate::manifest::{Bundle, Manifest};

const ZONE: &str = "topology.kubernetes.io/zone";

pub fn check(fleet: &Fleet, tenant: &Tenant, bundle: &Bundle) -> Vec<Finding> {
    let class = fleet.class_of(tenant);
    let Some(zones) = class.and_then(|class| class.require.zones) else {
        return Vec::new();
    };
    let promise = format!(
        "class `{}` promises {zones} zones",
        tenant.class.as_deref().unwrap_or_default()
    );
    let workloads = bundle.manifests().iter();
    let workloads =
        workloads.filter(|manifest| matches!(manifest.kind(), "Deployment" | "StatefulSet"));
    let mut findings = Vec::new();
    for workload in workloads {
        let object = workload.object();
        let replicas = least_replicas(workload, bundle);
        if replicas < u64::from(zones) {
            let replicas = counted(replicas);
            let message = format!("`{object}` may have only {replicas}, and {promise}");
            let hint = format!("ask for at least {zones}, of its autoscaler too");
            findings.push(Finding::error(place(workload), message).hint(hint));
        }
        if !pod_spec(workload).is_some_and(|pod| is_kept_apart(pod, zones)) {
            let message = format!("the pods of `{object}` may share a zone, and {promise}");
            let hint = format!(
                "`topologySpreadConstraints` with `topologyKey: {ZONE}`, `whenUnsatisfiable: DoNotSchedule` and \
                 `minDomains: {zones}`"
            );
            findings.push(Finding::error(place(workload), message).hint(hint));
        }
    }
    findings
}

fn counted(replicas: u64) -> String {
    match replicas {
        1 => "1 replica".to_owned(),
        many => format!("{many} replicas"),
    }
}

/// What an autoscaler may go down to, or else what the workload asks for; one is the default of both.
fn least_replicas(workload: &Manifest, bundle: &Bundle) -> u64 {
    let of = |field: &Value| field.as_u64().unwrap_or(1);
    let scales = |manifest: &&Manifest| {
        let target = &manifest.value()["spec"]["scaleTargetRef"];
        manifest.kind() == "HorizontalPodAutoscaler"
            && target["kind"] == workload.kind()
            && target["name"] == workload.object().name.as_str()
    };
    match bundle.manifests().iter().find(scales) {
        Some(autoscaler) => of(&autoscaler.value()["spec"]["minReplicas"]),
        None => of(&workload.value()["spec"]["replicas"]),
    }
}

/// Without `minDomains` all pods may go to the only zone that has a node for them.
fn is_kept_apart(pod: &Value, zones: u32) -> bool {
    let spreads = |constraint: &Value| {
        let refuses = constraint["whenUnsatisfiable"] != "ScheduleAnyway";
        let domains = constraint["minDomains"].as_u64().unwrap_or_default();
        constraint["topologyKey"] == ZONE && refuses && u64::from(zones) <= domains
    };
    let repels = |term: &Value| term["topologyKey"] == ZONE;
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let any = |list: &Value, test: &dyn Fn(&Value) -> bool| {
        list.as_array().is_some_and(|list| list.iter().any(test))
    };
    any(&pod["topologySpreadConstraints"], &spreads)
        || any(&pod["affinity"]["podAntiAffinity"][required], &repels)
}
