//! Whole rollouts in virtual time: a script says how tenants behave, the trace says what was decided.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Frozen, Next};
use crate::fleet::config::Limit;
use crate::manifest::Digest;
use crate::rollout::*;

/// How a tenant of the script behaves once the new bundle is written.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Healthy this many seconds after the write.
    Healthy(i64),
    /// Doomed this many seconds after the write.
    Doomed(i64),
    Never,
    /// Healthy at once, dead this many seconds after the write.
    DiesAt(i64),
    /// Doomed on the new bundle and on the old one.
    Broken,
}

struct Script {
    frozen: Frozen,
    behaviours: BTreeMap<String, Behaviour>,
    progress: Progress,
    now: Timestamp,
    trace: Vec<String>,
    most_in_flight: usize,
}

fn digest(text: &str) -> Digest {
    Digest::of_object(&serde_json::json!({ "x": text }))
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

fn strategy() -> Strategy {
    let spec = serde_json::json!({
        "tenant": {"minHealthyTime": "30s", "progressDeadline": "10m"},
        "limits": {"maxConcurrency": {"all": 4}, "maxFailures": {"all": "10%"}},
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
        max_sample_gap: seconds(60),
    }
}

fn candidate(name: &str, ring: &str) -> Candidate {
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
        kept_out: None,
    }
}

/// Two canaries and ten others.
fn fleet() -> Vec<Candidate> {
    let mut fleet = vec![
        candidate("canary-a", "canary"),
        candidate("canary-b", "canary"),
    ];
    fleet.extend((0..10).map(|number| candidate(&format!("tenant-{number}"), "rest")));
    fleet
}

impl Script {
    fn new(candidates: Vec<Candidate>) -> Self {
        Self::with(strategy(), candidates)
    }

    fn with(strategy: Strategy, candidates: Vec<Candidate>) -> Self {
        let plan = Plan::new(&strategy, candidates);
        let progress = Progress::new(&plan);
        Self {
            frozen: Frozen::new(plan, strategy),
            behaviours: BTreeMap::new(),
            progress,
            now: Timestamp::UNIX_EPOCH,
            trace: Vec::new(),
            most_in_flight: 0,
        }
    }

    fn tenant(mut self, name: &str, behaviour: Behaviour) -> Self {
        self.behaviours.insert(name.to_owned(), behaviour);
        self
    }

    fn happen(&mut self, what: What) {
        let at = self.now.duration_since(Timestamp::UNIX_EPOCH).as_secs();
        let json = serde_json::to_value(&what).unwrap();
        let name = json["tenant"]
            .as_str()
            .or(json["wave"].as_str())
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
    fn run(&mut self) -> Next {
        for _ in 0..20_000 {
            match self.frozen.next(&self.progress, self.now) {
                Next::Do(decisions) => decisions.into_iter().for_each(|what| self.happen(what)),
                Next::Wait(wait) if wait.person.is_none() => self.pass_a_second(),
                end => return end,
            }
        }
        panic!("no end in sight: {:?}", self.trace);
    }

    fn pass_a_second(&mut self) {
        self.now += seconds(1);
        let phases: Vec<(String, Phase)> = self
            .progress
            .tenants
            .iter()
            .map(|(name, tenant)| (name.clone(), tenant.phase.clone()))
            .collect();
        for (tenant, phase) in phases {
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

    fn sample(&mut self, tenant: &str, since: Timestamp, is_new: bool) {
        let age = self.now.duration_since(since).as_secs();
        let health = match self
            .behaviours
            .get(tenant)
            .copied()
            .unwrap_or(Behaviour::Healthy(5))
        {
            Behaviour::Healthy(after) if age >= after => Health::Healthy,
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
            headline: format!("{health:?}"),
        };
        self.progress
            .observe(tenant, sample, self.frozen.strategy.max_sample_gap);
    }

    fn count(&self, event: &str) -> usize {
        self.trace
            .iter()
            .filter(|line| line.split(' ').nth(1) == Some(event))
            .count()
    }

    fn at(&self, line_end: &str) -> Option<i64> {
        let line = self.trace.iter().find(|line| line.ends_with(line_end))?;
        line.split(' ').next()?.parse().ok()
    }
}

fn outcome(next: &Next) -> Option<Outcome> {
    match next {
        Next::Finished { outcome, .. } => Some(*outcome),
        _ => None,
    }
}

#[test]
fn a_good_release_goes_canary_early_rest_with_a_soak_after_each() {
    let mut script = Script::new(fleet());
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::Succeeded), "{end:?}");
    assert_eq!(script.count("tenantSucceeded"), 12);
    let waves: Vec<&String> = script
        .trace
        .iter()
        .filter(|line| line.contains("wave") || line.contains("soak"))
        .collect();
    assert_eq!(waves.len(), 9);
    let canary_done = script.at("soakStarted canary").unwrap();
    assert!(script.at("waveStarted early").unwrap() >= canary_done + 300);
    assert!(script.most_in_flight <= 4);
}

#[test]
fn a_bad_canary_takes_its_wave_back_and_nobody_else_is_touched() {
    let mut script = Script::new(fleet()).tenant("canary-a", Behaviour::Doomed(8));
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::RolledBack));
    assert_eq!(script.count("tenantRolledBack"), 2);
    assert_eq!(script.count("tenantStarted"), 2);
    assert_eq!(script.at("waveStarted early"), None);
}

