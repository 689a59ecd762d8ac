//! `status --stalled` and `status --metrics`: what stands still is told, with what to type; what is not known is not well.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Output;
use std::time::Duration;

use escale::engine::{self, Reading, holds, store};
use escale::record::{Hold, Outcome, Scope, TenantRecord, Verb, Word};
use escale::rollout::{Conducted, HubSight, Needs, Sight, Stall};
use escale::sim::Fault;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::rehearsals::{Repository, text_of};
use crate::scene::{Scene, simulated};

async fn read(scene: &Scene) -> Reading {
    engine::reading(&scene.clusters, "test", scene.clock).await
}

/// In a line each: who makes it move, what stands still, since when, and what to type.
async fn stalls(scene: &Scene) -> Vec<String> {
    let stalls = read(scene).await.stalls(SignedDuration::from_mins(15));
    stalls.iter().map(told).collect()
}

fn told(stall: &Stall) -> String {
    let Stall {
        needs,
        about,
        what,
        since,
        next,
        ..
    } = stall;
    let since = since.strftime("%H:%M:%S");
    format!(
        "{}: {about}: {what} since {since}: {}",
        needs.as_str(),
        next.join(" | ")
    )
}

async fn killed(scene: &Scene, release: &str, version: &str, seconds: u64) {
    let release = scene.release(release, version);
    let work = scene.try_roll_out(&release, "job 1");
    let ended = tokio::time::timeout(Duration::from_secs(seconds), work).await;
    assert!(ended.is_err(), "it was over before it was killed");
}

async fn say(scene: &Scene, verb: Verb) {
    let word = Word {
        verb,
        environment: "test".to_owned(),
        scope: Scope::Environment,
        author: "ana".to_owned(),
        reason: "a look".to_owned(),
        at: scene.clock.now(),
        expires: None,
    };
    let hub = scene.clusters.hub().unwrap().writer();
    store::say(&hub, &word).await.unwrap();
}

#[test]
fn a_fleet_at_rest_and_a_rollout_under_way_do_not_stand_still() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(60).await;
        assert_eq!(stalls(&scene).await, Vec::<String>::new());
        let next = scene.release("bbbb", "2");
        tokio::join!(scene.roll_out(&next), async {
            tokio::time::sleep(Duration::from_secs(40)).await;
            let reading = read(&scene).await;
            assert_eq!(reading.stalls(SignedDuration::ZERO), []);
            let hub = reading.hub.unwrap();
            assert_eq!(hub.conducted, Conducted::By("job 1".to_owned()));
        });
    });
}

#[test]
fn a_rollout_whose_process_vanished_is_told_after_a_while_with_the_command_that_goes_on() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        killed(&scene, "bbbb", "2", 40).await;
        scene.pass(10).await;
        assert_eq!(
            stalls(&scene).await,
            Vec::<String>::new(),
            "it may be run again in time"
        );
        let conducted = engine::conducted(&scene.clusters, "test", scene.clock).await;
        let conducted = conducted.unwrap();
        assert!(
            matches!(&conducted, Conducted::Nobody { last: Some(last), .. } if last == "job 1"),
            "its lease still names it, but has run out: {conducted:?}"
        );
        scene.pass(10).await;
        let told = stalls(&scene).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("continue: rollout 2026"), "{told:?}");
        assert!(
            told[0].contains(": nobody conducts it since 08:"),
            "{told:?}"
        );
        assert!(
            told[0].ends_with(": escale rollout -e test --continue"),
            "{told:?}"
        );
        let stalls = read(&scene).await.stalls(SignedDuration::from_mins(15));
        let why = stalls[0].why.as_deref().unwrap();
        assert_eq!(why, "wave canary is under way; job 1 vanished");
        // Whoever goes on where it was left ends the alarm.
        scene.roll_out(&scene.release("bbbb", "2")).await;
        scene.pass(20).await;
        assert_eq!(read(&scene).await.stalls(SignedDuration::ZERO), []);
    });
}

#[test]
fn a_tenant_whose_claim_was_left_open_is_named() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        killed(&scene, "bbbb", "2", 3).await;
        scene.pass(60).await;
        let told = stalls(&scene).await;
        assert_eq!(told.len(), 2, "{told:?}");
        let claim = "continue: t0 on east: a rollout began to write to it and never ended since ";
        assert!(told.iter().any(|line| line.starts_with(claim)), "{told:?}");
    });
}

#[test]
fn a_pause_after_a_failure_is_told_at_once_and_needs_a_person() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        scene.break_image("web:2", ("west", "t1"));
        scene.roll_out(&scene.release("bbbb", "2")).await;
        let told = stalls(&scene).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("person: rollout 2026"), "{told:?}");
        assert!(
            told[0].contains(": paused because it failed since "),
            "{told:?}"
        );
        let next =
            "escale resume -e test && escale rollout -e test --continue | escale abort -e test";
        assert!(told[0].ends_with(next), "{told:?}");
    });
}

