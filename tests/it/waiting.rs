//! Waiting in CI: what `--wait-limit`, a cancelled job and a job that is run again leave behind for the next one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use escale::engine::{self, Carried, Ending, Heard, Stop, World};
use escale::record::{Outcome, Scope, Verb};
use escale::rollout::{self, Conducted, What};
use escale::sim::Fault;
use jiff::SignedDuration;
use serde_json::json;

use crate::gates::say;
use crate::rehearsals::{Repository, text_of};
use crate::scene::{Release, STRATEGY, Scene, in_virtual_time, outcome, simulated};

/// A run that waits for nothing longer than that.
async fn hurried(scene: &Scene, release: &Release, holder: &str, limit: Duration) -> Ending {
    let mut deaf = |_: Heard<'_>| {};
    let world = World {
        wait_limit: Some(limit),
        ..scene.world(&mut deaf)
    };
    let carried = engine::roll_out(&release.order(holder), world).await;
    match carried.unwrap() {
        Carried::Ended(ended) => ended.ending,
        _ => panic!("it did nothing"),
    }
}

fn left_off(ending: &Ending) -> &str {
    match ending {
        Ending::LeftOff { why, until } => {
            assert!(until.is_some(), "it says when to come back: {why}");
            why
        }
        _ => panic!("it did not leave: {ending:?}"),
    }
}

#[test]
fn runs_that_wait_for_nothing_carry_a_rollout_through_its_soaks_together() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let first = hurried(&scene, &next, "job 1", Duration::ZERO).await;
        assert!(left_off(&first).contains("wave `canary` to soak until"));
        for tenant in ["t0", "t1"] {
            assert_eq!(
                scene.record(tenant).await.claim,
                None,
                "no claim is left open"
            );
        }
        let again = hurried(&scene, &next, "job 2", Duration::ZERO).await;
        assert!(left_off(&again).contains("wave `canary` to soak until"));
        scene.pass(1).await;
        let second = hurried(&scene, &next, "job 3", Duration::ZERO).await;
        assert!(left_off(&second).contains("wave `rest` to soak until"));
        scene.pass(1).await;
        let third = hurried(&scene, &next, "job 4", Duration::ZERO).await;
        let succeeded = rollout::Outcome::Succeeded;
        assert!(matches!(third, Ending::Finished { outcome, .. } if outcome == succeeded));
        assert!(scene.images().values().all(|tag| tag == "2"));
    });
}

#[test]
fn a_soak_in_which_a_pod_was_not_ready_while_nobody_looked_begins_anew() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        hurried(&scene, &next, "job 1", Duration::ZERO).await;
        scene.pass(1).await;
        let pods = scene.sims["east"].objects("pods");
        let is_of_t0 = |pod: &&serde_json::Value| pod["metadata"]["namespace"] == "t0";
        let pod = pods.iter().find(is_of_t0).unwrap();
        let name = pod["metadata"]["name"].as_str().unwrap();
        let now = scene.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let blip = scene.sims["east"].edit("pods", (Some("t0"), name), |pod| {
            for condition in pod["status"]["conditions"].as_array_mut().unwrap() {
                condition["lastTransitionTime"] = json!(now);
            }
        });
        blip.unwrap();
        let second = hurried(&scene, &next, "job 2", Duration::ZERO).await;
        assert!(left_off(&second).contains("wave `canary` to soak until"));
        scene.pass(1).await;
        let third = hurried(&scene, &next, "job 3", Duration::ZERO).await;
        assert!(left_off(&third).contains("wave `rest` to soak until"));
    });
}

#[test]
fn a_soak_goes_on_while_its_cluster_does_not_answer_and_nothing_happens_there() {
    in_virtual_time(async {
        let scene = Scene::with(0, &STRATEGY.replace("soak: 30s", "soak: 5m"));
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let (sender, mut soaks) = tokio::sync::watch::channel(None);
        let mut ended = None;
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard {
                match &event.what {
                    What::SoakStarted { wave } if wave == "canary" => {
                        sender.send_replace(Some(event.at));
                    }
                    What::WaveAdvanced { wave } if wave == "canary" => ended = Some(event.at),
                    _ => {}
                }
            }
        };
        let order = next.order("job 1");
        let (carried, began) =
            tokio::join!(engine::roll_out(&order, scene.world(&mut hear)), async {
                soaks.wait_for(Option::is_some).await.unwrap();
                let from = scene.clock.now();
                let until = Some(from + SignedDuration::from_secs(100));
                scene.sims["east"].tell(Fault::Unreachable { from, until });
                from
            });
        assert_eq!(
            outcome(&carried.unwrap()),
            Some(rollout::Outcome::Succeeded)
        );
        let took = ended.unwrap().duration_since(began);
        let at_most = SignedDuration::from_secs(5 * 60 + 45);
        assert!(
            took < at_most,
            "it does not soak anew after the outage: {took:#}"
        );
    });
}

