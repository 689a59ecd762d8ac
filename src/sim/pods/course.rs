//! Where a pod stands after a time on its node: a pure function of behaviour and time.

use std::time::Duration;

use crate::sim::behaviour::{Behaviour, Conduct};
use crate::sim::view::View;

/// Where a pod stands, and when that changes (counted from its binding); `None` if it stays so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    pub containers: Containers,
    pub restarts: u32,
    pub next: Option<Duration>,
}

/// What all containers of a pod do: they do it together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Containers {
    Creating,
    Running {
        is_ready: bool,
    },
    /// Ended, and will be started again.
    BackingOff {
        code: i32,
    },
    PullFailed {
        is_backing_off: bool,
    },
    /// Ended for good.
    Ended {
        code: i32,
    },
}

/// Making containers takes this long.
const STARTING: Duration = Duration::from_millis(800);
/// A container that crashes lives this long.
const CRASHING: Duration = Duration::from_secs(1);
/// The kubelet's back-off: doubled from the first to the last.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LAST_BACKOFF: Duration = Duration::from_mins(5);
/// How long the error of a pull is shown before it becomes a back-off.
const PULL_ERROR: Duration = Duration::from_secs(5);

impl Course {
    pub fn of(pod: &View, behaviour: Behaviour, elapsed: Duration) -> Self {
        if elapsed < STARTING {
            return Self::new(Containers::Creating, Some(STARTING));
        }
        match behaviour {
            Behaviour::Ready { after } if elapsed < after => {
                Self::new(Containers::Running { is_ready: false }, Some(after))
            }
            // Who is told late that no node takes it stays where it is.
            Behaviour::Ready { .. } | Behaviour::Unschedulable => {
                Self::new(Containers::Running { is_ready: true }, None)
            }
            Behaviour::NeverReady => Self::new(Containers::Running { is_ready: false }, None),
            Behaviour::Crash { healthy } => crash(pod, healthy, elapsed),
            Behaviour::PullError => pull(elapsed),
            Behaviour::Exit { after, .. } if elapsed < after.max(STARTING) => {
                Self::new(Containers::Running { is_ready: true }, Some(after))
            }
            Behaviour::Exit { code, after } => exit(pod, code, after.max(STARTING), elapsed),
        }
    }

    /// What the kubelet warns of.
    pub fn complaint(&self, pod: &View, conduct: &Conduct) -> Option<(&'static str, String)> {
        let containers = pod.of_pod("containers").as_array()?;
        let container = containers
            .iter()
            .find(|container| conduct.is_culprit(container))?;
        let text = |key: &str| container[key].as_str().unwrap_or_default();
        match self.containers {
            Containers::BackingOff { .. } => Some((
                "BackOff",
                format!(
                    "Back-off restarting failed container {} in pod {}",
                    text("name"),
                    pod["metadata"]["name"]
                ),
            )),
            Containers::PullFailed { .. } => Some(("Failed", pull_message(text("image")))),
            Containers::Running { is_ready: false } if self.next.is_none() => Some((
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 503".to_owned(),
            )),
            _ => None,
        }
    }

    /// What a container does that has no part in how its pod behaves.
    pub fn of_bystander(&self) -> Self {
        let containers = match self.containers {
            Containers::Creating => Containers::Creating,
            Containers::Ended { .. } => Containers::Ended { code: 0 },
            Containers::Running { .. }
            | Containers::BackingOff { .. }
            | Containers::PullFailed { .. } => Containers::Running { is_ready: true },
        };
        Self::new(containers, None)
    }

    fn new(containers: Containers, next: Option<Duration>) -> Self {
        Self {
            containers,
            restarts: 0,
            next,
        }
    }
}

/// What the runtime says of an image that is not there.
pub fn pull_message(image: &str) -> String {
    format!(
        "Failed to pull image \"{image}\": rpc error: code = NotFound desc = failed to pull and unpack image \
         \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
    )
}

