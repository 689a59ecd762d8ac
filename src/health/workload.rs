//! A workload judged with what it owns: ReplicaSets and pods.

use jiff::Timestamp;

use crate::health::judge::{not_judgeable, rule};
use crate::health::kinds::{lacks_pods, refused};
use crate::health::reading::Reading;
use crate::health::revision::newest;
use crate::health::stuck::pods_in_the_way;
use crate::health::tolerance::{Moment, Tolerance};
use crate::health::troubles::Troubles;
use crate::health::verdict::{Culprit, Finding, ObjectHealth, Verdict};
use crate::manifest::Live;

/// What is known around a workload when it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Pods of its namespace at least; those of others are left aside.
    pub pods: &'a [Live],
    pub replica_sets: &'a [Live],
    /// Our last write to the workload, if we wrote to it in this rollout.
    pub written_at: Option<Timestamp>,
    pub now: Timestamp,
    pub tolerance: Tolerance,
}

impl Surroundings<'_> {
    pub(super) fn moment(&self) -> Moment {
        Moment {
            now: self.now,
            written_at: self.written_at,
            tolerance: self.tolerance,
        }
    }
}

/// Judges an object with what it owns; kinds that own no pods are judged by themselves.
pub fn judge_workload(live: &Live, surroundings: &Surroundings) -> ObjectHealth {
    let by_itself = rule(live, &surroundings.moment());
    let is_about_pods = matches!(by_itself.verdict, Verdict::Progressing | Verdict::Failed)
        && not_judgeable(Reading::of(live)).is_none();
    let finding = if is_about_pods {
        with_pods(by_itself, live, surroundings)
    } else {
        by_itself
    };
    finding.on(live.object())
}

/// Explains what is wrong by what is known of the pods, or of their absence.
fn with_pods(by_itself: Finding, live: &Live, surroundings: &Surroundings) -> Finding {
    let moment = surroundings.moment();
    let newest = newest(live, surroundings);
    let troubles = Troubles::among(live, &newest.pods, &moment);
    let cause = troubles
        .doom()
        .or_else(|| pods_refused(live, newest.replica_set, &moment))
        .or_else(|| troubles.delay())
        .or_else(|| update_blocked(live, surroundings));
    match cause {
        None => by_itself,
        Some(cause) if by_itself.verdict != cause.verdict && cause.verdict == Verdict::Failed => {
            cause
        }
        // A ReplicaSet that is refused its pods has said so itself.
        Some(cause) if by_itself.message == cause.message => cause,
        Some(cause) => Finding {
            message: format!("{}; {}", by_itself.message, cause.message),
            culprit: cause.culprit,
            ..by_itself
        },
    }
}

/// What the API server says of the pods that it refuses: there are none to ask.
fn pods_refused(live: &Live, set: Option<&Live>, moment: &Moment) -> Option<Finding> {
    [set, Some(live)].into_iter().flatten().find_map(|object| {
        let reading = Reading::of(object);
        let failure = reading.condition("ReplicaFailure")?;
        failure.is_true().then(|| {
            let mut finding = refused(failure, lacks_pods(reading), moment);
            finding.culprit = Some(Culprit {
                object: object.object().clone(),
                container: None,
                reason: failure.reason().to_owned(),
                message: finding.message.clone(),
            });
            finding
        })
    })
}

/// An old pod that never gets ready blocks an update for ever; nobody but a person or a
/// rollback takes it away.
fn update_blocked(live: &Live, surroundings: &Surroundings) -> Option<Finding> {
    let pod = pods_in_the_way(live, surroundings).into_iter().next()?;
    let message = format!(
        "pod `{}` of the old revision is in the way of the update: {}",
        pod.object.name, pod.message
    );
    let mut finding = Finding::progressing("OldPodInTheWay", message.clone());
    finding.culprit = Some(Culprit {
        object: pod.object,
        container: None,
        reason: pod.reason,
        message,
    });
    Some(finding)
}
