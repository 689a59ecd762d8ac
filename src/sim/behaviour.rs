//! How the containers of a pod behave: said by an annotation, by the name of an image, or from outside.
//!
//! The words are shared with the kwok stages of the real control planes in `tests/controlplane`.

use std::time::Duration;

use serde_json::Value;

use super::random;

/// The annotation of a pod (template) that says how it behaves.
pub const ANNOTATION: &str = "sim.escale.dev/behaviour";

/// What a pod's containers do once it is bound to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Ready after this long.
    Ready { after: Duration },
    /// Runs, and its readiness probe never passes.
    NeverReady,
    /// Ready at once and well for this long, then exits with 1, again and again.
    Crash { healthy: Duration },
    /// Its image cannot be pulled.
    PullError,
    /// Ends with this code: for Jobs.
    Exit { code: i32, after: Duration },
}

/// Makes pods behave from outside, whatever they say themselves. Every condition that is given must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Part of an image reference of one of its containers.
    pub image: Option<String>,
    pub namespace: Option<String>,
    pub behaviour: Behaviour,
}

impl Behaviour {
    /// Reads `ready`, `slow`, `never-ready`, `crash`, `pull-error`, `ready-after=30s`, `crash-after=2m`, `exit=3`.
    pub fn from_word(word: &str) -> Option<Self> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let after = || duration(value);
        Some(match name {
            "slow" => Self::Ready { after: SLOW },
            "ready-after" => Self::Ready { after: after()? },
            "never-ready" => Self::NeverReady,
            "crash" => Self::Crash {
                healthy: Duration::ZERO,
            },
            "crash-after" => Self::Crash { healthy: after()? },
            "pull-error" => Self::PullError,
            "exit" => Self::Exit {
                code: value.parse().ok()?,
                after: JOB,
            },
            _ => return None,
        })
    }

    /// What the name of an image says: `web:1.2.3-crash`.
    pub fn from_image(image: &str) -> Option<Self> {
        let words = ["never-ready", "pull-error", "crash", "slow"];
        let word = words
            .iter()
            .find(|word| image.contains(&format!("-{word}")))?;
        Self::from_word(word)
    }

    /// How this pod behaves: rules first, the newest of them; then its annotation, its images, its kind.
    pub fn of(pod: &Value, rules: &[Rule], seed: u64) -> Self {
        let told = rules.iter().rev().find(|rule| rule.is_about(pod));
        let annotation = pod["metadata"]["annotations"][ANNOTATION].as_str();
        told.map(|rule| rule.behaviour)
            .or_else(|| annotation.and_then(Self::from_word))
            .or_else(|| images(pod).find_map(Self::from_image))
            .unwrap_or_else(|| Self::usual(pod, seed))
    }

    /// Pods that restart get ready in 2 to 8 seconds; others are done by then.
    fn usual(pod: &Value, seed: u64) -> Self {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        let after = Duration::from_millis(2000 + random::number(seed, &["ready", uid]) % 6000);
        match pod["spec"]["restartPolicy"].as_str() {
            Some("Never" | "OnFailure") => Self::Exit { code: 0, after },
            _ => Self::Ready { after },
        }
    }
}

impl Rule {
    pub fn is_about(&self, pod: &Value) -> bool {
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let in_namespace = self
            .namespace
            .as_ref()
            .is_none_or(|wanted| wanted == namespace);
        let has_image = |part: &String| images(pod).any(|image| image.contains(part.as_str()));
        in_namespace && self.image.as_ref().is_none_or(has_image)
    }
}

const SLOW: Duration = Duration::from_mins(1);
const JOB: Duration = Duration::from_secs(2);

fn images(pod: &Value) -> impl Iterator<Item = &str> {
    let lists = ["initContainers", "containers"];
    let containers = lists
        .into_iter()
        .filter_map(|list| pod["spec"][list].as_array());
    containers
        .flatten()
        .filter_map(|container| container["image"].as_str())
}

/// `30s` or `2m`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number * 60)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(image: &str) -> Value {
        json!({"metadata": {"namespace": "t1", "uid": "u"}, "spec": {"containers": [{"image": image}]}})
    }

    #[test]
    fn an_image_says_how_it_behaves() {
        let behaviour = |image| Behaviour::of(&pod(image), &[], 1);
        assert_eq!(
            behaviour("web:1-crash"),
            Behaviour::Crash {
                healthy: Duration::ZERO
            }
        );
        assert_eq!(behaviour("web:1-pull-error"), Behaviour::PullError);
        assert_eq!(behaviour("web:1-slow"), Behaviour::Ready { after: SLOW });
        assert!(
            matches!(behaviour("web:1"), Behaviour::Ready { after } if after < Duration::from_secs(8))
        );
    }

    #[test]
    fn the_newest_rule_that_is_about_a_pod_wins() {
        let rule = |image: &str, behaviour| Rule {
            image: Some(image.to_owned()),
            namespace: Some("t1".to_owned()),
            behaviour,
        };
        let rules = [
            rule("web", Behaviour::NeverReady),
            rule("web", Behaviour::PullError),
            rule("other", Behaviour::NeverReady),
        ];
        assert_eq!(
            Behaviour::of(&pod("web:1-crash"), &rules, 1),
            Behaviour::PullError
        );
    }

    #[test]
    fn words_carry_a_time_or_a_code() {
        assert_eq!(
            Behaviour::from_word("crash-after=2m"),
            Some(Behaviour::Crash {
                healthy: Duration::from_mins(2)
            })
        );
        assert_eq!(
            Behaviour::from_word("exit=3"),
            Some(Behaviour::Exit {
                code: 3,
                after: JOB
            })
        );
        assert_eq!(Behaviour::from_word("ready-after=x"), None);
    }
}
