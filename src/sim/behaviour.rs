//! How the containers of a pod behave: said by an annotation, by the name of an image, or from outside.
//!
//! The words are shared with the kwok stages of the real control planes in `tests/controlplane`.

use std::time::Duration;

use serde_json::Value;

use super::random;
use super::view::View;

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
    /// No node takes it.
    Unschedulable,
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
    /// Reads `slow`, `never-ready`, `unschedulable`, `crash`, `pull-error`, `ready-after=30s`, `crash-after=2m`, `exit=3`;
    /// any other word says nothing.
    pub fn from_word(word: &str) -> Option<Self> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let after = || duration(value);
        Some(match name {
            "slow" => Self::Ready { after: SLOW },
            "ready-after" => Self::Ready { after: after()? },
            "never-ready" => Self::NeverReady,
            "unschedulable" => Self::Unschedulable,
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
}

/// How one pod behaves, and which of its containers are at the root of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conduct {
    pub behaviour: Behaviour,
    /// Part of the image of the containers concerned; all if there is none.
    culprit: Option<String>,
}

impl Conduct {
    /// Rules first, the newest of them; then the annotation, the images, the kind of pod.
    pub fn of(pod: &View, rules: &[Rule], seed: u64) -> Self {
        let told = rules.iter().rev().find(|rule| rule.is_about(pod));
        let annotation = pod["metadata"]["annotations"][ANNOTATION].as_str();
        let all = |behaviour| Self {
            behaviour,
            culprit: None,
        };
        told.map(|rule| Self {
            behaviour: rule.behaviour,
            culprit: rule.image.clone(),
        })
        .or_else(|| annotation.and_then(Behaviour::from_word).map(all))
        .or_else(|| images(pod).find_map(Self::from_image))
        .unwrap_or_else(|| all(usual(pod, seed)))
    }

    pub fn is_culprit(&self, container: &Value) -> bool {
        let image = container["image"].as_str().unwrap_or_default();
        self.culprit
            .as_ref()
            .is_none_or(|part| image.contains(part.as_str()))
    }

    /// What the name of an image says: `web:1.2.3-crash`.
    fn from_image(image: &str) -> Option<Self> {
        let words = ["-never-ready", "-pull-error", "-crash", "-slow"];
        let word = words.into_iter().find(|word| image.contains(word))?;
        Some(Self {
            behaviour: Behaviour::from_word(&word[1..])?,
            culprit: Some(word.to_owned()),
        })
    }
}

/// Pods that restart get ready in 2 to 8 seconds; others are done by then.
fn usual(pod: &View, seed: u64) -> Behaviour {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let after = Duration::from_millis(2000 + random::number(seed, &["ready", uid]) % 6000);
    match pod.of_pod("restartPolicy").as_str() {
        Some("Never" | "OnFailure") => Behaviour::Exit { code: 0, after },
        _ => Behaviour::Ready { after },
    }
}

impl Rule {
    pub fn is_about(&self, pod: &View) -> bool {
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

/// Of all its containers.
pub fn images(pod: &View) -> impl Iterator<Item = &str> {
    let containers = pod.of_pod("containers").as_array().into_iter().flatten();
    containers.filter_map(|container| container["image"].as_str())
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

    fn pod(image: &str) -> View {
        json!({"metadata": {"namespace": "t1", "uid": "u"}, "spec": {"containers": [{"image": image}]}}).into()
    }

    #[test]
    fn an_image_says_how_it_behaves() {
        let behaviour = |image| Conduct::of(&pod(image), &[], 1).behaviour;
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
            Conduct::of(&pod("web:1-crash"), &rules, 1).behaviour,
            Behaviour::PullError
        );
    }

    #[test]
    fn only_the_containers_whose_image_says_so_misbehave() {
        let containers = json!([{"image": "web:1-crash"}, {"image": "proxy:1"}]);
        let pod = View::from(json!({"metadata": {}, "spec": {"containers": containers}}));
        let conduct = Conduct::of(&pod, &[], 1);
        let culprits = pod.of_pod("containers").as_array().expect("a list").iter();
        let culprits: Vec<_> = culprits
            .map(|container| conduct.is_culprit(container))
            .collect();
        assert_eq!(culprits, [true, false]);
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
