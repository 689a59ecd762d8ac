//! Limits: of how many, over whom, from when to when.

use escale::fleet::load;
use escale::rollout::{Outcome, What};
use escale::sim::Behaviour;

use super::{
    behave, count, dies_after, is_failure, is_start, names, running, scene_with, settled, slow,
};
use crate::gates::{Diary, told};
use crate::scene::{STRATEGY, files, in_virtual_time, left_out, outcome};
use crate::succession::killed_at;

const LIMITS: &str = "limits: {maxConcurrency: {all: 2}, maxFailures: {all: 0}}";
const REST: &str = "{name: rest, soak: 30s, onBreach: pause}";

/// The most tenants that were in flight at any one time.
fn most_in_flight(diary: &Diary) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for (_, what) in &diary.events {
        match what {
            What::TenantStarted { .. } => now += 1,
            What::TenantSucceeded { .. } | What::TenantRolledBack { .. } => now -= 1,
            _ => {}
        }
        most = most.max(now);
    }
    most
}

/// Whoever is in no wave is counted as if it were, and makes every share larger than it is.
#[test]
fn t04_whoever_is_in_no_wave_makes_no_share_larger() {
    in_virtual_time(async {
        let early = "{name: early, select: {ring: early}, size: 50%, soak: 30s}";
        let late = "{name: late, select: {ring: early}, soak: 30s}";
        let mut scene = scene_with([(REST, &format!("{early}\n    - {late}"))]);
        for tenant in ["t1", "t2", "t3"] {
            let path = format!("environments/test/tenants/{tenant}.yaml");
            let text = scene.files[&path].replace("ring: rest", "ring: early");
            scene.files.insert(path, text);
        }
        // Four of six are in a wave: the canary, and three with `ring: early`.
        let (carried, diary) = told(&scene, &scene.release("aaaa", "1"), "job 1").await;
        assert_eq!(left_out(&carried).len(), 2);
        let starts = diary.starts();
        let waves = |wave: &str| {
            super::first(
                &diary,
                |what| matches!(what, What::WaveStarted { wave: name } if name == wave),
            )
        };
        let late = waves("late").expect("half of four go early, the third goes late");
        let early = starts[1..].iter().filter(|(at, _)| *at < late);
        assert_eq!(early.count(), 2, "{starts:?}");
    });
}

/// A limit above what there is falls back to a default of nothing, and the first failure stops everything.
#[test]
fn t11_a_limit_above_what_there_is_means_all_there_is() {
    in_virtual_time(async {
        let limits = "limits: {maxConcurrency: {all: 500}, maxUnavailable: {all: 500}, maxFailures: {all: 500}}";
        let scene = scene_with([(LIMITS, limits)]);
        settled(&scene).await;
        for (cluster, tenant) in [("west", "t1"), ("east", "t2"), ("west", "t3")] {
            behave(&scene.sims[cluster], tenant, "web:2", dies_after(0));
        }
        let (carried, diary) = told(&scene, &scene.release("bbbb", "2"), "job 1").await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(most_in_flight(&diary), 5, "all of the wave at once");
        assert_eq!(running(&scene, "2"), ["t0", "t4", "t5"]);
    });
}

/// Failures are counted only as far down the list as the engine happens to look.
#[test]
fn t12_a_failure_at_the_end_of_the_list_counts() {
    in_virtual_time(async {
        let early = "{name: early, select: {ring: early}, soak: 30s}";
        let one_by_one = LIMITS.replace("all: 2", "all: 1");
        let mut scene = scene_with([
            (LIMITS, &one_by_one),
            (REST, &format!("{early}\n    - {REST}")),
        ]);
        let path = "environments/test/tenants/t5.yaml";
        let text = scene.files[path].replace("ring: rest", "ring: early");
        scene.files.insert(path.to_owned(), text);
        settled(&scene).await;
        behave(&scene.sims["west"], "t5", "web:2", dies_after(60));
        let (_, diary) = told(&scene, &scene.release("bbbb", "2"), "job 1").await;
        let started = names(&diary);
        assert_eq!(started[..2], ["t0", "t5"], "it goes early, and dies later");
        assert_eq!(count(&diary, is_failure), 1);
        let failed = diary.events.iter().position(|(_, what)| is_failure(what));
        let after = &diary.events[failed.expect("it fails")..];
        assert!(!after.iter().any(|(_, what)| is_start(what)), "{after:?}");
        assert!(started.len() < 6, "{started:?}");
    });
}

