//! Gates: windows, freezes and approvals, each looked at in the same breath as a start.

use jiff::Timestamp;
use serde_json::json;

use super::script::{Behaviour, Script, fleet, outcome, seconds, strategy};
use crate::record::{RolloutRecord, RolloutState, Scope, Verb, Word, last_words};
use crate::rollout::next::{Next, Wait};
use crate::rollout::*;

fn rollout(id: &str) -> RolloutRecord {
    RolloutRecord {
        id: id.to_owned(),
        environment: "test".to_owned(),
        rebuild: None,
        false_no_ops: 0,
        release: None,
        strategy: "normal".to_owned(),
        created: Timestamp::UNIX_EPOCH,
        by: "ana".to_owned(),
        why: "a test".to_owned(),
        whole: true,
        state: RolloutState::Running,
        reason: None,
        since: Timestamp::UNIX_EPOCH,
        superseded_by: None,
        excused: None,
        waves: Vec::new(),
        shards: 0,
        frozen: serde_json::Value::Null,
    }
}

fn word(verb: Verb, scope: Scope) -> Word {
    Word {
        verb,
        environment: "test".to_owned(),
        scope,
        author: "ana".to_owned(),
        reason: "a move".to_owned(),
        at: Timestamp::UNIX_EPOCH + seconds(1),
        expires: None,
    }
}

