//! One pod: will it get well by itself?
//!
//! The conditions from which a pod does not recover are krane's
//! (`lib/krane/kubernetes_resource/pod.rb`), with the tolerances of `docs/health.md`.

use jiff::Timestamp;

use crate::health::container::{Container, container_trouble};
use crate::health::reading::{Condition, Reading};
use crate::health::tolerance::Moment;
use crate::health::verdict::{Culprit, Finding};
use crate::health::words::exit;
use crate::manifest::Live;

/// What becomes of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prospect {
    /// Ready, or done.
    Fine,
    /// Not ready, and nothing says that it will not be.
    Waiting(Trouble),
    /// Does not recover by itself.
    Doomed(Trouble),
}

/// What keeps a pod from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub container: Option<String>,
    pub reason: String,
    /// Begins with what is troubled: `container `php` crashes …`, `finds no node …`.
    pub message: String,
}

/// Who restarts the containers of a pod, and how often that is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crashes {
    /// A server: a few crashes are forgiven, more are not.
    Count,
    /// A Job counts them itself (`backoffLimit`).
    AreCountedElsewhere,
}

impl Trouble {
    pub fn new(container: Option<&str>, reason: &str, message: String) -> Self {
        Self {
            container: container.map(str::to_owned),
            reason: reason.to_owned(),
            message,
        }
    }

    pub fn of(&self, pod: &Live) -> Culprit {
        Culprit {
            object: pod.object().clone(),
            container: self.container.clone(),
            reason: self.reason.clone(),
            message: self.message.clone(),
        }
    }
}

/// The rule for a pod that nobody else looks after.
pub(super) fn rule(reading: Reading, moment: &Moment) -> Finding {
    let phase = reading.text("/status/phase");
    let runs_for_ever = matches!(reading.text("/spec/restartPolicy"), "" | "Always");
    match prospect(reading.live, moment, Crashes::Count) {
        // Nobody makes a new one, whatever the reason.
        _ if phase == "Failed" => Finding::failed("Failed", failed_message(reading)),
        Prospect::Fine if phase == "Succeeded" => Finding::healthy("Succeeded", "has completed"),
        Prospect::Fine if runs_for_ever => Finding::healthy("Ready", "is ready"),
        Prospect::Fine => Finding::progressing("Running", "runs to its end"),
        Prospect::Waiting(trouble) => Finding::progressing(&trouble.reason, trouble.message),
        Prospect::Doomed(trouble) => Finding::failed(&trouble.reason, trouble.message),
    }
}

/// Whether a pod gets well by itself.
pub(super) fn prospect(pod: &Live, moment: &Moment, crashes: Crashes) -> Prospect {
    let reading = Reading::of(pod);
    match reading.text("/status/phase") {
        "Succeeded" => return Prospect::Fine,
        "Failed" => return of_failed(reading, crashes),
        _ => {}
    }
    if reading.condition("Ready").is_some_and(Condition::is_true) {
        return Prospect::Fine;
    }
    let mut troubles = containers(reading)
        .filter_map(|container| container_trouble(&container, moment, crashes))
        .collect::<Vec<_>>();
    troubles.sort_by_key(|(is_doomed, _)| !is_doomed);
    match troubles.into_iter().next() {
        Some((true, trouble)) => Prospect::Doomed(trouble),
        Some((false, trouble)) => Prospect::Waiting(trouble),
        None => {
            of_unscheduled(reading, moment).unwrap_or_else(|| Prospect::Waiting(not_ready(reading)))
        }
    }
}

