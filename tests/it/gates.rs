//! Gates: freezes, windows and approvals, with the real conductor on simulated clusters.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use escale::engine::{self, Carried, Ending, Heard, World, store};
use escale::record::{PackedBundle, Scope, Verb, Word};
use escale::rollout::{Outcome, What, Whom};
use jiff::{SignedDuration, Timestamp};

use crate::project::Project;
use crate::scene::{Release, Scene, in_virtual_time, left_out, outcome, simulated};

const CANARY_AND_REST: &str = "
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
  limits: {maxConcurrency: {all: 2}, maxFailures: {all: 0}}
  waves:
    - {name: canary, role: canary, select: {ring: canary}, soak: 30s, onBreach: rollback}
    - {name: rest, soak: 30s, onBreach: pause}
";

fn with(strategy: &str) -> Scene {
    Scene::with(0, strategy)
}

fn with_approval() -> Scene {
    with(&CANARY_AND_REST.replace("{name: rest,", "{name: rest, approval: true,"))
}

/// The scene begins on Monday 2026-11-23 at 09:00 in Paris.
fn with_windows(windows: [&str; 2]) -> Scene {
    let window = |allow| format!("    - {{allow: \"{allow}\", zone: Europe/Paris}}\n");
    let windows = windows.map(window).concat();
    with(&format!("{CANARY_AND_REST}  windows:\n{windows}"))
}

/// What was heard, and when, in seconds since it began.
#[derive(Default)]
pub struct Diary {
    pub began: Option<Timestamp>,
    pub events: Vec<(i64, What)>,
    pub waits: Vec<(Whom, String)>,
}

impl Diary {
    fn hear(&mut self, heard: &Heard<'_>) {
        match heard {
            Heard::Event { event, .. } => {
                let began = *self.began.get_or_insert(event.at);
                let at = event.at.duration_since(began).as_secs();
                self.events.push((at, event.what.clone()));
            }
            Heard::Begins(_) => {}
            Heard::Waits { wait, now } => {
                self.began.get_or_insert(*now);
                for on in &wait.on {
                    let line = (wait.whom, on.clone());
                    if self.waits.last() != Some(&line) {
                        self.waits.push(line);
                    }
                }
            }
        }
    }

    /// When each tenant was started.
    pub fn starts(&self) -> Vec<(i64, String)> {
        let events = self.events.iter();
        let starts = events.filter_map(|(at, what)| match what {
            What::TenantStarted { tenant } => Some((*at, tenant.clone())),
            _ => None,
        });
        starts.collect()
    }

    pub fn waited_for(&self, what: &str) -> Option<Whom> {
        let line = self.waits.iter().find(|(_, on)| on.contains(what))?;
        Some(line.0)
    }
}

pub async fn told(scene: &Scene, release: &Release, holder: &str) -> (Carried, Diary) {
    let mut diary = Diary::default();
    let mut hear = |heard: Heard<'_>| diary.hear(&heard);
    let order = release.order(holder);
    let carried = engine::roll_out(&order, scene.world(&mut hear)).await;
    (carried.unwrap(), diary)
}

pub async fn say(scene: &Scene, verb: Verb, scope: Scope, minutes: Option<i64>) {
    let now = scene.clock.now();
    let word = Word {
        verb,
        environment: "test".to_owned(),
        scope,
        author: "ana".to_owned(),
        reason: "moving the database".to_owned(),
        at: now,
        expires: minutes.map(|minutes| now + SignedDuration::from_mins(minutes)),
    };
    let hub = scene.clusters.hub().unwrap().writer();
    store::say(&hub, &word).await.unwrap();
}

pub async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A wave of the rollout that is open.
pub async fn wave(scene: &Scene, name: &str) -> Scope {
    let latest = engine::latest(&scene.clusters, "test").await.unwrap();
    Scope::Wave {
        rollout: latest.rollout.unwrap().id,
        wave: name.to_owned(),
    }
}

fn ending(carried: &Carried) -> &Ending {
    match carried {
        Carried::Ended(ended) => &ended.ending,
        _ => panic!("it did not run"),
    }
}

// --- Freezes ---

