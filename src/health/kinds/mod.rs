//! One rule per kind.

mod apis;
mod autoscaler;
mod controllers;
mod deployment;
mod generic;
mod jobs;
mod network;
mod storage;

pub(super) use controllers::{lacks_pods, refused};
pub(super) use deployment::PAUSED_BEHIND;
pub(super) use generic::is_built_in;

use crate::health::pod;
use crate::health::reading::Reading;
use crate::health::tolerance::Moment;
use crate::health::verdict::Finding;

pub(super) fn rule(reading: Reading, moment: &Moment) -> Finding {
    let object = reading.live.object();
    match (object.group(), object.kind.as_str()) {
        ("apps" | "extensions", "Deployment") => deployment::rule(reading, moment),
        ("apps" | "extensions", "ReplicaSet") => controllers::replica_set(reading, moment),
        ("apps", "StatefulSet") => controllers::stateful_set(reading),
        ("apps" | "extensions", "DaemonSet") => controllers::daemon_set(reading),
        ("batch", "Job") => jobs::job(reading),
        ("batch", "CronJob") => jobs::cron_job(reading),
        ("", "Pod") => pod::rule(reading, moment),
        ("", "PersistentVolumeClaim") => storage::claim(reading),
        ("", "Service") => network::service(reading),
        ("networking.k8s.io" | "extensions", "Ingress") => network::ingress(reading),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler::rule(reading, moment),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => apis::definition(reading),
        ("apiregistration.k8s.io", "APIService") => apis::service(reading),
        _ => generic::rule(reading, moment),
    }
}
