//! `limits.maxUnavailable`, and who was not healthy before.

use super::*;

fn with_unavailable(limit: serde_json::Value) -> Script {
    let mut script = Script::new(fleet());
    let limits = &mut script.frozen.strategy.spec.limits;
    limits.max_unavailable.all = serde_json::from_value(limit).unwrap();
    limits.max_concurrency.all = Some(Limit::Count(12));
    script
}

/// The most tenants that were being written to, or without pods, at any one time.
fn most_down(script: &mut Script) -> usize {
    let mut most = 0;
    loop {
        let is_down = |tenant: &TenantProgress| match tenant.phase {
            Phase::Writing { .. } => true,
            Phase::Settling { .. } => tenant.last_sample.as_ref().is_none_or(|seen| !seen.serves),
            _ => false,
        };
        let down = script.progress.tenants.values().filter(|one| is_down(one));
        most = most.max(down.count());
        match script.frozen.next(&script.progress, script.now) {
            Next::Do(decisions) => decisions.into_iter().for_each(|what| script.happen(what)),
            Next::Wait(wait) if wait.whom == Whom::Tenants => script.pass_a_second(),
            end => {
                assert_eq!(outcome(&end), Some(Outcome::Succeeded), "{end:?}");
                return most;
            }
        }
    }
}

#[test]
fn no_more_tenants_are_down_at_once_than_the_limit_says() {
    let mut script = with_unavailable("20%".into());
    for tenant in script.progress.tenants.clone().into_keys() {
        script.behaviours.insert(tenant, Behaviour::Down(20));
    }
    // 20% of 12, rounded up.
    assert_eq!(most_down(&mut script), 3);
    assert!(
        script.most_in_flight > 3,
        "who serves again waits for its time"
    );
}

#[test]
fn tenants_that_serve_all_the_time_are_only_spaced() {
    let mut script = with_unavailable(1.into());
    assert_eq!(most_down(&mut script), 1);
    let rest = script.at("waveStarted rest").unwrap();
    let soak = script.at("soakStarted rest").unwrap();
    // Seven tenants, one a second or two, and the last 30 s of health.
    assert!(soak - rest < 60, "{:?}", script.trace);
    assert!(script.most_in_flight > 3);
}

#[test]
fn too_many_that_stay_down_stop_the_rollout_for_a_person() {
    let mut script = with_unavailable(1.into()).tenant("tenant-1", Behaviour::Broken);
    script.frozen.strategy.spec.limits.max_failures.all = Some(Limit::Count(3));
    let end = script.run();
    let Next::Wait(wait) = end else {
        panic!("{end:?}")
    };
    assert_eq!(wait.whom, Whom::Person { failed: true });
    let said =
        "`tenant-1` to serve again: no more tenants may be unavailable (`limits.maxUnavailable`)";
    assert_eq!(wait.on, [said]);
}

#[test]
fn who_was_not_healthy_before_is_not_held_against_the_release_nor_counted() {
    let mut script = with_unavailable(1.into()).tenant("tenant-1", Behaviour::Broken);
    let unhealthy = [("tenant-1".to_owned(), "no pods".to_owned())];
    script.frozen.plan.note_unhealthy(unhealthy.into());
    script.frozen.strategy.spec.limits.max_failures.all = Some(Limit::Count(0));
    let end = script.run();
    assert_eq!(outcome(&end), Some(Outcome::SucceededWithExceptions));
    assert_eq!(script.count("tenantSucceeded"), 11);
    assert_eq!(script.count("tenantFailed"), 0);
    assert_eq!(script.count("tenantGoesBack"), 0);
    assert!(script.at("tenantUnhealthyBefore tenant-1").is_some());
}

#[test]
fn a_release_that_heals_who_was_not_healthy_succeeds_there_and_breaking_it_again_counts() {
    let unhealthy = || [("tenant-1".to_owned(), "no pods".to_owned())].into();
    let mut script = Script::new(fleet());
    script.frozen.plan.note_unhealthy(unhealthy());
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));

    let mut script = Script::new(fleet()).tenant("tenant-1", Behaviour::DiesAt(100));
    script.frozen.plan.note_unhealthy(unhealthy());
    script.run();
    assert_eq!(script.count("tenantFailed"), 1);
}

#[test]
fn a_canary_of_which_all_were_unhealthy_before_proves_nothing() {
    let mut script = Script::new(fleet());
    let canaries = ["canary-a", "canary-b"];
    for canary in canaries {
        script = script.tenant(canary, Behaviour::Broken);
    }
    let unhealthy = canaries.map(|name| (name.to_owned(), "no pods".to_owned()));
    script.frozen.plan.note_unhealthy(unhealthy.into());
    let end = script.run();
    let Next::Wait(wait) = end else {
        panic!("{end:?}")
    };
    assert_eq!(wait.whom, Whom::Person { failed: true });
    assert_eq!(script.count("tenantStarted"), 2);
}