#[test]
fn a_new_rollout_waits_for_a_freeze_and_goes_on_within_two_seconds_of_the_thaw() {
    simulated(|scene| async move {
        say(&scene, Verb::Freeze, Scope::Environment, None).await;
        let first = scene.release("aaaa", "1");
        let ((carried, diary), ()) = tokio::join!(told(&scene, &first, "job 1"), async {
            after(300).await;
            assert!(
                scene.images().is_empty(),
                "nothing is started while it is frozen"
            );
            say(&scene, Verb::Thaw, Scope::Environment, None).await;
        });
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let words = "the freeze of the whole environment by ana (moving the database)";
        assert_eq!(diary.waited_for(words), Some(Whom::Gate));
        let first = diary.starts()[0].0;
        assert!((298..=302).contains(&first), "started after {first} s");
    });
}

#[test]
fn a_freeze_in_the_middle_starts_nobody_more_and_what_is_in_flight_settles() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let ((carried, diary), frozen) = tokio::join!(told(&scene, &next, "job 1"), async {
            after(3).await;
            say(&scene, Verb::Freeze, Scope::Environment, Some(20)).await;
            let frozen = scene.clock.now();
            after(600).await;
            let new = scene.images().values().filter(|tag| *tag == "2").count();
            assert_eq!(new, 1, "only the canary, which was in flight");
            frozen
        });
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let began = diary.began.unwrap();
        let thawed = frozen.duration_since(began).as_secs() + 20 * 60;
        for (at, tenant) in diary.starts() {
            assert!(
                at <= 5 || thawed <= at,
                "`{tenant}` was started after {at} s"
            );
        }
        let second = diary.starts()[1].0;
        assert!(
            second <= thawed + 2,
            "it ended by itself, and nobody noticed until {second}"
        );
    });
}

#[test]
fn a_frozen_cluster_makes_only_its_own_tenants_wait() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        say(
            &scene,
            Verb::Freeze,
            Scope::Cluster("west".to_owned()),
            None,
        )
        .await;
        let next = scene.release("bbbb", "2");
        let ((carried, diary), ()) = tokio::join!(told(&scene, &next, "job 1"), async {
            after(900).await;
            let images = scene.images();
            let new = |tenant: &str| images[tenant] == "2";
            assert!(["t0", "t2", "t4"].into_iter().all(new), "{images:?}");
            assert!(!["t1", "t3", "t5"].into_iter().any(new), "{images:?}");
            say(&scene, Verb::Thaw, Scope::Cluster("west".to_owned()), None).await;
        });
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let words = "the freeze of cluster `west` by ana (moving the database) to end by `escale thaw --cluster west`";
        assert!(diary.waited_for(words).is_some(), "{:?}", diary.waits);
        assert!(scene.images().values().all(|tag| tag == "2"));
    });
}

#[test]
fn a_freeze_holds_back_no_way_back_typed_or_automatic() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        scene.roll_out(&scene.release("bbbb", "2")).await;
        scene.pass(5).await;
        say(&scene, Verb::Freeze, Scope::Environment, None).await;
        scene.roll_back("t3").await.unwrap();
        assert_eq!(scene.images()["t3"], "1");
        say(&scene, Verb::Thaw, Scope::Environment, None).await;

        let bad = scene.release("cccc", "3-crash");
        let ((carried, diary), ()) = tokio::join!(told(&scene, &bad, "job 1"), async {
            after(3).await;
            say(&scene, Verb::Freeze, Scope::Environment, None).await;
        });
        assert_eq!(outcome(&carried), Some(Outcome::RolledBack));
        let named = diary.events.iter().any(|(_, what)| {
            matches!(what, What::TenantGoesBack { why, .. } if why.contains("passes the freeze of the whole environment by ana"))
        });
        assert!(named, "{:?}", diary.events);
    });
}

#[test]
fn a_hub_that_does_not_answer_leaves_the_last_known_words_standing() {
    simulated(|scene| async move {
        say(
            &scene,
            Verb::Freeze,
            Scope::Cluster("west".to_owned()),
            None,
        )
        .await;
        let first = scene.release("aaaa", "1");
        let ((carried, _), ()) = tokio::join!(told(&scene, &first, "job 1"), async {
            after(120).await;
            // Shorter than the lease lasts, or somebody else might conduct.
            let now = scene.clock.now();
            scene.sims["hub"].tell(escale::sim::Fault::Unreachable {
                from: now,
                until: Some(now + SignedDuration::from_secs(8)),
            });
            after(60).await;
            let images = scene.images();
            assert!(!images.contains_key("t1"), "{images:?}");
            say(&scene, Verb::Thaw, Scope::Cluster("west".to_owned()), None).await;
        });
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
    });
}

