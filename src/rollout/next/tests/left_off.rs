//! Who was left in the middle by a process that is gone, in every state that a rollout may be found in.

use super::*;

/// A rollout whose canary has passed, found with one of the next wave left in the middle.
fn found(state: State) -> (Script, String) {
    let mut script = Script::new(fleet());
    script.until("waveStarted early");
    let left = script.frozen.plan.waves[1].tenants.last().unwrap();
    let left = left.place.tenant.clone();
    let progress = TenantProgress::new(Phase::LeftOff);
    script.progress.tenants.insert(left.clone(), progress);
    script.progress.state = state;
    // Its cluster is well.
    script.answer();
    (script, left)
}

fn next(script: &Script) -> Vec<What> {
    match script.frozen.next(&script.progress, script.now) {
        Next::Do(decisions) => decisions,
        other => panic!("{other:?}"),
    }
}

fn starts(tenant: &str) -> What {
    let tenant = tenant.to_owned();
    What::TenantStarted { tenant }
}

#[test]
fn it_is_gone_on_with_before_anybody_else_also_when_nobody_new_may_start() {
    let (by, why) = ("ana".to_owned(), "a look".to_owned());
    let paused = State::Paused {
        by: by.clone(),
        why,
        failed: false,
    };
    for state in [State::Running, paused, State::Superseding { by }] {
        let (script, left) = found(state);
        assert_eq!(next(&script), [starts(&left)]);
    }
}

#[test]
fn it_goes_back_when_the_release_has_failed() {
    let why = "3 failed".to_owned();
    let paused = State::Paused {
        by: "escale".to_owned(),
        why: why.clone(),
        failed: true,
    };
    for state in [State::RollingBack { why }, paused] {
        let (script, left) = found(state);
        let decisions = next(&script);
        let goes_back =
            |what: &What| matches!(what, What::TenantGoesBack { tenant, .. } if *tenant == left);
        assert!(decisions.iter().any(goes_back), "{decisions:?}");
        assert!(!decisions.contains(&starts(&left)));
    }
}

#[test]
fn it_keeps_its_place_under_the_limits() {
    let (mut script, left) = found(State::Running);
    script.frozen.strategy.spec.limits.max_concurrency.all = Some(Limit::Count(2));
    script.most_in_flight = 0;
    for _ in 0..2 {
        for what in next(&script) {
            script.happen(what);
        }
    }
    assert!(script.at(&format!("tenantStarted {left}")).is_some());
    // Two canaries before, and one beside it.
    assert_eq!(script.count("tenantStarted"), 2 + 2);
    assert_eq!(script.most_in_flight, 2);
}