fn wave(rollout: &str, wave: &str) -> Scope {
    Scope::Wave {
        rollout: rollout.to_owned(),
        wave: wave.to_owned(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + seconds(second)
}

impl Script {
    /// The conductor has heard these words, and no others.
    fn hear(&mut self, words: &[Word]) {
        self.progress.gates = Gates::of(&last_words(words), &rollout("r1"));
    }

    /// Runs until it waits for something other than tenants.
    fn wait(&mut self) -> Wait {
        match self.run() {
            Next::Wait(wait) => wait,
            end => panic!("{end:?} instead of a wait"),
        }
    }

    fn in_flight(&self) -> usize {
        let tenants = self.progress.tenants.values();
        tenants.filter(|one| one.phase.is_in_flight()).count()
    }
}

fn with_approval_of(name: &str) -> Script {
    let mut strategy = strategy();
    let waves = strategy.spec.waves.iter_mut();
    waves
        .filter(|wave| wave.name == name)
        .for_each(|wave| wave.approval = true);
    Script::with(strategy, fleet())
}

#[test]
fn a_frozen_environment_starts_nobody_and_says_by_whom_and_why() {
    let mut script = Script::new(fleet());
    script.hear(&[word(Verb::Freeze, Scope::Environment)]);
    let wait = script.wait();
    assert_eq!(
        wait,
        Wait {
            until: None,
            on: vec![
                "the freeze of the whole environment by ana (a move) to end by `escale thaw`"
                    .to_owned()
            ],
            whom: Whom::Gate,
        }
    );
    assert_eq!(script.trace, Vec::<String>::new());
    script.hear(&[]);
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
}

#[test]
fn a_freeze_stops_starts_in_the_middle_and_lets_what_is_in_flight_settle() {
    let mut script = Script::new(fleet());
    script.until("tenantStarted tenant-5");
    let started = script.count("tenantStarted");
    script.hear(&[word(Verb::Freeze, Scope::Environment)]);
    assert_eq!(script.wait().whom, Whom::Gate);
    assert_eq!(script.in_flight(), 0);
    assert_eq!(script.count("tenantStarted"), started);
    assert_eq!(script.count("tenantSucceeded"), started);
}

#[test]
fn a_freeze_that_expires_ends_by_itself_and_wakes_whoever_waits() {
    let mut script = Script::new(fleet());
    let freeze = Word {
        expires: Some(at(100)),
        ..word(Verb::Freeze, Scope::Environment)
    };
    script.hear(&[freeze]);
    let wait = script.wait();
    assert_eq!(wait.until, Some(at(100)));
    assert!(
        wait.on[0].ends_with("to end at 1970-01-01 00:01:40 UTC"),
        "{wait:?}"
    );
    script.now = at(99);
    assert_eq!(script.wait().until, Some(at(100)));
    script.now = at(100);
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
    assert_eq!(script.at("tenantStarted canary-a"), Some(100));
}

#[test]
fn a_frozen_cluster_makes_only_its_own_tenants_wait_and_they_take_nobodys_place() {
    let mut two_clusters = fleet();
    for candidate in &mut two_clusters[..7] {
        candidate.place.cluster = "c1".to_owned();
    }
    let mut script = Script::new(two_clusters);
    script.hear(&[word(Verb::Freeze, Scope::Cluster("c0".to_owned()))]);
    let wait = script.wait();
    assert_eq!(wait.whom, Whom::Gate);
    assert_eq!(script.in_flight(), 0);
    let started = |tenant: &str| script.at(&format!("tenantStarted {tenant}")).is_some();
    assert!(started("canary-a") && started("canary-b"));
    let early = &script.frozen.plan.waves[1].tenants;
    for planned in early {
        let is_free = planned.place.cluster == "c1";
        assert_eq!(
            started(&planned.place.tenant),
            is_free,
            "{}",
            planned.place.tenant
        );
    }

    let mut script = Script::new(fleet());
    let frozen = (0..8).map(|number| word(Verb::Freeze, Scope::Tenant(format!("tenant-{number}"))));
    script.hear(&frozen.collect::<Vec<_>>());
    script.until("tenantSucceeded canary-b");
    let wait = script.wait();
    let early = &script.frozen.plan.waves[1].tenants;
    let free = early
        .iter()
        .filter(|planned| ["tenant-8", "tenant-9"].contains(&planned.place.tenant.as_str()));
    assert_eq!(script.count("tenantSucceeded"), 2 + free.count());
    assert_eq!(wait.whom, Whom::Gate);
}

#[test]
fn a_tenant_that_fails_goes_back_through_a_freeze_and_names_it() {
    let mut script = Script::new(fleet()).tenant("canary-a", Behaviour::Doomed(8));
    script.until("tenantStarted canary-b");
    script.hear(&[word(Verb::Freeze, Scope::Environment)]);
    script.until("tenantFailed canary-a");
    let Next::Do(decisions) = script.frozen.next(&script.progress, script.now) else {
        panic!("nothing is done about the failure")
    };
    let breach = decisions.into_iter().next().unwrap();
    script.happen(breach);
    let Next::Do(decisions) = script.frozen.next(&script.progress, script.now) else {
        panic!("nobody goes back")
    };
    let What::TenantGoesBack { why, .. } = &decisions[0] else {
        panic!("{decisions:?}")
    };
    assert!(
        why.ends_with("; passes the freeze of the whole environment by ana (a move)"),
        "{why}"
    );
    assert_eq!(outcome(&script.run()), Some(Outcome::RolledBack));
}

#[test]
fn outside_its_window_a_rollout_waits_and_says_until_when() {
    let mut strategy = strategy();
    // The epoch is a Thursday.
    strategy.spec.windows = serde_json::from_value(json!([
        {"allow": "Thu 01:00-01:07", "zone": "UTC"},
        {"allow": "Fri 01:00-02:00", "zone": "Europe/Paris"},
    ]))
    .unwrap();
    let mut script = Script::with(strategy, fleet());
    let wait = script.wait();
    assert_eq!(
        wait.on,
        ["the window to open: Fri 1970-01-02 01:00 (Europe/Paris)"]
            .map(|_| { "the window to open: Thu 1970-01-01 01:00 (UTC)".to_owned() })
    );
    assert_eq!(wait.until, Some(at(3600)));
    assert_eq!(wait.whom, Whom::Gate);

    script.now = at(3600);
    let wait = script.wait();
    assert_eq!(
        wait.until,
        Some(at(24 * 3600)),
        "01:00 in Paris is midnight in UTC"
    );
    assert!(
        wait.on[0].contains("Fri 1970-01-02 01:00 (Europe/Paris)"),
        "{wait:?}"
    );
    assert_eq!(
        script.in_flight(),
        0,
        "the window closed, and nobody was interrupted"
    );
    let started = script.count("tenantStarted");
    assert!(0 < started && started < 12, "{:?}", script.trace);
    assert_eq!(script.count("tenantSucceeded"), started);
    let late = script
        .trace
        .iter()
        .filter(|line| line.contains("tenantStarted"));
    for line in late {
        let second: i64 = line.split(' ').next().unwrap().parse().unwrap();
        assert!((3600..3600 + 7 * 60).contains(&second), "{line}");
    }
    script.now = at(24 * 3600);
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
}

#[test]
fn a_wave_that_needs_an_approval_waits_for_a_person_and_says_what_to_type() {
    let mut script = with_approval_of("early");
    let wait = script.wait();
    assert_eq!(
        wait,
        Wait {
            until: None,
            on: vec!["approval of wave `early`: `escale approve --wave early`".to_owned()],
            whom: Whom::Person { failed: false },
        }
    );
    assert_eq!(script.at("waveStarted early"), None);
    script.hear(&[word(Verb::Approve, wave("r1", "early"))]);
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
}

#[test]
fn an_approval_may_come_while_the_wave_before_soaks() {
    let mut script = with_approval_of("early");
    script.until("soakStarted canary");
    script.pass_a_second();
    let Next::Wait(soak) = script.frozen.next(&script.progress, script.now) else {
        panic!("it soaks")
    };
    assert!(
        soak.on
            .iter()
            .any(|on| on.starts_with("approval of wave `early`")),
        "{soak:?}"
    );
    script.hear(&[word(Verb::Approve, wave("r1", "early"))]);
    script.until("waveStarted early");
    let soaked = script.at("waveAdvanced canary").unwrap();
    assert_eq!(script.at("waveStarted early"), Some(soaked));
}

#[test]
fn an_approval_of_another_rollout_or_wave_opens_nothing() {
    let mut script = with_approval_of("early");
    script.hear(&[
        word(Verb::Approve, wave("r0", "early")),
        word(Verb::Approve, wave("r1", "rest")),
        word(Verb::Approve, Scope::Rollout("r1".to_owned())),
    ]);
    assert_eq!(script.wait().whom, Whom::Person { failed: false });
    assert_eq!(script.at("waveStarted early"), None);
}

#[test]
fn a_wave_that_was_rejected_says_by_whom_and_an_approval_taken_back_is_none() {
    let mut script = with_approval_of("early");
    let rejected = Word {
        at: at(2),
        reason: "too big".to_owned(),
        ..word(Verb::Reject, wave("r1", "early"))
    };
    script.hear(&[word(Verb::Approve, wave("r1", "early")), rejected]);
    assert_eq!(
        script.wait().on,
        [
            "another word on wave `early`, which ana rejected (too big): `escale approve --wave early`"
        ]
    );
}

#[test]
fn all_gates_are_told_at_once_whatever_the_order_in_which_they_open() {
    let mut script = with_approval_of("canary");
    script.frozen = {
        let mut strategy = script.frozen.strategy.clone();
        strategy.spec.windows =
            serde_json::from_value(json!([{"allow": "Thu 01:00-24:00", "zone": "UTC"}])).unwrap();
        Frozen::new(script.frozen.plan.clone(), strategy)
    };
    let freeze = Word {
        expires: Some(at(5000)),
        ..word(Verb::Freeze, Scope::Environment)
    };
    script.hear(std::slice::from_ref(&freeze));
    let wait = script.wait();
    assert_eq!(wait.on.len(), 3, "{wait:?}");
    assert_eq!(wait.until, Some(at(3600)));
    script.hear(&[freeze, word(Verb::Approve, wave("r1", "canary"))]);
    script.now = at(3600);
    let wait = script.wait();
    assert_eq!((wait.until, wait.whom), (Some(at(5000)), Whom::Gate));
    script.now = at(5000);
    assert_eq!(outcome(&script.run()), Some(Outcome::Succeeded));
}

#[test]
fn a_small_plan_needs_the_approval_that_its_tenants_would_have_needed() {
    let mut strategy = strategy();
    strategy.spec.waves[2].approval = true;
    let (canary, others): (Vec<_>, Vec<_>) = fleet()
        .into_iter()
        .partition(|one| one.place.tenant.starts_with("canary"));
    let script = Script::with(strategy.clone(), canary);
    assert!(!script.frozen.plan.waves[0].approval);
    let script = Script::with(strategy, others.into_iter().take(3).collect());
    assert_eq!(script.frozen.plan.waves.len(), 1);
    assert!(script.frozen.plan.waves[0].approval);
}

#[test]
fn a_tenant_that_is_rejected_while_the_rollout_runs_is_left_for_another_one() {
    let mut script = Script::new(fleet());
    script.until("tenantSucceeded canary-a");
    script.hear(&[word(Verb::Reject, Scope::Tenant("tenant-9".to_owned()))]);
    assert_eq!(
        outcome(&script.run()),
        Some(Outcome::SucceededWithExceptions)
    );
    assert!(script.at("tenantDeferred tenant-9").is_some());
    assert_eq!(script.at("tenantStarted tenant-9"), None);
}
