//! What proves a wave, and what no longer does.

use super::*;
use crate::fleet::config::OnBreach;

fn taken_over(tenant: &str) -> What {
    What::TenantTakenOver {
        tenant: tenant.to_owned(),
        by: "ana".to_owned(),
    }
}

#[test]
fn a_canary_of_which_nothing_is_left_stops_for_a_person_who_may_go_on_without_it() {
    let mut script = Script::new(fleet());
    script.until("soakStarted canary");
    script.happen(taken_over("canary-a"));
    script.happen(taken_over("canary-b"));
    let end = script.run();
    assert!(
        matches!(&end, Next::Wait(wait) if wait.whom == Whom::Person { failed: true }),
        "{end:?}"
    );
    assert_eq!(script.at("waveStarted early"), None);
    script.happen(What::Resumed {
        by: "ana".to_owned(),
        why: "they were put back for another reason".to_owned(),
    });
    assert_eq!(
        outcome(&script.run()),
        Some(Outcome::SucceededWithExceptions)
    );
    assert!(script.at("waveSkipped canary").is_some());
    assert_eq!(script.count("tenantSucceeded"), 12);
}

#[test]
fn what_is_left_of_a_canary_goes_on_proving() {
    let mut script = Script::new(fleet());
    script.until("soakStarted canary");
    script.happen(taken_over("canary-a"));
    assert_eq!(
        outcome(&script.run()),
        Some(Outcome::SucceededWithExceptions)
    );
    assert!(script.at("waveAdvanced canary").is_some());
}

#[test]
fn a_canary_that_dies_late_does_what_its_own_wave_says() {
    let mut script = Script::new(fleet()).tenant("canary-b", Behaviour::DiesAt(345));
    for wave in &mut script.frozen.plan.waves {
        if wave.role != Role::Canary {
            wave.on_breach = OnBreach::Continue;
        }
    }
    assert_eq!(outcome(&script.run()), Some(Outcome::RolledBack));
}

#[test]
fn a_wave_is_not_over_while_the_last_of_those_who_proved_it_goes_back() {
    let mut fleet = fleet();
    fleet.truncate(4);
    let mut script = Script::new(fleet).tenant("tenant-1", Behaviour::DiesAt(100));
    script.until("soakStarted early");
    script.happen(taken_over("tenant-0"));
    assert_eq!(
        outcome(&script.run()),
        Some(Outcome::SucceededWithExceptions)
    );
    let back = script.at("tenantRolledBack tenant-1");
    let skipped = script.at("waveSkipped early");
    assert!(back.is_some() && back <= skipped, "{:#?}", script.trace);
}