#[test]
fn a_pause_that_somebody_asked_for_is_told_when_it_lasts() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        tokio::select! {
            _ = scene.roll_out(&next) => panic!("it is paused"),
            () = async {
                tokio::time::sleep(Duration::from_secs(12)).await;
                say(&scene, Verb::Pause).await;
                scene.pass(10).await;
                assert_eq!(stalls(&scene).await, Vec::<String>::new());
                scene.pass(10).await;
                let told = stalls(&scene).await;
                assert_eq!(told.len(), 1, "{told:?}");
                assert!(told[0].starts_with("person: rollout "), "{told:?}");
                assert!(told[0].ends_with(": escale resume -e test | escale abort -e test"), "{told:?}");
            } => {}
        }
    });
}

#[test]
fn a_release_that_waits_behind_a_dead_rollout_is_told_with_it() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let later = scene.release("cccc", "3");
        tokio::join!(killed(&scene, "bbbb", "2", 40), async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let work = scene.try_roll_out(&later, "job 2");
            let _ = tokio::time::timeout(Duration::from_secs(20), work).await;
        });
        scene.pass(20).await;
        let told = stalls(&scene).await;
        assert_eq!(told.len(), 2, "{told:?}");
        let queued =
            "continue: release cccc: waits for its turn, and nobody is there to take it since ";
        assert!(told.iter().any(|line| line.starts_with(queued)), "{told:?}");
    });
}

#[test]
fn a_hold_is_told_before_it_ends_and_after_it_and_counts_for_no_alarm() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let east = scene.clusters.get("east").unwrap();
        let hold = Hold {
            reason: "audit".to_owned(),
            owner: "ana".to_owned(),
            since: scene.clock.now(),
            expires: Some(scene.clock.now() + SignedDuration::from_hours(6)),
            digest: None,
        };
        holds::hold(east, "t2", &hold).await.unwrap();
        assert_eq!(stalls(&scene).await, Vec::<String>::new());
        scene.pass(3 * 60).await;
        let commands = "escale hold -e test t2 --for 7d | escale release-hold -e test t2";
        let told = stalls(&scene).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("nobody: t2 on east: held until 2026-11-23 14:"),
            "{told:?}"
        );
        assert!(told[0].ends_with(commands), "{told:?}");
        scene.pass(4 * 60).await;
        let told = stalls(&scene).await;
        assert!(
            told[0].starts_with("nobody: t2 on east: no longer held since 14:"),
            "{told:?}"
        );
    });
}

/// Of one record alone, an hour after what happened to it.
fn of_record(record: &TenantRecord) -> Vec<String> {
    let conducted = Conducted::Nobody {
        since: None,
        last: None,
    };
    let sight = Sight {
        environment: "test",
        now: record.since + SignedDuration::from_hours(1),
        patience: SignedDuration::from_mins(15),
        hub: Some(HubSight {
            rollout: None,
            queued: &[],
            conducted: &conducted,
            said: None,
        }),
        tenants: vec![record],
    };
    sight.stalls().iter().map(told).collect()
}

#[test]
fn a_tenant_that_was_left_unwell_needs_a_person_until_somebody_holds_it() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let record = scene.record("t3").await;
        let in_state = |state: Outcome| TenantRecord {
            state,
            since: "2026-11-23T09:00:00Z".parse().unwrap(),
            ..record.clone()
        };
        let by_hand = "escale history -e test t3 | escale rollback -e test t3";
        assert_eq!(
            of_record(&in_state(Outcome::RollbackFailed)),
            [format!(
                "person: t3 on west: its rollback failed since 09:00:00: {by_hand}"
            )]
        );
        assert_eq!(
            of_record(&in_state(Outcome::Failed)),
            [format!(
                "person: t3 on west: failed, and was left as it is since 09:00:00: {by_hand}"
            )]
        );
        let told = of_record(&in_state(Outcome::Interrupted));
        assert!(
            told[0].ends_with("escale history -e test t3 | escale rollout -e test"),
            "{told:?}"
        );
        for settled in [Outcome::Succeeded, Outcome::RolledBack, Outcome::Unchanged] {
            assert_eq!(of_record(&in_state(settled)), Vec::<String>::new());
        }
        let mut held = in_state(Outcome::Failed);
        held.hold = Some(Hold {
            reason: "seen".to_owned(),
            owner: "ana".to_owned(),
            since: held.since + SignedDuration::from_mins(5),
            expires: None,
            digest: None,
        });
        assert!(of_record(&held)[0].starts_with("nobody: "));
        held.since += SignedDuration::from_mins(10);
        assert!(
            of_record(&held)[0].starts_with("person: "),
            "it failed after"
        );
    });
}

#[test]
fn what_does_not_answer_is_not_taken_for_well() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        killed(&scene, "bbbb", "2", 40).await;
        scene.pass(20).await;
        for name in ["hub", "west"] {
            scene.sims[name].tell(Fault::Unreachable {
                from: scene.clock.now(),
                until: None,
            });
        }
        let reading = read(&scene).await;
        assert!(
            reading
                .stalls(SignedDuration::ZERO)
                .iter()
                .all(|stall| stall.needs != Needs::Nobody)
        );
        let unread: Vec<String> = reading
            .unread()
            .into_iter()
            .map(|unread| unread.what)
            .collect();
        assert_eq!(
            unread,
            [
                "the hub does not answer, so rollouts are not known",
                "cluster `hub` does not answer",
                "cluster `west` does not answer"
            ]
        );
        let text = escale::cli::metrics::text(&reading, SignedDuration::ZERO);
        let has = |line: &str| assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        has("escale_hub_readable{environment=\"test\"} 0");
        has("escale_cluster_reachable{environment=\"test\",cluster=\"west\"} 0");
        assert!(!text.contains("escale_rollout_open{"), "{text}");
        assert!(!text.contains("cluster=\"west\",state="), "{text}");
    });
}