/// Tenants in flight for the release before are forgotten when a newer one takes over: twice as many are in flight.
#[test]
fn t13_what_an_older_release_has_in_flight_keeps_its_place() {
    in_virtual_time(async {
        let scene = scene_with([("brake:", "onNewer: supersede\n  brake:")]);
        settled(&scene).await;
        let is_written =
            |what: &What| matches!(what, What::TenantWritten { tenant, .. } if tenant == "t2");
        for cluster in ["east", "west"] {
            scene.sims[cluster].tell(slow("web:2"));
        }
        killed_at(&scene, &scene.release("bbbb", "2"), is_written).await;
        let (carried, diary) = told(&scene, &scene.release("cccc", "3"), "job 2").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(most_in_flight(&diary), 2, "{:?}", diary.events);
        assert_eq!(names(&diary)[2], "t0", "the older release settles first");
    });
}

/// The first batch is as large as it likes: budgets are asked only after it.
#[test]
fn t19_the_first_tenant_asks_the_budgets_too() {
    in_virtual_time(async {
        let canary =
            "{name: canary, role: canary, select: {ring: canary}, soak: 30s, onBreach: rollback}";
        let strict = "limits: {maxConcurrency: {all: 500}, maxUnavailable: {all: 500}, maxFailures: {all: 1, mode: strict}}";
        // `rest` is the first wave, so it plays the canary and tolerates nothing.
        let scene = scene_with([(LIMITS, strict), (&format!("    - {canary}\n"), "")]);
        settled(&scene).await;
        let (carried, diary) = told(&scene, &scene.release("bbbb", "2-crash"), "job 1").await;
        assert_eq!(names(&diary), ["t0"]);
        assert_eq!(outcome(&carried), None, "it is paused for a person");
    });
}

/// A limit of nothing is a rollout that never moves, written one way, and one tenant at a time, written another.
#[test]
fn t20_a_limit_of_nothing_is_refused_however_it_is_written() {
    for zero in ["0", "0%"] {
        for limit in [
            format!("limits: {{maxConcurrency: {{all: {zero}}}}}"),
            format!("limits: {{maxUnavailable: {{cluster: {zero}}}}}"),
            format!("rollback: {{maxConcurrency: {{all: {zero}}}}}"),
        ] {
            let refused = load(&files(&STRATEGY.replace(LIMITS, &limit)), "test");
            let said = format!("{:?}", refused.expect_err(&limit));
            assert!(said.contains("never lets a tenant start"), "{said}");
        }
    }
    in_virtual_time(async {
        // No share above nothing rounds down to nothing, and none may fail in both spellings.
        let limits = "limits: {maxConcurrency: {all: 1%}, maxUnavailable: {all: 0.01%}, maxFailures: {all: 0%}}";
        let scene = scene_with([(LIMITS, limits)]);
        settled(&scene).await;
        behave(&scene.sims["east"], "t2", "web:2", Behaviour::PullError);
        let (_, diary) = told(&scene, &scene.release("bbbb", "2"), "job 1").await;
        assert_eq!(most_in_flight(&diary), 1);
        assert_eq!(names(&diary), ["t0", "t1", "t2"]);
    });
}

/// The failure budget is kept to in the first half of a rollout, and forgotten in the second.
#[test]
fn t26_the_budget_holds_up_to_the_last_tenant() {
    in_virtual_time(async {
        let one_by_one = LIMITS.replace("all: 2", "all: 1");
        let scene = scene_with([(LIMITS, &one_by_one)]);
        settled(&scene).await;
        behave(&scene.sims["east"], "t4", "web:2", dies_after(0));
        let (carried, diary) = told(&scene, &scene.release("bbbb", "2"), "job 1").await;
        assert_eq!(names(&diary), ["t0", "t1", "t2", "t3", "t4"]);
        assert_eq!(outcome(&carried), None, "it is paused for a person");
        assert_eq!(running(&scene, "1"), ["t4", "t5"]);
    });
}

/// A tenant that two waves select is rolled out twice, and one that none selects is forgotten.
#[test]
fn t21_every_tenant_is_in_one_wave_or_left_out_by_name() {
    in_virtual_time(async {
        let waves = "{name: of east, select: {cluster: east}, soak: 30s}\n    - {name: of the ring, select: {ring: early}, soak: 30s}";
        let waves = waves
            .replace("of east", "of-east")
            .replace("of the ring", "of-ring");
        let mut scene = scene_with([(REST, &waves)]);
        for tenant in ["t1", "t2"] {
            let path = format!("environments/test/tenants/{tenant}.yaml");
            let text = scene.files[&path].replace("ring: rest", "ring: early");
            scene.files.insert(path, text);
        }
        let (carried, diary) = told(&scene, &scene.release("aaaa", "1"), "job 1").await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        // `t0` and `t2` are in two waves each, `t3` and `t5` in none.
        assert_eq!(names(&diary), ["t0", "t2", "t4", "t1"]);
        let words = "no wave of the strategy selects it and has room for it";
        assert_eq!(
            left_out(&carried),
            [format!("t3: {words}"), format!("t5: {words}")]
        );
    });
}
