//! How tenants behave in virtual time, and the trace of what was decided.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::manifest::Digest;
use crate::rollout::next::{Frozen, Next};
use crate::rollout::*;

/// How a tenant of the script behaves once the new bundle is written.
#[derive(Clone, Copy)]
pub enum Behaviour {
    /// Healthy this many seconds after the write.
    Healthy(i64),
    /// Doomed this many seconds after the write.
    Doomed(i64),
    Never,
    /// Healthy at once, dead this many seconds after the write.
    DiesAt(i64),
    /// Doomed on the new bundle and on the old one.
    Broken,
    /// Without pods for so many seconds after each write, then healthy.
    Down(i64),
}

pub struct Script {
    pub frozen: Frozen,
    pub behaviours: BTreeMap<String, Behaviour>,
    pub progress: Progress,
    pub now: Timestamp,
    pub trace: Vec<String>,
    pub most_in_flight: usize,
    /// Clusters that do not answer from then on, for so many seconds.
    pub outages: BTreeMap<String, (Timestamp, i64)>,
    /// Clusters on which nobody who was written to is well, and how many others are not.
    pub ill: BTreeMap<String, usize>,
}

pub fn digest(text: &str) -> Digest {
    Digest::of_object(&serde_json::json!({ "x": text }))
}

pub fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

pub fn strategy() -> Strategy {
    let spec = serde_json::json!({
        "tenant": {"minHealthyTime": "30s", "progressDeadline": "10m"},
        "limits": {"maxConcurrency": {"all": 4}, "maxUnavailable": {"all": "100%"}, "maxFailures": {"all": "10%"}},
        "waves": [
            {"name": "canary", "role": "canary", "select": {"ring": "canary"}, "soak": "5m", "onBreach": "rollback"},
            {"name": "early", "size": "30%", "spread": ["cluster"], "soak": "5m", "onBreach": "rollback"},
            {"name": "rest", "soak": "5m", "onBreach": "pause"},
        ],
        "small": 3,
        "rollback": {"maxConcurrency": {"all": "33%"}, "scope": "wave"},
    });
    let spec = serde_json::from_value(spec).unwrap();
    Strategy {
        name: "normal".to_owned(),
        spec,
        chosen: None,
        max_sample_gap: seconds(60),
    }
}

pub fn candidate(name: &str, ring: &str) -> Candidate {
    let cluster = format!("c{}", name.len() % 2);
    Candidate {
        place: Place {
            tenant: name.to_owned(),
            cluster: cluster.clone(),
            namespace: name.to_owned(),
            provider: None,
            group: None,
            after: Vec::new(),
            labels: [
                ("ring".to_owned(), ring.to_owned()),
                ("cluster".to_owned(), cluster),
            ]
            .into(),
        },
        wanted: Wanted::Bundle(digest("new")),
        current: Some(digest("old")),
        is_settled: true,
        last_good: Some(digest("old")),
        shape: None,
        kept_out: None,
    }
}

/// Two canaries and ten others.
pub fn fleet() -> Vec<Candidate> {
    let mut fleet = vec![
        candidate("canary-a", "canary"),
        candidate("canary-b", "canary"),
    ];
    fleet.extend((0..10).map(|number| candidate(&format!("tenant-{number}"), "rest")));
    fleet
}

impl Script {
    pub fn new(candidates: Vec<Candidate>) -> Self {
        Self::with(strategy(), candidates)
    }

    pub fn with(strategy: Strategy, candidates: Vec<Candidate>) -> Self {
        let plan = Plan::new(&strategy, candidates);
        let progress = Progress::new(&plan);
        Self {
            frozen: Frozen::new(plan, strategy),
            behaviours: BTreeMap::new(),
            progress,
            now: Timestamp::UNIX_EPOCH,
            trace: Vec::new(),
            most_in_flight: 0,
            outages: BTreeMap::new(),
            ill: BTreeMap::new(),
        }
    }

    /// From now on a cluster does not answer.
    pub fn lose(&mut self, cluster: &str, seconds: i64) {
        self.outages.insert(cluster.to_owned(), (self.now, seconds));
    }

    fn is_out(&self, cluster: &str) -> bool {
        let outage = self.outages.get(cluster);
        outage.is_some_and(|(since, length)| self.now <= *since + seconds(*length))
    }

    pub fn tenant(mut self, name: &str, behaviour: Behaviour) -> Self {
        self.behaviours.insert(name.to_owned(), behaviour);
        self
    }

    pub fn happen(&mut self, what: What) {
        let at = self.now.duration_since(Timestamp::UNIX_EPOCH).as_secs();
        let json = serde_json::to_value(&what).unwrap();
        let name = json["tenant"]
            .as_str()
            .or(json["wave"].as_str())
            .or(json["cluster"].as_str())
            .unwrap_or_default();
        self.trace.push(
            format!("{at} {} {name}", json["event"].as_str().unwrap())
                .trim_end()
                .to_owned(),
        );
        self.progress.fold(&what.at(self.now));
        let in_flight = self
            .progress
            .tenants
            .values()
            .filter(|tenant| tenant.phase.is_in_flight())
            .count();
        self.most_in_flight = self.most_in_flight.max(in_flight);
    }

    /// Runs until finished or only a person can go on; every write takes a second.
    pub fn run(&mut self) -> Next {
        for _ in 0..20_000 {
            match self.frozen.next(&self.progress, self.now) {
                Next::Do(decisions) => decisions.into_iter().for_each(|what| self.happen(what)),
                Next::Wait(_) if self.answer() => {}
                Next::Wait(wait) if wait.whom == Whom::Tenants => {
                    let is_past = wait.until.is_some_and(|until| until <= self.now);
                    assert!(!is_past, "a time that has passed wakes nobody: {wait:?}");
                    self.pass_a_second();
                }
                end => return end,
            }
        }
        panic!("no end in sight: {:?}", self.trace);
    }

