//! Which pods are of the revision that was written last. Only those are judged: old pods that
//! crash are what the new revision may be there to mend.

use crate::health::ownership::{controller, controls, selects};
use crate::health::reading::Reading;
use crate::health::workload::Surroundings;
use crate::manifest::Live;

const REVISION: &str = "deployment.kubernetes.io/revision";
pub(super) const HASH: &str = "controller-revision-hash";
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// What belongs to the newest revision of a workload.
#[derive(Default)]
pub(super) struct Newest<'a> {
    /// Without those that are being deleted.
    pub pods: Vec<&'a Live>,
    pub replica_set: Option<&'a Live>,
}

pub(super) fn newest<'a>(live: &Live, surroundings: &Surroundings<'a>) -> Newest<'a> {
    let pods = surroundings.pods.iter().filter(|pod| !pod.is_terminating());
    match live.object().kind.as_str() {
        "Deployment" => of_deployment(live, surroundings),
        "StatefulSet" => {
            let revision = Reading::of(live).text("/status/updateRevision");
            let is_new = |pod: &Live| !revision.is_empty() && pod.label(HASH) == Some(revision);
            Newest::pods(pods.filter(|pod| owns(live, pod) && is_new(pod)))
        }
        "DaemonSet" => Newest::pods(
            pods.filter(|pod| owns(live, pod) && is_of_template(live, pod, surroundings)),
        ),
        "ReplicaSet" | "Job" => Newest::pods(pods.filter(|pod| owns(live, pod))),
        _ => Newest::default(),
    }
}

impl<'a> Newest<'a> {
    fn pods(pods: impl Iterator<Item = &'a Live>) -> Self {
        Self {
            pods: pods.collect(),
            replica_set: None,
        }
    }
}

/// The ReplicaSet whose revision the Deployment names: a rollback re-uses an old one, so its
/// age says nothing.
fn of_deployment<'a>(live: &Live, surroundings: &Surroundings<'a>) -> Newest<'a> {
    let owned = surroundings
        .replica_sets
        .iter()
        .filter(|set| owns(live, set));
    let newest = match revision(live) {
        Some(wanted) => owned.into_iter().find(|set| revision(set) == Some(wanted)),
        None => owned.max_by_key(|set| revision(set)),
    };
    let pods = surroundings.pods.iter().filter(|pod| !pod.is_terminating());
    match newest {
        Some(set) => Newest {
            pods: pods.filter(|pod| owns(set, pod)).collect(),
            replica_set: Some(set),
        },
        None if surroundings.replica_sets.is_empty() && has_one_revision(live) => {
            Newest::pods(pods.filter(|pod| is_of_unseen_set(live, pod)))
        }
        None => Newest::default(),
    }
}

fn revision(live: &Live) -> Option<i64> {
    live.annotation(REVISION)?.parse().ok()
}

/// All pods that there are have the new template: no ReplicaSet is needed to tell them apart.
fn has_one_revision(live: &Live) -> bool {
    let reading = Reading::of(live);
    let replicas = reading.count("replicas");
    replicas > 0 && replicas == reading.count("updatedReplicas")
}

/// A pod in a file without ReplicaSets: its owner's name begins with that of the Deployment.
fn is_of_unseen_set(live: &Live, pod: &Live) -> bool {
    let owner = controller(pod).and_then(|owner| owner["name"].as_str());
    let prefix = format!("{}-", live.object().name);
    selects(live, pod) && owner.is_none_or(|owner| owner.starts_with(&prefix))
}

/// The API server counts the templates of a DaemonSet, its controller labels pods with the
/// count; where there is no count, a pod that was made after our write is new.
fn is_of_template(live: &Live, pod: &Live, surroundings: &Surroundings) -> bool {
    let of_pod = pod.label("pod-template-generation");
    if let (Some(newest), Some(of_pod)) = (live.annotation(TEMPLATE_GENERATION), of_pod) {
        newest == of_pod
    } else {
        let created_at = Reading::of(pod).created_at();
        created_at.is_some_and(|at| !surroundings.moment().is_before_write(at))
    }
}

/// By owner reference; by selector for what has no owner at all.
fn owns(owner: &Live, object: &Live) -> bool {
    match controller(object) {
        Some(_) => controls(owner, object),
        None => selects(owner, object),
    }
}
