//! Tenants that could not be rendered are failures that happened before anything began.

use super::*;
use crate::fleet::config::{FailureMode, Limit};

/// The fleet of twelve, some of whom could not be rendered.
fn with(unrendered: &[&str]) -> Script {
    let mut fleet = fleet();
    for candidate in &mut fleet {
        if unrendered.contains(&candidate.place.tenant.as_str()) {
            candidate.wanted = Wanted::NotRendered("line 3: no value".to_owned());
        }
    }
    Script::new(fleet)
}

fn fails_before(script: &Script) -> Option<String> {
    script.frozen.plan.fails_before(&script.frozen.strategy)
}

#[test]
fn as_many_as_may_fail_are_left_out_and_the_rollout_ends_with_exceptions() {
    // 10 % of twelve are two.
    let mut script = with(&["tenant-7", "tenant-8"]);
    assert_eq!(fails_before(&script), None);
    assert_eq!(
        outcome(&script.run()),
        Some(Outcome::SucceededWithExceptions)
    );
    assert_eq!(script.count("tenantSucceeded"), 10);
    assert_eq!(script.frozen.plan.exceptions().count(), 2);
}

#[test]
fn one_more_keeps_a_rollout_from_beginning() {
    assert_eq!(
        fails_before(&with(&["tenant-5", "tenant-7", "tenant-8"])).as_deref(),
        Some(
            "3 of the rollout cannot be rendered, 2 may fail (`limits.maxFailures`): tenant-5, tenant-7, tenant-8"
        )
    );
}

#[test]
fn a_mistake_of_everybody_is_no_release_with_nothing_to_do() {
    let mut fleet = fleet();
    for candidate in &mut fleet {
        candidate.wanted = Wanted::NotRendered("line 3: no value".to_owned());
    }
    let script = Script::new(fleet);
    assert!(script.frozen.plan.is_empty());
    let why = fails_before(&script).unwrap();
    assert!(
        why.starts_with("12 of the rollout cannot be rendered, 2 may fail"),
        "{why}"
    );
}

#[test]
fn a_canary_of_the_strategy_does_so_alone() {
    assert_eq!(
        fails_before(&with(&["canary-b"])).as_deref(),
        Some("canary `canary-b` cannot be rendered, and wave `canary` tolerates no failure")
    );
}

#[test]
fn whoever_plays_the_canary_because_nobody_else_changes_is_none() {
    let mut fleet = fleet();
    fleet.retain(|one| one.place.tenant.starts_with("tenant"));
    fleet[0].wanted = Wanted::NotRendered("line 3: no value".to_owned());
    let whole = Script::new(fleet.clone());
    assert_eq!(whole.frozen.plan.unrendered[0].wave, "early");
    assert_eq!(whole.frozen.plan.waves[0].role, Role::Canary);
    assert_eq!(fails_before(&whole), None);

    fleet.truncate(3);
    let mut small = Script::new(fleet);
    assert_eq!(small.frozen.plan.waves[0].name, "all");
    assert_eq!(fails_before(&small), None);
    assert_eq!(
        outcome(&small.run()),
        Some(Outcome::SucceededWithExceptions)
    );
}

#[test]
fn they_use_up_what_may_fail() {
    let mut script = with(&["tenant-8"])
        .tenant("tenant-6", Behaviour::Doomed(8))
        .tenant("tenant-7", Behaviour::Doomed(8));
    script.run();
    assert_eq!(script.count("waveBreached"), 1);
    let State::Paused { why, failed, .. } = &script.progress.state else {
        panic!("{:?}", script.progress.state);
    };
    assert!(failed);
    assert_eq!(
        why,
        "3 of the rollout failed, 2 may: tenant-8, tenant-6, tenant-7"
    );

    script.happen(What::Resumed {
        by: "ana".to_owned(),
        why: "known".to_owned(),
    });
    assert_eq!(
        outcome(&script.run()),
        Some(Outcome::SucceededWithExceptions)
    );
    assert_eq!(
        script.count("waveBreached"),
        1,
        "who said to go on said it of all of them"
    );
}

#[test]
fn who_is_kept_out_for_another_reason_fails_nothing() {
    let mut fleet = fleet();
    for candidate in &mut fleet[5..9] {
        candidate.wanted = Wanted::NotRendered("line 3: no value".to_owned());
        candidate.kept_out = Some(Exclusion::Held("by ana".to_owned()));
    }
    let script = Script::new(fleet);
    assert_eq!(script.frozen.plan.unrendered, []);
}

#[test]
fn in_strict_mode_they_take_the_places_of_those_in_flight() {
    let mut script = with(&["tenant-7", "tenant-8"]);
    script.frozen.strategy.spec.limits.max_failures.mode = FailureMode::Strict;
    script.frozen.strategy.spec.limits.max_failures.all = Some(Limit::Count(3));
    assert_eq!(
        outcome(&script.run()),
        Some(Outcome::SucceededWithExceptions)
    );
    assert_eq!(script.most_in_flight, 2, "three may fail, and two have");
}