// --- Windows ---

#[test]
fn outside_its_windows_nobody_is_started_and_rollbacks_pass() {
    in_virtual_time(async {
        let scene = with_windows(["Mon-Fri 09:00-09:20", "Mon 10:00-11:00"]);
        let first = told(&scene, &scene.release("aaaa", "1"), "job 1").await;
        assert_eq!(outcome(&first.0), Some(Outcome::Succeeded));
        scene.pass(5).await;
        assert_eq!(
            outcome(&scene.roll_out(&scene.release("bbbb", "2")).await),
            Some(Outcome::Succeeded)
        );
        scene.pass(15).await;
        scene.roll_back("t3").await.unwrap();
        assert_eq!(scene.images()["t3"], "1", "a rollback asks no window");

        let third = scene.release("cccc", "3");
        let mut deaf = |_: Heard<'_>| {};
        let world = World {
            wait_limit: Some(Duration::from_mins(1)),
            ..scene.world(&mut deaf)
        };
        let carried = engine::roll_out(&third.order("job 2"), world)
            .await
            .unwrap();
        assert_eq!(
            ending(&carried),
            &Ending::LeftOff {
                why:
                    "waited long enough for the window to open: Mon 2026-11-23 10:00 (Europe/Paris)"
                        .to_owned(),
                until: Some("2026-11-23T09:00:00Z".parse().unwrap()),
            }
        );
        let (carried, diary) = told(&scene, &third, "job 3").await;
        // `t3` is held since it was put back.
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        assert_eq!(diary.waited_for("the window to open"), Some(Whom::Gate));
        let opening: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
        let opened = opening.duration_since(diary.began.unwrap()).as_secs();
        let first = diary.starts()[0].0;
        assert!(
            (opened..=opened + 1).contains(&first),
            "{first} is not {opened}"
        );
    });
}

#[test]
fn a_window_that_closes_interrupts_nobody_and_the_rest_follows_when_it_opens_again() {
    in_virtual_time(async {
        // Open for 15 s: the canary is in flight when it closes.
        let scene = with_windows(["Mon-Fri 09:00-09:01", "Mon 09:10-12:00"]);
        after(45).await;
        let release = scene.release("aaaa", "1");
        let (carried, diary) = told(&scene, &release, "job 1").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let starts = diary.starts();
        assert_eq!(starts[0].1, "t0");
        assert!(starts[0].0 < 15, "{starts:?}");
        let settled = diary
            .events
            .iter()
            .find(|(_, what)| matches!(what, What::TenantSucceeded { tenant } if tenant == "t0"));
        assert!(settled.unwrap().0 < 60);
        assert!(starts[1..].iter().all(|(at, _)| *at >= 550), "{starts:?}");
    });
}

// --- Approvals of waves ---

#[test]
fn a_wave_starts_only_once_it_is_approved_for_this_very_rollout() {
    in_virtual_time(async {
        let scene = with_approval();
        let first = scene.release("aaaa", "1");
        let ((carried, diary), old) = tokio::join!(told(&scene, &first, "job 1"), async {
            after(600).await;
            assert_eq!(scene.images().len(), 1, "only the canary");
            let rest = wave(&scene, "rest").await;
            say(&scene, Verb::Approve, rest.clone(), None).await;
            rest
        });
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let words = "approval of wave `rest`: `escale approve --wave rest`";
        assert!(
            diary
                .waits
                .contains(&(Whom::Person { failed: false }, words.to_owned())),
            "{:?}",
            diary.waits
        );

        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let ((carried, _), ()) = tokio::join!(told(&scene, &next, "job 2"), async {
            say(&scene, Verb::Approve, old, None).await;
            after(600).await;
            let new = scene.images().values().filter(|tag| *tag == "2").count();
            assert_eq!(new, 1, "an approval does not travel");
            say(&scene, Verb::Approve, wave(&scene, "rest").await, None).await;
        });
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
    });
}