    /// Runs until the trace has a line that ends so.
    pub fn until(&mut self, line: &str) {
        while self.at(line).is_none() {
            match self.frozen.next(&self.progress, self.now) {
                Next::Do(decisions) => decisions.into_iter().for_each(|what| self.happen(what)),
                Next::Wait(_) if self.answer() => {}
                Next::Wait(wait) if wait.whom == Whom::Tenants => self.pass_a_second(),
                end => panic!("{end:?} before `{line}`"),
            }
        }
    }

    /// Looks at untouched tenants; whether anything new was seen.
    pub fn answer(&mut self) -> bool {
        let before = self.progress.controls.clone();
        let looks = self.frozen.control_looks(&self.progress, self.now);
        for (cluster, tenants) in looks {
            let ill = self.ill.get(&cluster).copied().unwrap_or_default();
            let ailing = tenants.iter().take(ill);
            let ailing = ailing.map(|tenant| (tenant.clone(), "no pod is ready".to_owned()));
            let sample = ControlSample {
                at: self.now,
                seen: tenants.len(),
                ailing: ailing.collect(),
            };
            let gap = self.frozen.strategy.max_sample_gap;
            self.progress.observe_control(&cluster, sample, gap);
        }
        self.progress.controls != before
    }

    pub fn pass_a_second(&mut self) {
        self.now += seconds(1);
        self.hear_clusters();
        let phases: Vec<(String, Phase)> = self
            .progress
            .tenants
            .iter()
            .map(|(name, tenant)| (name.clone(), tenant.phase.clone()))
            .collect();
        for (tenant, phase) in phases {
            let place = &self.frozen.plan.find(&tenant).unwrap().1.place;
            if self.is_out(&place.cluster) {
                let cluster = place.cluster.clone();
                self.meet_silence(tenant, &phase, cluster);
                continue;
            }
            match phase {
                Phase::Writing { .. } => self.happen(What::TenantWritten { tenant, writes: 1 }),
                Phase::Closing { .. } => self.happen(What::TenantSucceeded { tenant }),
                Phase::WritingBack { .. } => {
                    self.happen(What::TenantBackWritten { tenant, writes: 1 });
                }
                Phase::ClosingBack { .. } => self.happen(What::TenantRolledBack { tenant }),
                Phase::Settling { written_at } => self.sample(&tenant, written_at, true),
                Phase::SettlingBack { written_at } => self.sample(&tenant, written_at, false),
                Phase::Succeeded { at } => self.sample(&tenant, at, true),
                _ => {}
            }
        }
    }

    /// Clusters that are found to answer again.
    fn hear_clusters(&mut self) {
        let away = self.progress.absences.all_current();
        let names = away.map(|(cluster, _)| cluster.to_owned());
        let back: Vec<String> = names.filter(|name| !self.is_out(name)).collect();
        for cluster in back {
            self.happen(What::ClusterAnswers { cluster });
        }
    }

    /// Whoever asks a cluster that is away something gets no answer.
    fn meet_silence(&mut self, tenant: String, phase: &Phase, cluster: String) {
        let asks = phase.is_watched()
            || matches!(
                phase,
                Phase::Writing { .. }
                    | Phase::Closing { .. }
                    | Phase::WritingBack { .. }
                    | Phase::ClosingBack { .. }
            );
        let why = "no answer".to_owned();
        if asks && self.progress.absences.current(&cluster).is_none() {
            let why = why.clone();
            self.happen(What::ClusterUnreachable { cluster, why });
        }
        if asks && !phase.is_watched() {
            self.happen(What::TenantInterrupted {
                tenant,
                is_touched: true,
                why,
            });
        }
    }

    pub fn sample(&mut self, tenant: &str, since: Timestamp, is_new: bool) {
        let age = self.now.duration_since(since).as_secs();
        let health = match self
            .behaviours
            .get(tenant)
            .copied()
            .unwrap_or(Behaviour::Healthy(5))
        {
            Behaviour::Healthy(after) | Behaviour::Down(after) if age >= after => Health::Healthy,
            Behaviour::Doomed(after) if is_new && age >= after => Health::Failed,
            Behaviour::DiesAt(after) if is_new && age >= after => Health::Failed,
            Behaviour::DiesAt(_) => Health::Healthy,
            Behaviour::Broken => Health::Failed,
            Behaviour::Doomed(_) | Behaviour::Never if !is_new => Health::Healthy,
            _ => Health::Progressing,
        };
        let sample = Sample {
            at: self.now,
            health,
            serves: match self.behaviours.get(tenant) {
                Some(Behaviour::Down(_)) => health == Health::Healthy,
                _ => health != Health::Failed,
            },
            headline: format!("{health:?}"),
        };
        let (_, planned) = self.frozen.plan.find(tenant).unwrap();
        let sample = match self.ill.get(&planned.place.cluster) {
            Some(_) => Sample {
                health: Health::Failed,
                serves: false,
                ..sample
            },
            None => sample,
        };
        self.progress
            .observe(tenant, sample, self.frozen.strategy.max_sample_gap);
    }

    pub fn count(&self, event: &str) -> usize {
        self.trace
            .iter()
            .filter(|line| line.split(' ').nth(1) == Some(event))
            .count()
    }

    pub fn at(&self, line_end: &str) -> Option<i64> {
        let line = self.trace.iter().find(|line| line.ends_with(line_end))?;
        line.split(' ').next()?.parse().ok()
    }
}

pub fn outcome(next: &Next) -> Option<Outcome> {
    match next {
        Next::Finished { outcome, .. } => Some(*outcome),
        _ => None,
    }
}