#[test]
fn a_canary_that_dies_while_it_soaks_stops_the_rollout() {
    let mut script = Script::new(fleet()).tenant("canary-b", Behaviour::DiesAt(200));
    assert_eq!(outcome(&script.run()), Some(Outcome::RolledBack));
    assert_eq!(script.at("waveStarted early"), None);
    assert_eq!(script.count("tenantRolledBack"), 2);
}

#[test]
fn a_canary_that_dies_during_a_later_wave_stops_new_starts() {
    let mut script = Script::new(fleet()).tenant("canary-b", Behaviour::DiesAt(345));
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::RolledBack));
    assert_eq!(script.at("waveStarted rest"), None);
}

#[test]
fn one_failure_within_the_budget_goes_back_alone() {
    let mut script = Script::new(fleet()).tenant("tenant-3", Behaviour::Doomed(8));
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::SucceededWithExceptions));
    assert_eq!(script.count("tenantRolledBack"), 1);
    assert_eq!(script.count("tenantSucceeded"), 11);
}

#[test]
fn a_tenant_that_never_gets_healthy_times_out_and_goes_back() {
    let mut script = Script::new(fleet()).tenant("tenant-3", Behaviour::Never);
    script.run();
    let failed = script.at("tenantFailed tenant-3").unwrap();
    let written = script.at("tenantWritten tenant-3").unwrap();
    assert_eq!(failed - written, 600);
}

#[test]
fn too_many_failures_in_the_last_wave_pause_for_a_person_and_nothing_more_starts() {
    let mut script = Script::new(fleet());
    for number in 0..10 {
        script = script.tenant(&format!("tenant-{number}"), Behaviour::Doomed(8));
    }
    // The early wave is sound, so that the breach comes in the last.
    let early: Vec<String> = script.frozen.plan.waves[1]
        .tenants
        .iter()
        .map(|planned| planned.place.tenant.clone())
        .collect();
    for tenant in &early {
        script
            .behaviours
            .insert(tenant.clone(), Behaviour::Healthy(5));
    }
    let end = script.run();
    let Next::Wait(wait) = end else {
        panic!("{end:?}")
    };
    assert_eq!(wait.person, Some(true));
    let started = script.count("tenantStarted");
    assert!(
        started < 12,
        "the breach must stop starts, {started} started"
    );
    assert_eq!(
        script.count("tenantRolledBack"),
        script.count("tenantFailed")
    );

    script.happen(What::Resumed {
        by: "ana".to_owned(),
        why: "known".to_owned(),
    });
    script.run();
    assert!(script.count("tenantStarted") > started);
}

#[test]
fn a_rollback_that_fails_needs_a_person_and_stops_no_other_rollback() {
    let mut script = Script::new(fleet())
        .tenant("canary-a", Behaviour::Broken)
        .tenant("canary-b", Behaviour::Healthy(5));
    assert_eq!(outcome(&script.run()), Some(Outcome::Failed));
    assert_eq!(script.count("tenantRollbackFailed"), 1);
    assert_eq!(script.count("tenantRolledBack"), 1);
}

#[test]
fn a_first_deployment_that_fails_is_left_for_a_person() {
    let mut fresh = candidate("canary-a", "canary");
    fresh.last_good = None;
    fresh.current = None;
    let mut script = Script::new(vec![fresh]).tenant("canary-a", Behaviour::Doomed(5));
    assert_eq!(outcome(&script.run()), Some(Outcome::Failed));
    assert_eq!(script.count("tenantLeft"), 1);
}

#[test]
fn a_pause_starts_nothing_and_what_is_in_flight_settles() {
    let mut script = Script::new(fleet());
    for _ in 0..3 {
        if let Next::Do(decisions) = script.frozen.next(&script.progress, script.now) {
            for what in decisions {
                script.happen(what);
            }
        }
    }
    script.happen(What::Paused {
        by: "ana".to_owned(),
        why: "lunch".to_owned(),
    });
    let end = script.run();
    assert!(
        matches!(&end, Next::Wait(wait) if wait.person == Some(false)),
        "{end:?}"
    );
    assert_eq!(script.count("tenantSucceeded"), 2);
    script.happen(What::Resumed {
        by: "ana".to_owned(),
        why: "back".to_owned(),
    });
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
}

