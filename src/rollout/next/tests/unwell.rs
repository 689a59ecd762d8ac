//! Clusters that answer and are unwell: their tenants are waited for, and have not failed.

use super::*;

const MINUTES: i64 = 60;

/// The usual fleet, and some tenants on a cluster of their own.
fn script(far: usize) -> Script {
    let mut candidates = fleet();
    let far = (0..far).map(|number| candidate(&format!("far-{number}"), "rest"));
    candidates.extend(far);
    let mut strategy = strategy();
    strategy.spec.waves.retain(|wave| wave.name != "early");
    strategy.spec.limits.max_concurrency.cluster = Some(Limit::Count(2));
    strategy.spec.limits.max_failures.all = Some(Limit::Count(2));
    let mut script = Script::with(strategy, candidates);
    script.until("waveStarted rest");
    script
}

/// It turns unwell when the first two tenants there settle; so many others are ill with them.
fn ill(far: usize, others: usize) -> Script {
    let mut script = script(far);
    script.until("tenantWritten far-1");
    script.ill.insert("c1".to_owned(), others);
    script
}

#[test]
fn its_tenants_are_interrupted_and_gone_on_with_when_it_is_well_again() {
    let mut script = ill(6, 2);
    script.until("clusterUnwell c1");
    for _ in 0..5 * MINUTES {
        while let Next::Do(decisions) = script.frozen.next(&script.progress, script.now) {
            for what in decisions {
                script.happen(what);
            }
        }
        script.answer();
        script.pass_a_second();
    }
    assert_eq!(
        script.count("tenantStarted"),
        2 + 10 + 2,
        "{:?}",
        script.trace
    );
    assert_eq!(script.count("tenantSucceeded"), 12, "the others go on");
    script.ill.clear();
    let mended = script.now.as_second();
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
    assert_eq!(script.count("tenantInterrupted"), 2);
    assert_eq!(script.count("tenantFailed"), 0);
    assert_eq!(script.count("clusterUnwell"), 1);
    assert!(script.at("clusterWell c1").unwrap() >= mended + MINUTES);
}

#[test]
fn whoever_is_ill_for_too_long_is_deferred() {
    let mut script = ill(6, 2);
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::SucceededWithExceptions));
    let since = script.at("clusterUnwell c1").unwrap();
    for far in ["tenantDeferred far-0", "tenantDeferred far-5"] {
        assert_eq!(script.at(far).unwrap() - since, 15 * MINUTES);
    }
    assert_eq!(script.count("tenantFailed"), 0);
    assert_eq!(script.count("tenantGoesBack"), 0);
    let Phase::Deferred { why } = &script.progress.tenants["far-0"].phase else {
        panic!("it is deferred")
    };
    assert_eq!(
        why,
        "cluster `c1` was unwell for 15m: 2 of 4 tenants turned unhealthy that this rollout has not touched, \
         `far-2`: no pod is ready"
    );
}

#[test]
fn one_other_that_is_ill_excuses_nobody() {
    let mut script = ill(6, 1);
    script.until("tenantGoesBack far-1");
    assert_eq!(script.count("clusterUnwell"), 0);
    assert_eq!(script.count("tenantFailed"), 2);
}

#[test]
fn without_two_others_a_failure_is_a_failure() {
    let mut script = ill(3, 3);
    script.until("tenantFailed far-0");
    assert_eq!(script.count("clusterUnwell"), 0);
}

#[test]
fn who_was_not_healthy_before_tells_nothing() {
    let mut script = script(4);
    for wave in &mut script.frozen.plan.waves {
        for planned in &mut wave.tenants {
            if planned.place.tenant == "far-3" {
                planned.unhealthy_before = Some("crashing".to_owned());
            }
        }
    }
    script.until("tenantWritten far-1");
    script.ill.insert("c1".to_owned(), 3);
    script.until("tenantFailed far-0");
}

#[test]
fn the_strategy_may_call_it_a_failure() {
    let mut script = ill(6, 2);
    script.frozen.strategy.spec.on_unreachable.then = UnreachableThen::Fail;
    script.until("clusterUnwell c1");
    let since = script.at("clusterUnwell c1").unwrap();
    script.until("tenantFailed far-0");
    assert_eq!(
        script.at("tenantFailed far-0").unwrap() - since,
        15 * MINUTES
    );
    let failure = script.progress.tenants["far-0"].failure.clone();
    assert_eq!(failure.map(|failed| failed.how), Some(Failure::Unwell));
}

#[test]
fn a_way_back_is_written_and_not_called_failed_before_its_own_patience_ends() {
    let mut script = script(6).tenant("far-0", Behaviour::Doomed(8));
    script.until("tenantGoesBack far-0");
    script.ill.insert("c1".to_owned(), 4);
    script.until("tenantBackWritten far-0");
    let written = script.at("tenantBackWritten far-0").unwrap();
    script.until("tenantRollbackFailed far-0");
    let failed = script.at("tenantRollbackFailed far-0").unwrap();
    assert!(failed - written >= 15 * MINUTES);
}

#[test]
fn a_way_back_that_is_interrupted_ends_well_when_the_cluster_is() {
    let mut script = script(6).tenant("far-0", Behaviour::Doomed(8));
    script.until("tenantBackWritten far-0");
    script.ill.insert("c1".to_owned(), 4);
    script.until("tenantInterrupted far-0");
    script.ill.clear();
    script.until("tenantRolledBack far-0");
}

#[test]
fn a_cluster_that_is_well_now_and_then_is_not_waited_for_for_ever() {
    let mut script = ill(6, 2);
    script.until("tenantInterrupted far-0");
    for _ in 0..10_000 {
        if script.at("tenantDeferred far-0").is_some() {
            break;
        }
        let is_ill = script.progress.illnesses.current("c1").is_some();
        // Only the others get well, and only for a moment.
        let others = if is_ill { 0 } else { 2 };
        script.ill.insert("c1".to_owned(), others);
        match script.frozen.next(&script.progress, script.now) {
            Next::Do(decisions) => decisions.into_iter().for_each(|what| script.happen(what)),
            _ if script.answer() => {}
            _ => script.pass_a_second(),
        }
    }
    assert!(script.count("clusterUnwell") > 3);
    let first = script.at("tenantInterrupted far-0").unwrap();
    let given_up = script.at("tenantDeferred far-0").unwrap();
    assert!((15 * MINUTES..17 * MINUTES).contains(&(given_up - first)));
}

#[test]
fn whoever_soaks_there_is_waited_for_and_deferred_too() {
    let mut script = script(6);
    script.until("tenantSucceeded far-1");
    script.ill.insert("c1".to_owned(), 2);
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::SucceededWithExceptions));
    assert_eq!(script.count("tenantFailed"), 0);
    assert!(script.at("tenantDeferred far-1").is_some());
}

#[test]
fn whoever_was_left_in_the_middle_waits_until_the_others_were_looked_at() {
    let mut script = script(6);
    let left_off = script.progress.tenants.get_mut("far-0").unwrap();
    left_off.phase = Phase::LeftOff;
    left_off.is_touched = true;
    script.ill.insert("c1".to_owned(), 2);
    script.until("clusterUnwell c1");
    assert_eq!(script.at("tenantStarted far-0"), None);
    script.ill.clear();
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
}