#[test]
fn who_said_to_go_on_after_a_failure_need_not_say_it_to_each_process() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        scene.break_image("web:2", ("west", "t1"));
        let next = scene.release("bbbb", "2");
        let Carried::Ended(ended) = scene.roll_out(&next).await else {
            panic!("it did nothing")
        };
        assert!(matches!(ended.ending, Ending::Person { failed: true, .. }));
        say(&scene, Verb::Resume, Scope::Environment, None).await;
        let second = hurried(&scene, &next, "job 2", Duration::ZERO).await;
        assert!(left_off(&second).contains("wave `rest` to soak until"));
        scene.pass(1).await;
        let third = hurried(&scene, &next, "job 3", Duration::ZERO).await;
        let expected = rollout::Outcome::SucceededWithExceptions;
        assert!(
            matches!(third, Ending::Finished { outcome, .. } if outcome == expected),
            "{third:?}"
        );
    });
}

/// Told to stop at the first event of a kind; then another process goes on.
fn stopped_at(is_it: impl Fn(&What) -> bool + Send + Sync) {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let (sender, stop) = tokio::sync::watch::channel(Stop::GoOn);
        let mut hear = |heard: Heard<'_>| {
            if let Heard::Event { event, .. } = heard
                && is_it(&event.what)
            {
                sender.send_replace(Stop::Gently);
            }
        };
        let world = World {
            stop,
            ..scene.world(&mut hear)
        };
        let stopped = engine::roll_out(&next.order("job 1"), world).await.unwrap();
        let Carried::Ended(ended) = &stopped else {
            panic!("it did nothing")
        };
        assert!(matches!(&ended.ending, Ending::LeftOff { why, .. } if why == "stopped"));
        let conducted = engine::conducted(&scene.clusters, "test", scene.clock).await;
        assert!(
            matches!(conducted, Ok(Conducted::Nobody { last: None, .. })),
            "the lease is free at once"
        );
        let carried = scene.try_roll_out(&next, "job 2").await.unwrap();
        assert_eq!(outcome(&carried), Some(rollout::Outcome::Succeeded));
        for tenant in ["t0", "t1", "t2", "t3", "t4", "t5"] {
            let record = scene.record(tenant).await;
            assert_eq!((record.claim, record.state), (None, Outcome::Succeeded));
        }
    });
}

#[test]
fn a_job_that_is_cancelled_while_it_writes_is_finished_by_another() {
    stopped_at(|what| matches!(what, What::TenantStarted { tenant } if tenant == "t1"));
}

#[test]
fn a_job_that_is_cancelled_while_it_soaks_is_finished_by_another() {
    stopped_at(|what| matches!(what, What::SoakStarted { .. }));
}

// --- The real binary ---

fn run(repository: &Repository, arguments: &[&str]) -> Output {
    repository.command(arguments).output().unwrap()
}

#[test]
fn exit_4_says_when_to_come_back_and_any_process_goes_on_from_any_folder() {
    let repository = Repository::new();
    let left = run(&repository, &["rollout", "--sim", "--wait-limit", "0s"]);
    let told = text_of(&left.stderr);
    assert_eq!(left.status.code(), Some(4), "{told}");
    assert!(
        told.contains(
            "): run the same command again to go on\n  hint: there is nothing to do before 20"
        ),
        "{told}"
    );

    let folder = repository.folder().to_str().unwrap();
    let elsewhere = |arguments: &[&str]| {
        let mut command = repository.command(&["-C", folder]);
        command.args(arguments).current_dir(std::env::temp_dir());
        command.output().unwrap()
    };
    let done = elsewhere(&["rollout", "--sim", "--continue"]);
    assert_eq!(done.status.code(), Some(0), "{}", text_of(&done.stderr));
    let again = elsewhere(&["rollout", "--sim", "--continue"]);
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(
        text_of(&again.stderr),
        "no rollout is open, and nobody in reach is behind: nothing to go on with\n"
    );
    let retried = run(&repository, &["rollout", "--sim", "--wait-limit", "0s"]);
    assert_eq!(
        retried.status.code(),
        Some(0),
        "{}",
        text_of(&retried.stderr)
    );
}

#[test]
fn sigterm_before_the_first_write_ends_with_exit_4_at_once() {
    let repository = Repository::new();
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", silent.local_addr().unwrap());
    let contexts: Vec<String> = ["east", "hub", "west"]
        .iter()
        .map(|name| format!("{{name: {name}, context: {{cluster: silent, user: nobody}}}}"))
        .collect();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: silent, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: nobody, user: {{}}}}]\ncontexts: [{}]\n",
        contexts.join(", ")
    );
    let file = repository.folder().join("kubeconfig");
    fs::write(&file, kubeconfig).unwrap();
    let file = file.to_str().unwrap();
    let mut command = repository.command(&["rollout", "--kubeconfig", file]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    let (_asked, _) = silent.accept().unwrap();
    let pid = child.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(told.success());
    let ended = child.wait_with_output().unwrap();
    let told = text_of(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{told}");
    assert!(
        told.contains("error: stopped before anything was written"),
        "{told}"
    );
}
