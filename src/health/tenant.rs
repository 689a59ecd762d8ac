//! A tenant: all objects that we want there, against what was observed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::health::kinds::{PAUSED_BEHIND, is_built_in};
use crate::health::reading::Reading;
use crate::health::tolerance::Tolerance;
use crate::health::verdict::{Finding, ObjectHealth, Verdict};
use crate::health::words::counted;
use crate::health::workload::{Surroundings, judge_workload};
use crate::manifest::{Live, ObjectRef};

/// One object that should be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub object: ObjectRef,
    /// As answered to our write; `None` where generations are not counted or nothing was written.
    pub generation: Option<i64>,
    pub uid: Option<String>,
    /// Hash of what we own of its pod template since our write; `None` if there is none, or nothing was written.
    pub template: Option<String>,
    /// Who changed the pod template since.
    pub changed_by: Option<String>,
    /// Our last write to it in this rollout; `None` if it was skipped.
    pub written_at: Option<Timestamp>,
    /// We saw this `Job` complete before: its absence means that its time to live ended.
    pub completed: bool,
}

impl Wanted {
    /// An object that was not written in this rollout.
    pub fn unwritten(object: ObjectRef) -> Self {
        Self {
            object,
            generation: None,
            template: None,
            changed_by: None,
            uid: None,
            written_at: None,
            completed: false,
        }
    }

    /// An object that was read and left as it is, because its pod template stands as wanted: whoever changes it later is
    /// noticed. `None` if we own nothing of a template.
    pub fn standing(live: &Live) -> Option<Self> {
        let template = live.owned_template()?;
        Some(Self {
            generation: live.generation(),
            template: Some(template),
            ..Self::unwritten(live.object().clone())
        })
    }

    /// Whether something of the specification was changed since our write. Replicas count too, so that this alone says
    /// little.
    pub fn is_older_than(&self, live: &Live) -> bool {
        let (written, seen) = (self.generation, live.generation());
        written
            .zip(seen)
            .is_some_and(|(written, seen)| written < seen)
    }

    /// Who changed the pod template since our write, by the object read whole.
    pub fn changed_by(&self, live: &Live) -> Option<String> {
        let is_same = self.template.is_none() || self.template == live.owned_template();
        (!is_same).then(|| match live.other_owners_of_template().as_slice() {
            [] => "somebody".to_owned(),
            owners => format!("`{}`", owners.join("`, `")),
        })
    }
}

/// What is wanted in one tenant and what was found there, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    pub wanted: &'a [Wanted],
    /// At least the objects for which `must_be_observed` says so; others are judged if given.
    pub found: &'a [Live],
    pub pods: &'a [Live],
    pub replica_sets: &'a [Live],
    /// When the lists were *asked for*: what was written later is not judged by them.
    pub now: Timestamp,
    pub tolerance: Tolerance,
}

/// The verdict on a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantHealth {
    pub verdict: Verdict,
    /// Those that are not healthy first, the worst of them first of all.
    pub objects: Vec<ObjectHealth>,
    /// One line: what to look at first.
    pub headline: String,
}

