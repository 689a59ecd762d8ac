//! Clusters that do not answer: the others go on, and nobody is waited for without end.

use super::*;

const MINUTES: i64 = 60;

/// The usual fleet, and two tenants on a cluster of their own.
fn fleet_and_two_far() -> Vec<Candidate> {
    let mut candidates = fleet();
    candidates.extend(["far-a", "far-b"].map(|name| candidate(name, "rest")));
    candidates
}

fn script() -> Script {
    let mut strategy = strategy();
    // Without it, both far tenants go with the last wave.
    strategy.spec.waves.retain(|wave| wave.name != "early");
    let mut script = Script::with(strategy, fleet_and_two_far());
    script.frozen.strategy.spec.limits.max_failures.all = Some(Limit::Count(2));
    script.until("waveStarted rest");
    script
}

#[test]
fn the_others_go_on_and_its_tenants_are_deferred() {
    let mut script = script();
    script.lose("c1", 1_000 * MINUTES);
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::SucceededWithExceptions));
    assert_eq!(script.count("tenantSucceeded"), 12);
    let lost = script.at("clusterUnreachable c1").unwrap();
    for far in ["tenantDeferred far-a", "tenantDeferred far-b"] {
        assert_eq!(script.at(far).unwrap() - lost, 15 * MINUTES);
    }
    assert_eq!(script.count("tenantFailed"), 0);
}

#[test]
fn whoever_is_back_in_time_is_gone_on_with() {
    let mut script = script();
    script.lose("c1", 5 * MINUTES);
    let end = script.run();
    assert_eq!(
        outcome(&end),
        Some(Outcome::Succeeded),
        "{:?}",
        script.trace
    );
    // What was interrupted began anew.
    assert_eq!(script.count("tenantInterrupted"), 2);
    assert_eq!(script.count("tenantStarted"), 14 + 2);
}

#[test]
fn silence_while_it_settles_does_not_count_against_it() {
    let mut script = script().tenant("far-a", Behaviour::Healthy(11 * MINUTES));
    script.until("tenantWritten far-a");
    script.lose("c1", 9 * MINUTES);
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
}

#[test]
fn a_way_back_that_is_cut_off_is_gone_on_with() {
    let mut script = script().tenant("far-a", Behaviour::Doomed(8));
    script.until("tenantGoesBack far-a");
    script.lose("c1", 5 * MINUTES);
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::SucceededWithExceptions));
    assert_eq!(script.count("tenantRolledBack"), 1);
}

#[test]
fn a_way_back_that_stays_cut_off_has_failed() {
    let mut script = script().tenant("far-a", Behaviour::Doomed(8));
    script.until("tenantGoesBack far-a");
    script.lose("c1", 1_000 * MINUTES);
    assert_eq!(outcome(&script.run()), Some(Outcome::Failed));
    assert_eq!(script.count("tenantRollbackFailed"), 1);
}

#[test]
fn the_strategy_may_call_it_a_failure() {
    let mut script = script();
    script.frozen.strategy.spec.on_unreachable.then = UnreachableThen::Fail;
    script.until("tenantWritten far-a");
    script.lose("c1", 1_000 * MINUTES);
    assert_eq!(outcome(&script.run()), Some(Outcome::Failed));
    assert_eq!(script.count("tenantFailed"), 2);
}

#[test]
fn whoever_was_written_to_and_is_away_is_not_back() {
    let mut script = script();
    script.frozen.strategy.spec.limits.max_failures.all = Some(Limit::Count(0));
    for wave in &mut script.frozen.plan.waves {
        wave.on_breach = crate::fleet::config::OnBreach::Rollback;
    }
    script.until("tenantWritten far-a");
    script.lose("c1", 1_000 * MINUTES);
    script.until("tenantDeferred far-a");
    let last = script.frozen.plan.waves[1].tenants.last().unwrap();
    let tenant = last.place.tenant.clone();
    script.happen(What::TenantFailed {
        tenant,
        how: Failure::DiedLater,
        why: "dead".to_owned(),
    });
    let end = script.run();
    let Next::Finished { outcome, why } = end else {
        panic!("{end:?}")
    };
    assert_eq!(outcome, Outcome::Failed);
    assert!(why.ends_with("not back: far-a, far-b"), "{why}");
}