/// Well for a time, then down; up for a moment and down again, with longer and longer waits.
fn crash(pod: &View, healthy: Duration, elapsed: Duration) -> Course {
    if pod.of_pod("restartPolicy") == "Never" {
        return exit(pod, 1, healthy.max(STARTING) + CRASHING, elapsed);
    }
    let first = STARTING + healthy;
    if elapsed < first {
        return Course::new(Containers::Running { is_ready: true }, Some(first));
    }
    loops(1, elapsed, first)
}

/// Up for a moment, then down with this code for longer and longer.
fn loops(code: i32, elapsed: Duration, first: Duration) -> Course {
    let mut from = first;
    let mut backoff = FIRST_BACKOFF;
    let mut restarts = 0;
    loop {
        let down = from + CRASHING;
        let up = down + backoff;
        if elapsed < down {
            return Course {
                containers: Containers::Running { is_ready: false },
                restarts,
                next: Some(down),
            };
        }
        restarts += 1;
        if elapsed < up {
            return Course {
                containers: Containers::BackingOff { code },
                restarts,
                next: Some(up),
            };
        }
        from = up;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
}

/// The error first, then a back-off, again and again.
fn pull(elapsed: Duration) -> Course {
    let mut from = STARTING;
    let mut backoff = FIRST_BACKOFF;
    loop {
        let shown = from + PULL_ERROR;
        let again = shown + backoff;
        if elapsed < shown {
            return Course::new(
                Containers::PullFailed {
                    is_backing_off: false,
                },
                Some(shown),
            );
        }
        if elapsed < again {
            return Course::new(
                Containers::PullFailed {
                    is_backing_off: true,
                },
                Some(again),
            );
        }
        from = again;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
}

/// Ends once; what may be restarted and failed is.
fn exit(pod: &View, code: i32, after: Duration, elapsed: Duration) -> Course {
    let policy = pod.of_pod("restartPolicy").as_str();
    if code == 0 && policy.is_none_or(|policy| policy == "Always") {
        return Course::new(Containers::Running { is_ready: true }, None);
    }
    let is_restarted = policy.is_none_or(|policy| policy == "Always")
        || (code != 0 && policy == Some("OnFailure"));
    if is_restarted {
        return loops(code, elapsed, after);
    }
    if elapsed < after {
        return Course::new(Containers::Running { is_ready: true }, Some(after));
    }
    Course::new(Containers::Ended { code }, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(behaviour: Behaviour, seconds: u64) -> Course {
        let pod = json!({"spec": {"restartPolicy": "Always"}}).into();
        Course::of(&pod, behaviour, Duration::from_secs(seconds))
    }

    #[test]
    fn a_crashing_pod_backs_off_longer_and_longer() {
        let crash = Behaviour::Crash {
            healthy: Duration::from_mins(2),
        };
        assert_eq!(
            at(crash, 60).containers,
            Containers::Running { is_ready: true }
        );
        assert_eq!(
            at(crash, 125).containers,
            Containers::BackingOff { code: 1 }
        );
        assert_eq!(at(crash, 125).restarts, 1);
        let later = at(crash, 140);
        assert_eq!(
            (later.containers, later.restarts),
            (Containers::BackingOff { code: 1 }, 2)
        );
    }

    #[test]
    fn a_missing_image_shows_its_error_between_back_offs() {
        let shown = |seconds| at(Behaviour::PullError, seconds).containers;
        assert_eq!(
            shown(2),
            Containers::PullFailed {
                is_backing_off: false
            }
        );
        assert_eq!(
            shown(10),
            Containers::PullFailed {
                is_backing_off: true
            }
        );
        assert_eq!(
            shown(17),
            Containers::PullFailed {
                is_backing_off: false
            }
        );
    }

    #[test]
    fn every_course_says_when_it_changes_or_stays() {
        let ready = Behaviour::Ready {
            after: Duration::from_secs(5),
        };
        assert_eq!(at(ready, 0).next, Some(STARTING));
        assert_eq!(at(ready, 2).next, Some(Duration::from_secs(5)));
        assert_eq!(at(ready, 5).next, None);
        assert_eq!(at(Behaviour::NeverReady, 500).next, None);
    }
}
