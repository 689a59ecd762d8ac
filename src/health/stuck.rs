//! Pods that keep a StatefulSet from being mended.
//!
//! Its controller waits for every pod to become ready before it replaces the next one, also for
//! a pod of a revision that never will (kubernetes#67250). A rollback has to take such a pod
//! out of the way; the controller then makes it anew, of the wanted revision.

use crate::health::judge::not_judgeable;
use crate::health::ownership::controls;
use crate::health::pod::{Crashes, Prospect, Trouble, prospect};
use crate::health::reading::Reading;
use crate::health::revision::HASH;
use crate::health::tolerance::Moment;
use crate::health::workload::Surroundings;
use crate::manifest::{Live, ObjectRef};

/// A pod to delete, so that an update can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodInTheWay {
    pub object: ObjectRef,
    /// The precondition of the delete.
    pub uid: String,
    pub reason: String,
    pub message: String,
}

/// The pods of an older revision that do not get ready and keep a StatefulSet from updating them.
pub fn pods_in_the_way(live: &Live, surroundings: &Surroundings) -> Vec<PodInTheWay> {
    let reading = Reading::of(live);
    let revision = reading.text("/status/updateRevision");
    if live.object().kind != "StatefulSet"
        || revision.is_empty()
        || reading.text("/spec/updateStrategy/type") == "OnDelete"
        || not_judgeable(reading).is_some()
    {
        return Vec::new();
    }
    let partition = reading.integer("/spec/updateStrategy/rollingUpdate/partition");
    let moment = surroundings.moment();
    let is_old = |pod: &&Live| {
        pod.label(HASH).is_some_and(|of_pod| of_pod != revision)
            && ordinal(pod) >= partition.unwrap_or_default()
    };
    let pods = surroundings.pods.iter();
    pods.filter(|pod| !pod.is_terminating() && controls(live, pod))
        .filter(is_old)
        .filter_map(|pod| in_the_way(pod, &moment))
        .collect()
}

fn in_the_way(pod: &Live, moment: &Moment) -> Option<PodInTheWay> {
    let trouble = match prospect(pod, moment, Crashes::Count) {
        Prospect::Doomed(trouble) => trouble,
        Prospect::Waiting(trouble) if is_overdue(pod, moment) => trouble,
        Prospect::Waiting(_) | Prospect::Fine => return None,
    };
    let Trouble {
        reason, message, ..
    } = trouble;
    Some(PodInTheWay {
        object: pod.object().clone(),
        uid: pod.uid().to_owned(),
        reason,
        message,
    })
}

/// Time enough to become ready has passed, since our write too.
fn is_overdue(pod: &Live, moment: &Moment) -> bool {
    moment.lasting(Reading::of(pod).created_at()) >= moment.tolerance.crashing
}

/// `2` of `db-2`.
fn ordinal(pod: &Live) -> i64 {
    let (_, ordinal) = pod.object().name.rsplit_once('-').unwrap_or_default();
    ordinal.parse().unwrap_or_default()
}
