//! A rollout as a channel hears of it: a few lines for hundreds of tenants, never a flood.

use jiff::{SignedDuration, Timestamp};

use crate::fleet::config::Moment;
use crate::rollout::{
    Event, Frozen, Outcome, Phase, Progress, Wait, What, Whom, few_of, short_commit,
};

/// Failures of tenants are told together, so often at most.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);
const FEW: usize = 3;

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    pub moment: Moment,
    pub at: Timestamp,
    pub text: String,
}

/// What is told of one rollout, by one process.
pub struct Story {
    /// `production: release 4f2a91c0`
    subject: String,
    /// A typed rollback: who goes back is told by name.
    is_typed: bool,
    by: String,
    why: String,
    began: Option<Timestamp>,
    /// Failures that were not told yet, and when some were told last.
    failed: Vec<String>,
    told: Option<Timestamp>,
    waits_for: Vec<String>,
}

impl Story {
    /// `None` for a typed rollback.
    pub fn new(environment: &str, release: Option<&str>, (by, why): (&str, &str)) -> Self {
        let what = release.map_or_else(
            || "rollback".to_owned(),
            |release| format!("release {}", short_commit(release)),
        );
        Self {
            subject: format!("{environment}: {what}"),
            is_typed: release.is_none(),
            by: by.to_owned(),
            why: why.to_owned(),
            began: None,
            failed: Vec::new(),
            told: None,
            waits_for: Vec::new(),
        }
    }

    pub fn begins(&mut self, at: Timestamp, progress: &Progress, frozen: &Frozen) -> Option<News> {
        self.began = Some(at);
        let is_new = progress
            .tenants
            .values()
            .all(|tenant| tenant.phase == Phase::Pending);
        let verb = if is_new { "started" } else { "goes on" };
        let tenants = counted(frozen.plan.len(), "tenant");
        let whom = if self.is_typed {
            let names = frozen.plan.tenants();
            let names: Vec<&str> = names.map(|(_, one)| one.place.tenant.as_str()).collect();
            format!("{tenants} back: {}", few_of(&names, FEW))
        } else {
            let waves = counted(frozen.plan.waves.len(), "wave");
            format!("{tenants} in {waves}")
        };
        let why = if self.why.is_empty() {
            String::new()
        } else {
            format!(": {}", self.why)
        };
        let text = format!("{verb} by {}, {whom}{why}", self.by);
        Some(self.news(Moment::Started, at, &text))
    }

    pub fn happens(&mut self, event: &Event, progress: &Progress) -> Option<News> {
        let at = event.at;
        match &event.what {
            // The one wave of a typed rollback is all of it.
            What::WaveAdvanced { wave } if !self.is_typed => {
                let failures = self.failures();
                let text = format!("wave {wave} passed{failures}{}", self.since(at));
                Some(self.news(Moment::Advanced, at, &text))
            }
            What::TenantFailed { tenant, why, .. } => {
                self.failed.push(format!("{tenant}: {why}"));
                let is_time = self
                    .told
                    .is_none_or(|told| at.duration_since(told) >= PATIENCE);
                is_time.then(|| {
                    self.told = Some(at);
                    let text = self.failures();
                    self.news(Moment::Failed, at, text.trim_start_matches("; "))
                })
            }
            What::WaveBreached { wave, why, .. } => {
                let text = format!("STOPPED in wave {wave}: {why}{}", self.failures());
                Some(self.news(Moment::Stopped, at, &text))
            }
            What::Aborted { by, why } => {
                Some(self.news(Moment::Stopped, at, &format!("aborted by {by}: {why}")))
            }
            What::Finished { outcome, .. } => {
                let text = format!("{}: {}{}", words(*outcome), ended(progress), self.since(at));
                Some(self.news(Moment::Finished, at, &text))
            }
            _ => None,
        }
    }

    /// Whoever is waited for is told once.
    pub fn waits(&mut self, wait: &Wait, now: Timestamp) -> Option<News> {
        let Whom::Person { .. } = wait.whom else {
            return None;
        };
        if self.waits_for == wait.on {
            return None;
        }
        self.waits_for.clone_from(&wait.on);
        let text = format!("WAITS FOR A PERSON: {}", few_of(&wait.on, FEW));
        Some(self.news(Moment::Waiting, now, &text))
    }

    /// `; 3 tenants failed and go back: a: why and 2 more`, and they are told.
    fn failures(&mut self) -> String {
        let failed = std::mem::take(&mut self.failed);
        match failed.as_slice() {
            [] => String::new(),
            failed => format!(
                "; {} failed: {}",
                counted(failed.len(), "tenant"),
                few_of(failed, 1)
            ),
        }
    }

    fn since(&self, at: Timestamp) -> String {
        let minutes = self.began.map(|began| at.duration_since(began).as_mins());
        match minutes {
            None => String::new(),
            Some(0) => ", after less than a minute".to_owned(),
            Some(minutes) => format!(", after {minutes} min"),
        }
    }

    fn news(&self, moment: Moment, at: Timestamp, text: &str) -> News {
        News {
            moment,
            at,
            text: format!("{}: {text}", self.subject),
        }
    }
}

fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::SucceededWithExceptions => "succeeded with exceptions",
        Outcome::RolledBack => "FAILED, everything touched is back",
        Outcome::Failed => "FAILED, a person is needed",
        Outcome::Aborted => "aborted",
        Outcome::Superseded => "left to a newer release",
    }
}

/// `14 of 17 succeeded, 2 rolled back, 1 not attempted`
fn ended(progress: &Progress) -> String {
    let count = |is: fn(&Phase) -> bool| {
        let phases = progress.tenants.values().map(|tenant| &tenant.phase);
        phases.filter(|phase| is(phase)).count()
    };
    let all = progress.tenants.len();
    let succeeded = count(|phase| matches!(phase, Phase::Succeeded { .. }));
    let others = [
        (
            count(|phase| matches!(phase, Phase::RolledBack { .. })),
            "rolled back",
        ),
        (
            count(|phase| matches!(phase, Phase::RollbackFailed { .. } | Phase::Left { .. })),
            "left broken",
        ),
        (
            count(|phase| matches!(phase, Phase::Deferred { .. })),
            "deferred",
        ),
        (
            count(|phase| matches!(phase, Phase::Pending)),
            "not attempted",
        ),
    ];
    let others = others.iter().filter(|(count, _)| *count > 0);
    let others = others.map(|(count, what)| format!(", {count} {what}"));
    format!(
        "{succeeded} of {all} succeeded{}",
        others.collect::<String>()
    )
}

fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::config::OnBreach;
    use crate::rollout::{Coverage, Failure, Plan};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_748_400 + second).unwrap()
    }

    fn event(second: i64, what: What) -> Event {
        Event {
            at: at(second),
            what,
        }
    }

    fn fails(second: i64, tenant: &str) -> Event {
        event(
            second,
            What::TenantFailed {
                tenant: tenant.to_owned(),
                how: Failure::DiedLater,
                why: "crashes".to_owned(),
            },
        )
    }

    #[test]
    fn a_hundred_failures_are_two_messages() {
        let progress = Progress::new(&Plan {
            waves: Vec::new(),
            excluded: Vec::new(),
            unrendered: Vec::new(),
            coverage: Coverage::default(),
        });
        let mut story = Story::new("production", Some("4f2a91c0aaaa"), ("ana", "web 2"));
        let first = story
            .happens(&fails(0, "t0"), &progress)
            .expect("the first is told");
        assert_eq!(
            first.text,
            "production: release 4f2a91c0: 1 tenant failed: t0: crashes"
        );
        for number in 1..100 {
            let told = story.happens(&fails(number, &format!("t{number}")), &progress);
            assert_eq!(told, None);
        }
        let breach = What::WaveBreached {
            wave: "rest".to_owned(),
            action: OnBreach::Pause,
            why: "too many".to_owned(),
        };
        let stopped = story.happens(&event(100, breach), &progress).expect("told");
        assert_eq!(
            stopped.text,
            "production: release 4f2a91c0: STOPPED in wave rest: too many; 99 tenants failed: t1: crashes and 98 more"
        );
        assert_eq!(stopped.moment, Moment::Stopped);
    }

    #[test]
    fn a_typed_rollback_names_who_goes_back_and_is_told_twice() {
        let plan = Plan {
            waves: Vec::new(),
            excluded: Vec::new(),
            unrendered: Vec::new(),
            coverage: Coverage::default(),
        };
        let progress = Progress::new(&plan);
        let strategy = crate::rollout::Strategy {
            name: "rollback".to_owned(),
            spec: crate::fleet::config::StrategySpec::default(),
            chosen: None,
            max_sample_gap: SignedDuration::from_secs(60),
        };
        let frozen = Frozen::new(plan, strategy);
        let mut story = Story::new("production", None, ("ana", "white page"));
        let started = story.begins(at(0), &progress, &frozen).expect("told");
        let text = "production: rollback: started by ana, 0 tenants back";
        assert!(started.text.starts_with(text), "{}", started.text);
        let passed = What::WaveAdvanced {
            wave: "rollback".to_owned(),
        };
        assert_eq!(story.happens(&event(1, passed), &progress), None);
        let finished = What::Finished {
            outcome: Outcome::Succeeded,
            why: String::new(),
        };
        let finished = story.happens(&event(2, finished), &progress).expect("told");
        assert_eq!(
            finished.text,
            "production: rollback: succeeded: 0 of 0 succeeded, after less than a minute"
        );
    }

    #[test]
    fn a_person_is_called_once() {
        let mut story = Story::new("production", None, ("ana", ""));
        let wait = Wait {
            on: vec!["somebody to say `resume`".to_owned()],
            until: None,
            whom: Whom::Person { failed: true },
        };
        let told = story.waits(&wait, at(0)).expect("told");
        assert_eq!(
            told.text,
            "production: rollback: WAITS FOR A PERSON: somebody to say `resume`"
        );
        assert_eq!(story.waits(&wait, at(60)), None);
        let gate = Wait {
            whom: Whom::Gate,
            ..wait
        };
        assert_eq!(story.waits(&gate, at(120)), None);
    }
}