#[test]
fn an_approval_during_the_soak_before_costs_no_time_and_survives_the_process() {
    in_virtual_time(async {
        let scene = with_approval();
        let release = scene.release("aaaa", "1");
        let killed = tokio::time::timeout(Duration::from_secs(25), async {
            tokio::join!(told(&scene, &release, "job 1"), async {
                after(20).await;
                say(&scene, Verb::Approve, wave(&scene, "rest").await, None).await;
            })
        });
        assert!(killed.await.is_err(), "it was over before it was killed");
        scene.pass(2).await;
        let (carried, diary) = told(&scene, &release, "job 2").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(diary.waited_for("approval"), None);
    });
}

#[test]
fn who_waits_for_an_approval_longer_than_its_limit_leaves_and_says_what_is_missing() {
    in_virtual_time(async {
        let scene = with_approval();
        let release = scene.release("aaaa", "1");
        let mut deaf = |_: Heard<'_>| {};
        let world = World {
            wait_limit: Some(Duration::from_mins(2)),
            ..scene.world(&mut deaf)
        };
        let carried = engine::roll_out(&release.order("job 1"), world)
            .await
            .unwrap();
        assert_eq!(
            ending(&carried),
            &Ending::Person {
                on: vec!["approval of wave `rest`: `escale approve --wave rest`".to_owned()],
                failed: false
            }
        );
        say(&scene, Verb::Approve, wave(&scene, "rest").await, None).await;
        let (carried, _) = told(&scene, &release, "job 2").await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
    });
}

#[test]
fn a_rejected_wave_pauses_the_rollout_and_needs_an_approval_and_a_resume() {
    in_virtual_time(async {
        let scene = with_approval();
        let release = scene.release("aaaa", "1");
        let ((carried, diary), ()) = tokio::join!(told(&scene, &release, "job 1"), async {
            after(120).await;
            say(&scene, Verb::Reject, wave(&scene, "rest").await, None).await;
            after(60).await;
            let Scope::Wave { rollout, .. } = wave(&scene, "rest").await else {
                unreachable!("it is a wave")
            };
            say(&scene, Verb::Resume, Scope::Rollout(rollout), None).await;
            after(60).await;
            assert_eq!(
                scene.images().len(),
                1,
                "it goes on, and still waits for a word"
            );
            say(&scene, Verb::Approve, wave(&scene, "rest").await, None).await;
        });
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        let paused = "a person: paused by ana: wave `rest` is rejected: moving the database";
        assert_eq!(
            diary.waited_for(paused),
            Some(Whom::Person { failed: false })
        );
        let again = "another word on wave `rest`, which ana rejected (moving the database)";
        assert_eq!(
            diary.waited_for(again),
            Some(Whom::Person { failed: false })
        );
    });
}

// --- Approvals of tenants ---

/// `t3` moves only when somebody says so.
fn asked(updates: &str) -> Scene {
    let mut scene = Scene::new();
    let path = "environments/test/tenants/t3.yaml";
    let text = scene.files[path].replace("spec: {", &format!("spec: {{updates: {updates}, "));
    scene.files.insert(path.to_owned(), text);
    scene
}

fn at(release: &Release, tenant: &str) -> Scope {
    let digest = PackedBundle::digest(release.bundles[tenant].as_ref().unwrap()).clone();
    Scope::Bundle {
        tenant: tenant.to_owned(),
        digest,
    }
}

#[test]
fn a_tenant_moves_once_it_is_approved_for_what_it_would_get() {
    in_virtual_time(async {
        let scene = asked("onApproval");
        let first = scene.release("aaaa", "1");
        let carried = scene.roll_out(&first).await;
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        let left = left_out(&carried);
        let to = first.bundles["t3"]
            .as_ref()
            .unwrap()
            .digest()
            .short()
            .to_owned();
        assert_eq!(
            left,
            [format!(
                "t3: updates: onApproval: `escale approve t3` lets it move to {to}"
            )]
        );
        assert!(!scene.images().contains_key("t3"));

        say(&scene, Verb::Approve, at(&first, "t3"), None).await;
        let carried = scene.roll_out(&first).await;
        assert_eq!(outcome(&carried), Some(Outcome::Succeeded));
        assert_eq!(scene.images()["t3"], "1");
    });
}