fn containers(reading: Reading<'_>) -> impl Iterator<Item = Container<'_>> {
    let started_at = started_at(reading);
    let created_at = reading.created_at();
    let restart_policy = reading.text("/spec/restartPolicy");
    let with = move |is_init: bool| {
        move |status| Container {
            status,
            is_init,
            started_at,
            created_at,
            restart_policy,
        }
    };
    let init = reading.items("/status/initContainerStatuses").iter();
    let main = reading.items("/status/containerStatuses").iter();
    init.map(with(true)).chain(main.map(with(false)))
}

/// When the containers could start: waiting for a node or for init containers is not theirs.
fn started_at(reading: Reading) -> Option<Timestamp> {
    let since = |kind| {
        let condition = reading.condition(kind)?;
        condition.is_true().then(|| condition.changed_at())?
    };
    since("Initialized")
        .or_else(|| since("PodScheduled"))
        .or_else(|| reading.time("/status/startTime"))
        .or_else(|| reading.created_at())
}

/// A failed pod is replaced by its controller: doomed, but for what its node did to it.
fn of_failed(reading: Reading, crashes: Crashes) -> Prospect {
    let reason = reading.text("/status/reason");
    let trouble = Trouble::new(
        failed_container(reading).map(|(name, ..)| name),
        if reason.is_empty() { "Failed" } else { reason },
        failed_message(reading),
    );
    if is_of_node(reason) || crashes == Crashes::AreCountedElsewhere {
        Prospect::Waiting(trouble)
    } else {
        Prospect::Doomed(trouble)
    }
}

/// Reasons of a node, not of the pod: the kubelet evicted, preempted or refused it.
fn is_of_node(reason: &str) -> bool {
    matches!(
        reason,
        "Evicted"
            | "Preempting"
            | "Preempted"
            | "Terminated"
            | "NodeShutdown"
            | "Shutdown"
            | "NodeLost"
            | "NodeAffinity"
            | "UnexpectedAdmissionError"
    ) || reason.starts_with("OutOf")
}

fn failed_message(reading: Reading) -> String {
    let said = reading.text("/status/message");
    match (failed_container(reading), reading.text("/status/reason")) {
        (Some((name, code, reason)), _) => {
            format!("container `{name}` ended with {}", exit(code, reason))
        }
        (None, "") => "has failed".to_owned(),
        (None, reason) if said.is_empty() => format!("has failed ({reason})"),
        (None, reason) => format!("has failed ({reason}): {said}"),
    }
}

/// Name, exit code and reason of the first container that ended badly.
fn failed_container(reading: Reading<'_>) -> Option<(&str, i64, &str)> {
    containers(reading).find_map(|container| {
        let (code, reason) = container.ended()?;
        (code != 0).then(|| (container.name(), code, reason))
    })
}

fn of_unscheduled(reading: Reading, moment: &Moment) -> Option<Prospect> {
    let scheduled = reading
        .condition("PodScheduled")
        .filter(|it| it.is_false())?;
    let why = match scheduled.message() {
        "" => "the scheduler gives no reason",
        message => message,
    };
    let reason = match scheduled.reason() {
        "" => "Unschedulable",
        reason => reason,
    };
    let trouble = Trouble::new(None, reason, format!("finds no node: {why}"));
    let since = reading.created_at().max(scheduled.changed_at());
    // Gated pods wait for whoever set the gate, not for a node.
    let is_doomed =
        reason == "Unschedulable" && moment.lasting(since) >= moment.tolerance.unschedulable;
    Some(if is_doomed {
        Prospect::Doomed(trouble)
    } else {
        Prospect::Waiting(trouble)
    })
}

fn not_ready(reading: Reading) -> Trouble {
    let unready = containers(reading).find(Container::is_running_unready);
    if let Some(container) = unready {
        let what = container.described();
        let message = if container.is_init {
            format!("{what} has not finished yet")
        } else {
            format!("{what} runs and is not ready yet")
        };
        return Trouble::new(Some(container.name()), "NotReady", message);
    }
    match reading.text("/status/phase") {
        "Running" => Trouble::new(None, "NotReady", "runs and is not ready yet".to_owned()),
        _ => Trouble::new(None, "Pending", "its containers are being made".to_owned()),
    }
}
