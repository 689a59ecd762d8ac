//! What decisions cost, without clusters: a whole rollout in virtual time, played with fleets of growing size.
//!
//! `cargo bench --bench decisions`. The baseline is the least that any question about all tenants can cost: to go over
//! all of them once and look at where each stands.

#![expect(clippy::print_stdout, reason = "that is what a benchmark is for")]

use std::hint::black_box;
use std::time::Duration;

use escale::manifest::Digest;
use escale::rollout::{
    Candidate, Frozen, Health, Next, Outcome, Phase, Place, Plan, Progress, Sample, Strategy,
    Wanted, What,
};
use jiff::{SignedDuration, Timestamp};

const SIZES: [usize; 3] = [300, 3_000, 10_000];
/// How long a tenant takes to be healthy once it is written, in seconds.
const READY: i64 = 8;
const STRATEGIES: &str = include_str!("../environments/production/strategy.yaml");

fn main() {
    println!(
        "tenants  virtual  questions  events  µs/question  passes/question  ms/virtual minute"
    );
    for size in SIZES {
        let mut play = Play::new(size);
        play.run();
        let asked = play.asking.as_secs_f64() * 1e6 / f64::from(play.questions);
        let pass = one_pass(&play.progress).as_secs_f64() * 1e6;
        let minutes = play.now.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64() / 60.0;
        println!(
            "{size:>7}  {:>5.1} m  {:>9}  {:>6}  {asked:>11.1}  {:>15.1}  {:>17.2}",
            minutes,
            play.questions,
            play.events,
            asked / pass,
            play.asking.as_secs_f64() * 1e3 / minutes,
        );
    }
}

/// A rollout, and what it took so far.
struct Play {
    frozen: Frozen,
    progress: Progress,
    now: Timestamp,
    questions: u32,
    events: usize,
    asking: Duration,
}

impl Play {
    fn new(tenants: usize) -> Self {
        let strategy = shipped();
        let plan = Plan::new(&strategy, (0..tenants).map(candidate).collect());
        assert_eq!(plan.len(), tenants);
        Self {
            progress: Progress::new(&plan),
            frozen: Frozen::new(plan, strategy),
            now: Timestamp::UNIX_EPOCH,
            questions: 0,
            events: 0,
            asking: Duration::ZERO,
        }
    }

    fn run(&mut self) {
        loop {
            let began = now();
            let next = self.frozen.next(&self.progress, self.now);
            self.asking += began.elapsed();
            self.questions += 1;
            match next {
                Next::Do(decisions) => decisions.into_iter().for_each(|what| self.happen(what)),
                Next::Wait(_) => self.pass_a_second(),
                Next::Finished { outcome, why } => {
                    assert_eq!(outcome, Outcome::Succeeded, "{why}");
                    break;
                }
            }
        }
    }

    fn happen(&mut self, what: What) {
        self.events += 1;
        self.progress.fold(&what.at(self.now));
    }

    /// Every write takes a second; who settles is looked at every second, who soaks every twenty.
    fn pass_a_second(&mut self) {
        self.now += SignedDuration::from_secs(1);
        let second = self.now.as_second();
        let phases = self.progress.tenants.iter();
        let phases: Vec<(String, Phase)> = phases
            .map(|(tenant, one)| (tenant.clone(), one.phase.clone()))
            .collect();
        for (tenant, phase) in phases {
            match phase {
                Phase::Writing { .. } => self.happen(What::TenantWritten { tenant, writes: 1 }),
                Phase::Closing { .. } => self.happen(What::TenantSucceeded { tenant }),
                Phase::Settling { written_at } => self.see(&tenant, written_at),
                Phase::Succeeded { at } if second % 20 == 0 => self.see(&tenant, at),
                _ => {}
            }
        }
    }

    fn see(&mut self, tenant: &str, since: Timestamp) {
        let is_ready = self.now.duration_since(since).as_secs() >= READY;
        let is_soaking = matches!(self.progress.tenants[tenant].phase, Phase::Succeeded { .. });
        let sample = Sample {
            at: self.now,
            health: if is_ready || is_soaking {
                Health::Healthy
            } else {
                Health::Progressing
            },
            serves: true,
            headline: String::new(),
        };
        let gap = self.frozen.strategy.max_sample_gap;
        self.progress.observe(tenant, sample, gap);
    }
}

/// To go over all tenants once and count who is in flight.
fn one_pass(progress: &Progress) -> Duration {
    const TIMES: u32 = 200;
    let began = now();
    for _ in 0..TIMES {
        let tenants = black_box(progress).tenants.values();
        black_box(tenants.filter(|one| one.phase.is_in_flight()).count());
    }
    began.elapsed() / TIMES
}

/// The strategy that escale comes with.
fn shipped() -> Strategy {
    let documents = escale::yaml::read(STRATEGIES).expect("it is YAML");
    let value = documents[0].to_value();
    Strategy {
        name: "normal".to_owned(),
        chosen: None,
        spec: serde_json::from_value(value["spec"].clone()).expect("it passes `escale check`"),
        max_sample_gap: SignedDuration::from_secs(60),
    }
}

fn candidate(number: usize) -> Candidate {
    let ring = match number {
        0..3 => "canary",
        3..30 => "early",
        _ => "rest",
    };
    let (name, cluster) = (format!("tenant-{number:05}"), format!("c{}", number % 3));
    let digest = |text: &str| Digest::of_object(&serde_json::json!({ "release": text }));
    Candidate {
        place: Place {
            tenant: name.clone(),
            cluster: cluster.clone(),
            namespace: name,
            provider: None,
            group: None,
            after: Vec::new(),
            labels: [("ring", ring), ("cluster", &cluster), ("class", "shared")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        },
        wanted: Wanted::Bundle(digest("new")),
        current: Some(digest("old")),
        is_settled: true,
        last_good: Some(digest("old")),
        kept_out: None,
        shape: None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures what has passed on the wall"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