/// The wave of the far tenants, which have succeeded, is taken back while their cluster is away for so long.
fn taken_back_while_away(away: i64) -> (Script, Next) {
    let mut script = script();
    script.frozen.strategy.spec.limits.max_failures.all = Some(Limit::Count(0));
    for wave in &mut script.frozen.plan.waves {
        wave.on_breach = crate::fleet::config::OnBreach::Rollback;
    }
    script.until("tenantSucceeded far-a");
    script.until("tenantSucceeded far-b");
    let of_far = script.frozen.plan.waves[1].tenants.iter();
    let mut names = of_far.map(|planned| planned.place.tenant.clone());
    let tenant = names.rfind(|name| !name.starts_with("far")).unwrap();
    script.lose("c1", away);
    script.happen(What::ClusterUnreachable {
        cluster: "c1".to_owned(),
        why: "no answer".to_owned(),
    });
    script.happen(What::TenantFailed {
        tenant,
        how: Failure::DiedLater,
        why: "dead".to_owned(),
    });
    let end = script.run();
    (script, end)
}

#[test]
fn whoever_has_to_go_back_and_is_away_is_waited_for() {
    let (script, end) = taken_back_while_away(5 * MINUTES);
    assert_eq!(outcome(&end), Some(Outcome::RolledBack));
    for far in ["tenantRolledBack far-a", "tenantRolledBack far-b"] {
        assert!(script.at(far).is_some(), "{far}");
    }
}

#[test]
fn whoever_has_to_go_back_and_stays_away_is_not_back() {
    let (script, end) = taken_back_while_away(1_000 * MINUTES);
    let Next::Finished { outcome, why } = end else {
        panic!("{end:?}")
    };
    assert_eq!(outcome, Outcome::Failed);
    assert!(why.ends_with("not back: far-a, far-b"), "{why}");
    assert_eq!(
        script.count("tenantGoesBack"),
        3,
        "nobody is written to who is away"
    );
    assert_eq!(script.count("tenantRollbackFailed"), 2);
}

/// Its health cannot be seen now; what there is to do.
fn unknown(script: &mut Script, tenant: &str) -> Vec<What> {
    let sample = Sample {
        at: script.now,
        health: Health::Unknown,
        serves: false,
        headline: "forbidden".to_owned(),
    };
    let max_gap = script.frozen.strategy.max_sample_gap;
    script.progress.observe(tenant, sample, max_gap);
    match script.frozen.next(&script.progress, script.now) {
        Next::Do(decisions) => decisions,
        _ => Vec::new(),
    }
}

#[test]
fn the_time_before_silence_is_noticed_does_not_count_either() {
    let mut script = script();
    script.until("tenantWritten far-a");
    let deadline = script
        .frozen
        .strategy
        .spec
        .tenant
        .progress_deadline
        .to_signed();
    let fails =
        |what: &What| matches!(what, What::TenantFailed { tenant, .. } if tenant == "far-a");
    script.now += seconds(1);
    assert_eq!(unknown(&mut script, "far-a"), []);
    // It answers again before anybody has noticed that it did not, and may not be asked yet.
    script.now += deadline;
    assert!(!unknown(&mut script, "far-a").iter().any(fails));
    for _ in 0..deadline.as_secs() - 2 {
        script.now += seconds(1);
        assert!(!unknown(&mut script, "far-a").iter().any(fails));
    }
    script.now += seconds(2);
    assert!(unknown(&mut script, "far-a").iter().any(fails));
}

#[test]
fn a_cluster_that_comes_and_goes_is_not_tried_for_ever() {
    let mut script = script();
    while script.at("tenantDeferred far-a").is_none() {
        match script.frozen.next(&script.progress, script.now) {
            Next::Do(decisions) => decisions.into_iter().for_each(|what| {
                script.happen(what.clone());
                cut_off(&mut script, &what);
            }),
            _ => script.pass_a_second(),
        }
    }
    let first = script.at("tenantInterrupted far-a").unwrap();
    let given_up = script.at("tenantDeferred far-a").unwrap();
    assert!((15 * MINUTES..15 * MINUTES + 10).contains(&(given_up - first)));
}

/// The cluster answers whoever asks whether it is there, and no write.
fn cut_off(script: &mut Script, what: &What) {
    let What::TenantStarted { tenant } = what else {
        return;
    };
    if !tenant.starts_with("far") {
        return;
    }
    let (cluster, why) = ("c1".to_owned(), "no answer".to_owned());
    script.happen(What::ClusterUnreachable {
        cluster: cluster.clone(),
        why: why.clone(),
    });
    script.happen(What::TenantInterrupted {
        tenant: tenant.clone(),
        is_touched: false,
        why,
    });
    script.now += seconds(5);
    script.happen(What::ClusterAnswers { cluster });
}
