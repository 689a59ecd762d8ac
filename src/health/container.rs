//! One container of a pod: what it waits for, why it ended, whether that will change.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::health::pod::{Crashes, Trouble};
use crate::health::reading::time;
use crate::health::tolerance::Moment;
use crate::health::words::{counted, exit, shortened};

/// An entry of `containerStatuses` or `initContainerStatuses`, with what of its pod matters.
pub(super) struct Container<'a> {
    pub status: &'a Value,
    pub is_init: bool,
    /// When it could start, at the earliest.
    pub started_at: Option<Timestamp>,
    /// When its pod was made.
    pub created_at: Option<Timestamp>,
    pub restart_policy: &'a str,
}

/// What is wrong with a container, and whether it is doomed; `None` if nothing is known to be.
pub(super) fn container_trouble(
    container: &Container,
    moment: &Moment,
    crashes: Crashes,
) -> Option<(bool, Trouble)> {
    if let Some(message) = container.cannot_run() {
        return Some((true, container.trouble("ContainerCannotRun", &message)));
    }
    match container.waiting() {
        Some((reason, message)) => waiting_trouble(container, reason, message, moment, crashes),
        None if container.has_crashed() => Some(crash(container, "Error", moment, crashes)),
        None => None,
    }
}

fn waiting_trouble(
    container: &Container,
    reason: &str,
    message: &str,
    moment: &Moment,
    crashes: Crashes,
) -> Option<(bool, Trouble)> {
    let detail = shortened(message);
    let is_over = moment.lasting(container.started_at) >= moment.tolerance.pulling;
    let trouble =
        |is_doomed: bool, text: String| Some((is_doomed, container.trouble(reason, &text)));
    match reason {
        "" | "ContainerCreating" | "PodInitializing" => None,
        "CrashLoopBackOff" | "RunContainerError" => Some(crash(container, reason, moment, crashes)),
        "ErrImagePull" | "ImagePullBackOff" if is_not_found(message) => trouble(
            true,
            format!(
                "has an image that its registry does not have: {}",
                container.image()
            ),
        ),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ImageInspectError" => {
            trouble(
                is_over,
                format!("cannot pull its image {}: {detail}", container.image()),
            )
        }
        "InvalidImageName" => trouble(
            true,
            format!("has an image name that is none: {}", container.image()),
        ),
        "ErrImageNeverPull" => trouble(
            true,
            format!(
                "has an image that is not on its node and may not be pulled: {}",
                container.image()
            ),
        ),
        "CreateContainerConfigError" => trouble(
            !is_cache_lag(message),
            format!("cannot be configured: {detail}"),
        ),
        _ if reason.starts_with("Err")
            || reason.ends_with("Error")
            || reason.ends_with("BackOff") =>
        {
            trouble(is_over, format!("cannot start ({reason}): {detail}"))
        }
        _ => None,
    }
}

/// A crash is forgiven a few times: many applications crash until their database is there
/// (skaffold#5210). Restarts before our write are not held against it; they cannot be told
/// apart in the counter of an older pod, so there only time counts.
fn crash(
    container: &Container,
    reason: &str,
    moment: &Moment,
    crashes: Crashes,
) -> (bool, Trouble) {
    let tolerance = moment.tolerance;
    let restarts = container.restarts();
    let is_newer = container
        .created_at
        .is_none_or(|at| !moment.is_before_write(at));
    let lasting = moment
        .lasting(container.started_at)
        .saturating_sub(container.last_run());
    let is_over = (is_newer && restarts >= tolerance.restarts) || lasting >= tolerance.crashing;
    let how = match container.ended() {
        Some((code, reason)) => exit(code, reason),
        None => "exit code not known".to_owned(),
    };
    let text = format!("crashes ({how}); restarted {}", counted(restarts, "time"));
    (
        is_over && crashes == Crashes::Count,
        container.trouble(reason, &text),
    )
}

/// What registries say of a tag or repository that does not exist. A name server that does not
/// find the registry is trouble of another kind.
fn is_not_found(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    let says = |phrase: &str| message.contains(phrase);
    let is_of_network = says("no such host") || says("dial tcp") || says("lookup ");
    (says("not found") || says("manifest unknown") || says("name unknown")) && !is_of_network
}

/// The kubelet has not yet read the ConfigMaps and Secrets of a pod that is new to it.
fn is_cache_lag(message: &str) -> bool {
    message
        .split_once("failed to sync ")
        .is_some_and(|(_, rest)| rest.contains(" cache"))
}

impl<'a> Container<'a> {
    pub fn name(&self) -> &'a str {
        self.text("/name")
    }

    pub fn described(&self) -> String {
        let kind = if self.is_init {
            "init container"
        } else {
            "container"
        };
        format!("{kind} `{}`", self.name())
    }

    fn image(&self) -> String {
        format!("`{}`", self.text("/image"))
    }

    fn restarts(&self) -> i64 {
        self.status
            .get("restartCount")
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }

    fn waiting(&self) -> Option<(&'a str, &'a str)> {
        self.status.pointer("/state/waiting")?;
        Some((
            self.text("/state/waiting/reason"),
            self.text("/state/waiting/message"),
        ))
    }

    /// Exit code and reason of its last end.
    pub fn ended(&self) -> Option<(i64, &'a str)> {
        let terminated = self.terminated()?;
        let reason = terminated.get("reason").and_then(Value::as_str);
        Some((
            terminated.get("exitCode")?.as_i64()?,
            reason.unwrap_or_default(),
        ))
    }

    fn terminated(&self) -> Option<&'a Value> {
        let ends = ["/state/terminated", "/lastState/terminated"];
        let mut ends = ends
            .iter()
            .filter_map(|pointer| self.status.pointer(pointer));
        ends.find(|end| end.is_object())
    }

    /// How long it ran before it ended last.
    fn last_run(&self) -> SignedDuration {
        let at = |field| time(self.terminated()?.get(field));
        match (at("startedAt"), at("finishedAt")) {
            (Some(start), Some(end)) if end > start => end.duration_since(start),
            _ => SignedDuration::ZERO,
        }
    }

    /// Whether it has ended and will be started again.
    fn has_crashed(&self) -> bool {
        let Some(code) = self
            .status
            .pointer("/state/terminated/exitCode")
            .and_then(Value::as_i64)
        else {
            return false;
        };
        let is_server = !self.is_init && matches!(self.restart_policy, "" | "Always");
        code != 0 || is_server
    }

    /// The runtime could not start it. Exit code 128 is trouble of the node (krane).
    fn cannot_run(&self) -> Option<String> {
        let end = self.terminated()?;
        let (code, reason) = self.ended()?;
        (reason == "ContainerCannotRun" && code != 128).then(|| {
            let message = end
                .get("message")
                .and_then(Value::as_str)
                .unwrap_or_default();
            format!(
                "cannot run ({}): {}",
                exit(code, reason),
                shortened(message)
            )
        })
    }

    pub fn is_running_unready(&self) -> bool {
        let is_running = self.status.pointer("/state/running").is_some();
        is_running && self.status.get("ready").and_then(Value::as_bool) != Some(true)
    }

    fn trouble(&self, reason: &str, text: &str) -> Trouble {
        Trouble::new(
            Some(self.name()),
            reason,
            format!("{} {text}", self.described()),
        )
    }

    fn text(&self, pointer: &str) -> &'a str {
        self.status
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}
