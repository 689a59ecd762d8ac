//! Limits on failures while tenants are in flight, and waiting without an end in sight.

use super::*;
use crate::fleet::config::FailureMode;

#[test]
fn in_strict_mode_at_most_one_more_fails_than_may() {
    let doomed = || {
        let script = Script::new(fleet());
        let names: Vec<String> = script.progress.tenants.keys().cloned().collect();
        let rest = names.iter().filter(|name| !name.starts_with("canary"));
        rest.fold(script, |script, name| {
            script.tenant(name, Behaviour::Doomed(8))
        })
    };
    let mut soft = doomed();
    soft.run();
    let mut strict = doomed();
    strict.frozen.strategy.spec.limits.max_failures.mode = FailureMode::Strict;
    strict.run();
    // A tenth of twelve tenants is two.
    assert_eq!(strict.count("tenantFailed"), 3);
    assert_eq!(strict.most_in_flight, 3);
    assert!(strict.count("tenantFailed") < soft.count("tenantFailed"));
}

#[test]
fn a_soak_whose_time_has_passed_waits_to_see_everyone_and_for_no_time() {
    let mut script = Script::new(fleet());
    while script.at("soakStarted canary").is_none() {
        match script.frozen.next(&script.progress, script.now) {
            Next::Do(decisions) => decisions.into_iter().for_each(|what| script.happen(what)),
            _ => script.pass_a_second(),
        }
    }
    // Nobody is looked at for an hour.
    script.now += seconds(3600);
    let Next::Wait(wait) = script.frozen.next(&script.progress, script.now) else {
        panic!("it goes on without having seen anyone");
    };
    assert_eq!(wait.until, None);
    assert!(wait.on[1].contains("to be seen healthy"), "{:?}", wait.on);
}

#[test]
fn t06_a_breach_names_some_and_counts_the_rest() {
    let many = (0..400).map(|number| candidate(&format!("tenant-{number:03}"), "canary"));
    let mut script = Script::new(many.collect());
    script.frozen.strategy.spec.limits.max_concurrency.all = Some(Limit::Count(400));
    for tenant in script.progress.tenants.clone().into_keys() {
        script.behaviours.insert(tenant, Behaviour::Broken);
    }
    let Next::Finished { outcome, why } = script.run() else {
        panic!("{:?}", script.trace);
    };
    assert_eq!(outcome, Outcome::Failed);
    assert!(
        why.starts_with("400 of the rollout failed, 40 may: tenant-000, "),
        "{why}"
    );
    assert!(why.ends_with(", tenant-009 and 390 more"), "{why}");
    // What a record of the hub says does not grow with the fleet.
    assert!(why.len() < 400, "{} bytes", why.len());
}