#[test]
fn who_goes_on_with_a_rollout_still_tells_who_was_left_out() {
    in_virtual_time(async {
        let scene = asked("onApproval");
        let release = scene.release("aaaa", "1");
        let killed = tokio::time::timeout(
            Duration::from_secs(25),
            scene.try_roll_out(&release, "job 1"),
        );
        assert!(killed.await.is_err(), "it was over before it was killed");
        let carried = scene.try_roll_out(&release, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(Outcome::SucceededWithExceptions));
        let left = left_out(&carried);
        assert!(left[0].contains("`escale approve t3`"), "{left:?}");
    });
}

#[test]
fn an_approval_of_a_tenant_survives_a_release_that_renders_the_same_and_is_none_for_another_bundle()
{
    in_virtual_time(async {
        let scene = asked("onApproval");
        let first = scene.release("aaaa", "1");
        say(&scene, Verb::Approve, at(&first, "t3"), None).await;
        let same = scene.release("bbbb", "1");
        assert_eq!(
            outcome(&scene.roll_out(&same).await),
            Some(Outcome::Succeeded)
        );
        assert_eq!(scene.images()["t3"], "1");

        scene.pass(5).await;
        let other = scene.release("cccc", "2");
        let carried = scene.roll_out(&other).await;
        assert_eq!(left_out(&carried).len(), 1, "{:?}", left_out(&carried));
        assert_eq!(scene.images()["t3"], "1");

        say(&scene, Verb::Approve, at(&other, "t3"), None).await;
        say(&scene, Verb::Reject, Scope::Tenant("t3".to_owned()), None).await;
        let carried = scene.roll_out(&other).await;
        assert!(matches!(carried, Carried::NothingToDo { .. }));
        let left = left_out(&carried);
        assert!(
            left[0].starts_with("t3: updates: onApproval, rejected by ana (moving the database): "),
            "{left:?}"
        );
    });
}

#[test]
fn naming_a_tenant_requests_it_and_does_not_approve_it() {
    for (updates, moves) in [("onRequest", true), ("onApproval", false)] {
        in_virtual_time(async {
            let scene = asked(updates);
            let release = scene.release("aaaa", "1");
            let mut deaf = |_: Heard<'_>| {};
            let order = engine::Order {
                selected: Some(["t3".to_owned()].into()),
                ..release.order("job 1")
            };
            engine::roll_out(&order, scene.world(&mut deaf))
                .await
                .unwrap();
            assert_eq!(scene.images().contains_key("t3"), moves, "{updates}");
        });
    }
}

// --- Typed ---

#[test]
fn freezes_are_typed_with_a_reason_for_what_is_there_and_thawed_by_what_stands() {
    let project = Project::production();
    let run = |line: &str| {
        let line = format!("{line} -e production");
        let ran = project.escale(&line.split(' ').collect::<Vec<_>>());
        (ran.code, ran.stderr)
    };
    let (code, said) = run("freeze --sim");
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("--reason <TEXT>"), "{said}");
    assert_eq!(
        run("freeze --sim --cluster metal-part --reason move"),
        (
            1,
            "error: no cluster named `metal-part` in `production`\n  hint: did you mean `metal-par`?\n"
                .to_owned()
        )
    );
    assert_eq!(
        run("freeze --sim --cluster metal-par --reason move --by ana"),
        (
            0,
            "frozen: cluster `metal-par`; nothing is started there, rollbacks pass\n".to_owned()
        )
    );
    assert_eq!(
        run("thaw --sim"),
        (
            1,
            "error: no freeze of that stands\n  hint: there is the freeze of cluster `metal-par` by ana (move)\n"
                .to_owned()
        )
    );
    assert_eq!(
        run("thaw --sim --cluster metal-par"),
        (0, "thawed: cluster `metal-par`\n".to_owned())
    );
    assert_eq!(
        run("approve --sim --wave rest"),
        (
            1,
            "error: no rollout of `production` is open\n  hint: an approval is for one rollout: give it once that has begun\n"
                .to_owned()
        )
    );
}