#[test]
fn metrics_name_no_tenant_and_have_the_shape_that_alerts_rely_on() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        killed(&scene, "bbbb", "2", 50).await;
        scene.pass(20).await;
        let text = escale::cli::metrics::text(&read(&scene).await, SignedDuration::from_mins(15));
        insta::assert_snapshot!(text);
    });
}

// --- The real binary ---

fn run(repository: &Repository, arguments: &[&str]) -> Output {
    repository.command(arguments).output().unwrap()
}

#[test]
fn a_scheduled_alarm_ends_with_4_where_running_it_again_is_enough() {
    let repository = Repository::new();
    run(&repository, &["rollout", "--sim", "--wait-limit", "0s"]);
    let alarm = ["status", "--sim", "--stalled", "--for", "0s", "--exit-code"];
    let output = run(&repository, &alarm);
    let told = text_of(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{told}");
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].starts_with("RUN IT AGAIN: rollout "), "{told}");
    assert_eq!(
        lines[lines.len() - 2..],
        [
            "  $ escale rollout -e test --continue",
            "1 thing to be run again"
        ]
    );
    let without = run(&repository, &alarm[..5]);
    assert_eq!(
        without.status.code(),
        Some(0),
        "only --exit-code makes it an alarm"
    );

    let as_json = run(&repository, &[&alarm[..], &["-o", "json"]].concat());
    let report: Value = serde_json::from_slice(&as_json.stdout).unwrap();
    assert_eq!(as_json.status.code(), Some(4));
    assert_eq!(report["apiVersion"], "escale.dev/v1alpha1");
    assert_eq!(report["kind"], "StalledReport");
    assert_eq!(report["stalled"][0]["needs"], "continue");
    assert_eq!(report["stalled"][0]["about"]["kind"], "rollout");
    assert_eq!(report["unread"], json!([]));

    run(&repository, &["rollout", "--sim", "--continue"]);
    let output = run(&repository, &alarm);
    assert_eq!(text_of(&output.stdout), "nothing stands still\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_alarm_ends_with_7_where_a_person_is_needed_and_with_1_where_nothing_could_be_read() {
    let repository = Repository::new();
    run(&repository, &["rollout", "--sim", "--wait-limit", "0s"]);
    run(&repository, &["pause", "--sim", "--reason", "a look"]);
    let alarm = ["status", "--sim", "--stalled", "--for", "0s", "--exit-code"];
    let of_a_person = || {
        let output = run(&repository, &alarm);
        let told = text_of(&output.stdout);
        assert_eq!(output.status.code(), Some(7), "{told}");
        assert!(told.starts_with("PERSON NEEDED: rollout "), "{told}");
        assert!(told.ends_with("1 thing for a person\n"), "{told}");
    };
    of_a_person();
    run(
        &repository,
        &["rollout", "--sim", "--continue", "--wait-limit", "0s"],
    );
    of_a_person();
    run(&repository, &["resume", "--sim"]);
    let output = run(&repository, &alarm);
    assert_eq!(output.status.code(), Some(4), "the person has spoken");

    let kubeconfig = repository.folder().join("kubeconfig");
    fs::write(&kubeconfig, "apiVersion: v1\nkind: Config\n").unwrap();
    let kubeconfig = kubeconfig.to_str().unwrap();
    let output = run(
        &repository,
        &["status", "--stalled", "--kubeconfig", kubeconfig],
    );
    let (told, talk) = (text_of(&output.stdout), text_of(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{told}{talk}");
    assert!(
        told.starts_with("nothing that could be read stands still; INCOMPLETE"),
        "{told}"
    );
    assert!(
        talk.contains("INCOMPLETE: the hub does not answer"),
        "{talk}"
    );
}

#[test]
fn the_metrics_file_is_replaced_whole() {
    let repository = Repository::new();
    run(&repository, &["rollout", "--sim"]);
    let file = repository.folder().join("escale.prom");
    fs::write(&file, "old").unwrap();
    let output = run(
        &repository,
        &["status", "--sim", "--metrics", "escale.prom"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", text_of(&output.stderr));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(
        text.contains(
            "escale_tenants{environment=\"test\",cluster=\"east\",state=\"succeeded\"} 3\n"
        ),
        "{text}"
    );
    let names = fs::read_dir(repository.folder()).unwrap();
    let left: Vec<_> = names
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with(".tmp")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let nowhere = run(
        &repository,
        &["status", "--sim", "--metrics", "no/such/folder/escale.prom"],
    );
    assert_eq!(nowhere.status.code(), Some(1));
}
