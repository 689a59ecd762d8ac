//! Whole rollouts in virtual time: a script says how tenants behave, the trace says what was decided.

mod available;
mod away;
mod budgets;
mod evidence;
mod gates;
mod left_off;
mod script;
mod unrendered;
mod unwell;

use jiff::Timestamp;

use super::Next;
use crate::fleet::config::{Limit, UnreachableThen, Wave as Rule, WaveRole};
use crate::rollout::*;
use script::{Behaviour, Script, candidate, digest, fleet, outcome, seconds, strategy};

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
    assert_eq!(wait.whom, Whom::Person { failed: true });
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
        matches!(&end, Next::Wait(wait) if wait.whom == Whom::Person { failed: false }),
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
fn an_ordinary_wave_plays_no_canary_though_it_is_the_first() {
    let mut strategy = strategy();
    strategy.spec.limits.max_failures.all = Some(Limit::Count(1));
    strategy.spec.waves = vec![Rule {
        role: Some(WaveRole::Ordinary),
        ..Rule::named("services")
    }];
    for count in [3, 12] {
        let candidates = fleet().into_iter().take(count).collect();
        let script = Script::with(strategy.clone(), candidates);
        let mut script = script.tenant("tenant-0", Behaviour::Doomed(8));
        let end = script.run();
        assert_eq!(outcome(&end), Some(Outcome::SucceededWithExceptions));
        assert_eq!(script.count("tenantRolledBack"), 1);
        assert_eq!(script.count("tenantSucceeded"), count - 1);
        assert_eq!(script.frozen.plan.coverage, Coverage::default());
    }
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
fn who_is_in_no_wave_of_a_large_plan_is_in_none_of_a_small_one() {
    let mut strategy = strategy();
    strategy.spec.waves.truncate(1);
    for others in [1, 9] {
        let candidates = fleet().into_iter().take(2 + others);
        let plan = Plan::new(&strategy, candidates.collect());
        assert_eq!((plan.len(), plan.excluded.len()), (2, others));
    }
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
fn a_release_that_nobody_runs_in_the_end_was_rolled_back_however_much_may_fail() {
    let mut prod = candidate("x-prod", "rest");
    prod.place.after = vec!["x-qualif".to_owned()];
    let mut strategy = strategy();
    strategy.spec.limits.max_failures.all = Some(Limit::Count(1));
    strategy.spec.waves[0].role = Some(WaveRole::Ordinary);
    let script = Script::with(strategy, vec![candidate("x-qualif", "rest"), prod]);
    let mut script = script.tenant("x-qualif", Behaviour::Doomed(5));
    assert_eq!(outcome(&script.run()), Some(Outcome::RolledBack));
    assert_eq!(script.count("tenantDeferred"), 1);
}

#[test]
fn nobody_is_in_an_earlier_wave_than_whom_it_comes_after() {
    let mut prod = candidate("x-prod", "canary");
    prod.place.after = vec!["x-qualif".to_owned()];
    let mut others = fleet();
    others.extend([prod, candidate("x-qualif", "rest")]);
    let mut script = Script::new(others);
    let wave = |script: &Script, name: &str| script.frozen.plan.find(name).unwrap().0.name.clone();
    assert_eq!(wave(&script, "x-prod"), wave(&script, "x-qualif"));
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
    assert!(script.at("tenantStarted x-prod") >= script.at("tenantSucceeded x-qualif"));
}

#[test]
fn a_chain_over_groups_ends_up_in_the_wave_of_whom_it_begins_with() {
    let after = |name: &str, ring: &str, before: &str| {
        let mut one = candidate(name, ring);
        one.place.after = vec![before.to_owned()];
        one
    };
    let mut others = fleet();
    others.extend([
        candidate("x-database", "rest"),
        after("x-chat", "canary", "x-accounts"),
        after("x-accounts", "canary", "x-database"),
    ]);
    let mut script = Script::new(others);
    let wave = |name: &str| script.frozen.plan.find(name).unwrap().0.name.clone();
    let names = ["x-database", "x-accounts", "x-chat"];
    assert_eq!(names.map(wave), [(); 3].map(|()| wave("x-database")));
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
    assert!(script.at("tenantStarted x-accounts") >= script.at("tenantSucceeded x-database"));
    assert!(script.at("tenantStarted x-chat") >= script.at("tenantSucceeded x-accounts"));
}

#[test]
fn whoever_comes_after_somebody_who_is_left_out_is_left_out_too_but_not_after_one_who_is_unchanged()
{
    let after = |name: &str, before: &str| {
        let mut one = candidate(name, "rest");
        one.place.after = vec![before.to_owned()];
        one
    };
    let mut away = candidate("x-master", "rest");
    away.kept_out = Some(Exclusion::Unreachable("no answer".to_owned()));
    let mut same = candidate("y-master", "rest");
    same.current = Some(digest("new"));
    let mut others = fleet();
    others.extend([
        away,
        after("x-other", "x-master"),
        after("x-third", "x-other"),
        same,
        after("y-other", "y-master"),
    ]);
    let script = Script::new(others);
    let left_out: Vec<String> = script
        .frozen
        .plan
        .exceptions()
        .map(|one| format!("{}: {}", one.tenant, one.reason.words()))
        .collect();
    assert_eq!(
        left_out,
        [
            "x-master: cluster unreachable: no answer",
            "x-other: comes after `x-master` (cluster unreachable: no answer)",
            "x-third: comes after `x-other` (comes after `x-master` (cluster unreachable: no answer))",
        ]
    );
    assert!(script.frozen.plan.find("y-other").is_some());
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
        serves: true,
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
            serves: true,
            headline: String::new(),
        };
        progress.observe("canary-a", sample, seconds(60));
    }
    assert_eq!(progress.tenants["canary-a"].healthy_since, Some(at(200)));
}

#[test]
fn who_dies_as_the_soak_ends_is_back_before_its_wave_is_over() {
    let mut went_back = 0;
    for second in 280..360 {
        let mut script = Script::new(fleet()).tenant("tenant-9", Behaviour::DiesAt(second));
        script.run();
        let at = |line: &str| script.trace.iter().position(|one| one.ends_with(line));
        let Some(back) = at("tenantGoesBack tenant-9") else {
            continue;
        };
        went_back += 1;
        let is_back = at("tenantRolledBack tenant-9").expect("it goes back");
        let over = at("waveAdvanced rest").expect("one may fail");
        assert!(
            back < is_back && is_back < over,
            "{second}: {:?}",
            script.trace
        );
    }
    assert!(0 < went_back);
}