/// Whether a wanted object must be among the found ones for a tenant to be judged. The others
/// have no status that a rule reads: they are there since the API server accepted them.
pub fn must_be_observed(object: &ObjectRef) -> bool {
    match (object.group(), object.kind.as_str()) {
        ("apps" | "extensions", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch", "Job")
        | ("", "Pod" | "PersistentVolumeClaim")
        | ("autoscaling", "HorizontalPodAutoscaler")
        | ("apiextensions.k8s.io", "CustomResourceDefinition")
        | ("apiregistration.k8s.io", "APIService") => true,
        (group, _) => !is_built_in(group),
    }
}

/// Judges everything that is wanted in a tenant.
pub fn judge_tenant(observation: &Observation) -> TenantHealth {
    let mut objects: Vec<ObjectHealth> = observation
        .wanted
        .iter()
        .filter_map(|wanted| judge_wanted(wanted, observation))
        .collect();
    objects.sort_by_key(|health| (weight(health), health.culprit.is_none()));
    let verdict = match objects.first() {
        // Nothing wanted is nothing seen: it must not pass for success.
        None if observation.wanted.is_empty() => Verdict::Unknown,
        None => Verdict::Healthy,
        Some(worst) => overall(worst),
    };
    TenantHealth {
        verdict,
        headline: headline(&objects),
        objects,
    }
}

/// Judges one wanted object; `None` if it is of a kind that is not looked at and was not given.
fn judge_wanted(wanted: &Wanted, observation: &Observation) -> Option<ObjectHealth> {
    let found = observation
        .found
        .iter()
        .find(|live| live.object().is_same(&wanted.object));
    let Some(live) = found else {
        return must_be_observed(&wanted.object)
            .then(|| missing(wanted, observation).on(&wanted.object));
    };
    if let Some(other) = not_what_was_written(live, wanted, observation) {
        return Some(other.on(&wanted.object));
    }
    let surroundings = Surroundings {
        pods: observation.pods,
        replica_sets: observation.replica_sets,
        written_at: wanted.written_at,
        now: observation.now,
        tolerance: observation.tolerance,
    };
    if waits_for_consumer(live, observation.pods) {
        let message = "waits for the first pod that mounts it (WaitForFirstConsumer)";
        return Some(Finding::healthy("WaitsForConsumer", message).on(&wanted.object));
    }
    Some(judge_workload(live, &surroundings))
}

/// A pending claim that no pod mounts keeps nothing from running: many storage classes make
/// the volume only where its first pod is.
fn waits_for_consumer(live: &Live, pods: &[Live]) -> bool {
    let object = live.object();
    let reading = Reading::of(live);
    let mounts = |pod: &&Live| {
        let volumes = Reading::of(pod).items("/spec/volumes").iter();
        let mut claims = volumes.map(|volume| &volume["persistentVolumeClaim"]["claimName"]);
        pod.object().namespace == object.namespace && claims.any(|claim| *claim == *object.name)
    };
    object.kind == "PersistentVolumeClaim"
        && reading.text("/status/phase") == "Pending"
        && !live.is_terminating()
        && !pods.iter().any(|pod| mounts(&pod))
}

fn missing(wanted: &Wanted, observation: &Observation) -> Finding {
    if wanted.completed {
        return Finding::healthy("Complete", "has completed and is gone since");
    }
    if is_within_grace(wanted, observation) {
        return Finding::unknown("NotSeenYet", "was written and is not in the list yet");
    }
    Finding::failed("NotFound", "does not exist")
}

/// Why an object of that name is not the one that we wrote, or not yet.
fn not_what_was_written(
    live: &Live,
    wanted: &Wanted,
    observation: &Observation,
) -> Option<Finding> {
    if wanted
        .written_at
        .is_some_and(|written_at| observation.now < written_at)
    {
        return Some(Finding::unknown(
            "SeenBeforeWrite",
            "was looked at before it was written",
        ));
    }
    let is_replaced = wanted.uid.as_deref().is_some_and(|uid| uid != live.uid());
    if is_replaced && is_within_grace(wanted, observation) {
        return Some(Finding::unknown(
            "NotSeenYet",
            "an older object of this name is in the list",
        ));
    }
    if is_replaced {
        let message = "was deleted and made again by somebody else since we wrote it";
        return Some(Finding::failed("Replaced", message));
    }
    if let Some(by) = &wanted.changed_by {
        let message = format!("its pod template is not as we wrote it: {by} changed it since");
        return Some(Finding::failed("Changed", message));
    }
    let (written, seen) = (wanted.generation?, live.generation()?);
    (seen < written).then(|| {
        let message = format!("generation {seen} was seen, {written} was written");
        Finding::unknown("SeenBeforeWrite", message)
    })
}

/// A list may be answered from a cache that is a little behind our write.
fn is_within_grace(wanted: &Wanted, observation: &Observation) -> bool {
    wanted.written_at.is_some_and(|written_at| {
        observation.now.duration_since(written_at) < observation.tolerance.grace
    })
}

/// The worst first.
fn weight(health: &ObjectHealth) -> u8 {
    match health.verdict {
        Verdict::Failed => 0,
        Verdict::Suspended if health.reason == PAUSED_BEHIND => 0,
        Verdict::Unknown => 1,
        Verdict::Progressing => 2,
        Verdict::Suspended => 3,
        Verdict::Healthy => 4,
    }
}

/// What is suspended on purpose is in nobody's way; but a paused Deployment that does not run
/// what was written keeps the release from its tenant, and waiting does not change that.
fn overall(worst: &ObjectHealth) -> Verdict {
    match worst.verdict {
        Verdict::Suspended if worst.reason == PAUSED_BEHIND => Verdict::Failed,
        Verdict::Suspended => Verdict::Healthy,
        verdict => verdict,
    }
}

fn headline(objects: &[ObjectHealth]) -> String {
    let in_the_way = objects.iter().filter(|health| weight(health) < 3).count();
    match (objects.first(), in_the_way) {
        (None, _) => "nothing to judge".to_owned(),
        (Some(_), 0) => format!("{} healthy", counted(objects.len(), "object")),
        (Some(worst), 1) => worst.to_string(),
        (Some(worst), more) => format!("{worst} (and {} more)", more - 1),
    }
}