#[test]
fn an_abort_reverts_nothing() {
    let mut script = Script::new(fleet());
    while script.count("tenantSucceeded") < 2 {
        match script.frozen.next(&script.progress, script.now) {
            Next::Do(decisions) => decisions.into_iter().for_each(|what| script.happen(what)),
            _ => script.pass_a_second(),
        }
    }
    script.happen(What::Aborted {
        by: "ana".to_owned(),
        why: "wrong branch".to_owned(),
    });
    assert_eq!(outcome(&script.run()), Some(Outcome::Aborted));
    assert_eq!(script.count("tenantRolledBack"), 0);
}

#[test]
fn an_empty_plan_finishes_at_once() {
    let mut unchanged = candidate("tenant-1", "rest");
    unchanged.current = Some(digest("new"));
    let mut script = Script::new(vec![unchanged]);
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
    assert_eq!(script.trace, ["0 finished"]);
}

#[test]
fn a_plan_that_misses_the_canary_uses_its_first_wave_as_canary() {
    let others: Vec<Candidate> = fleet().into_iter().skip(2).collect();
    let plan = Plan::new(&strategy(), others);
    assert_eq!(plan.waves[0].name, "early");
    assert_eq!(plan.waves[0].role, Role::Canary);
}

#[test]
fn a_small_plan_is_one_wave() {
    let plan = Plan::new(&strategy(), fleet().into_iter().take(3).collect());
    let waves: Vec<(&str, usize)> = plan
        .waves
        .iter()
        .map(|wave| (wave.name.as_str(), wave.tenants.len()))
        .collect();
    assert_eq!(waves, [("all", 3)]);
}

#[test]
fn a_wave_spreads_over_clusters() {
    let mut candidates: Vec<Candidate> = (0..8)
        .map(|number| candidate(&format!("a{number}"), "rest"))
        .collect();
    candidates.extend((0..2).map(|number| candidate(&format!("bb{number}"), "rest")));
    let plan = Plan::new(&strategy(), candidates);
    let mut clusters: Vec<&str> = plan.waves[0]
        .tenants
        .iter()
        .map(|planned| planned.place.cluster.as_str())
        .collect();
    clusters.sort_unstable();
    assert_eq!(clusters, ["c0", "c0", "c1"]);
}

#[test]
fn two_tenants_of_a_group_are_never_in_flight_together_and_after_is_respected() {
    let mut first = candidate("x-prod", "canary");
    let mut second = candidate("x-qualif", "canary");
    for tenant in [&mut first, &mut second] {
        tenant.place.group = Some("x".to_owned());
    }
    first.place.after = vec!["x-qualif".to_owned()];
    let mut script = Script::new(vec![first, second]);
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
    assert_eq!(script.most_in_flight, 1);
    assert!(script.at("tenantStarted x-prod") >= script.at("tenantSucceeded x-qualif"));
}

#[test]
fn whoever_comes_after_a_failed_tenant_is_deferred() {
    let qualif = candidate("x-qualif", "rest");
    let mut prod = candidate("x-prod", "rest");
    prod.place.after = vec!["x-qualif".to_owned()];
    let mut others = fleet();
    others.extend([qualif, prod]);
    let mut script = Script::new(others).tenant("x-qualif", Behaviour::Doomed(5));
    script.frozen.strategy.spec.limits.max_failures.all = Some(Limit::Count(5));
    script.run();
    assert_eq!(script.at("tenantStarted x-prod"), None);
    assert_eq!(script.count("tenantDeferred"), 1);
}

#[test]
fn samples_taken_before_the_write_never_count() {
    let plan = Plan::new(&strategy(), vec![candidate("canary-a", "canary")]);
    let mut progress = Progress::new(&plan);
    let at = |second| Timestamp::from_second(second).unwrap();
    progress.fold(
        &What::TenantStarted {
            tenant: "canary-a".to_owned(),
        }
        .at(at(10)),
    );
    progress.fold(
        &What::TenantWritten {
            tenant: "canary-a".to_owned(),
            writes: 1,
        }
        .at(at(20)),
    );
    let sample = Sample {
        at: at(15),
        health: Health::Healthy,
        headline: String::new(),
    };
    progress.observe("canary-a", sample, seconds(60));
    assert_eq!(progress.tenants["canary-a"].healthy_since, None);
}

#[test]
fn a_gap_between_samples_voids_what_was_seen_before_it() {
    let plan = Plan::new(&strategy(), vec![candidate("canary-a", "canary")]);
    let mut progress = Progress::new(&plan);
    let at = |second| Timestamp::from_second(second).unwrap();
    progress.fold(
        &What::TenantWritten {
            tenant: "canary-a".to_owned(),
            writes: 1,
        }
        .at(at(0)),
    );
    for second in [10, 40, 200] {
        let sample = Sample {
            at: at(second),
            health: Health::Healthy,
            headline: String::new(),
        };
        progress.observe("canary-a", sample, seconds(60));
    }
    assert_eq!(progress.tenants["canary-a"].healthy_since, Some(at(200)));
}
