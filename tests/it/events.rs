//! The event log: whoever folds it knows where the rollout stands.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use escale::cli::events::{EventLog, Origin};
use escale::cli::ui::Ui;
use escale::engine::{self, Carried, Ended, Ending, Heard};
use escale::rollout::{Event, Outcome, What};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rehearsals::Repository;
use crate::scene::{Release, Scene, simulated, who};

/// How many tenants are in which phase.
type Counts = BTreeMap<String, usize>;

fn origin(release: &str, holder: &str) -> Origin {
    Origin {
        environment: "test".to_owned(),
        release: Some(release.to_owned()),
        strategy: "normal".to_owned(),
        who: who(holder),
    }
}

/// Rolls out, for so long at most, and writes down what happens.
async fn logged(
    scene: &Scene,
    release: &Release,
    holder: &str,
    file: &Path,
    killed: Duration,
) -> Option<Box<Ended>> {
    let ui = Ui::new(0);
    let mut log = EventLog::open(file, &ui, origin(&release.id, holder)).unwrap();
    let mut hear = |heard: Heard<'_>| log.hear(&heard);
    let order = release.order(holder);
    let work = engine::roll_out(&order, scene.world(&mut hear));
    match tokio::time::timeout(killed, work).await.ok()?.unwrap() {
        Carried::Ended(ended) => Some(ended),
        _ => None,
    }
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(serde_json::from_str::<Value>);
    lines.filter_map(Result::ok).collect()
}

/// Where the tenants of the last rollout in a log are, as the log alone tells.
fn folded(file: &Path) -> Counts {
    let mut phases: BTreeMap<String, String> = BTreeMap::new();
    for line in lines(file) {
        if line["kind"] == "RolloutEvents" {
            phases = planned(&line);
        }
        let event = line["event"].as_str().unwrap();
        let phase = match event {
            "tenantStarted" => "writing",
            "tenantWritten" => "settling",
            "tenantHealthy" => "closing",
            "tenantSucceeded" => "succeeded",
            "tenantFailed" => "failed",
            "tenantGoesBack" => "writingBack",
            "tenantBackWritten" => "settlingBack",
            "tenantBackHealthy" => "closingBack",
            "tenantRolledBack" => "rolledBack",
            "tenantRollbackFailed" => "rollbackFailed",
            "tenantLeft" => "left",
            "tenantDeferred" => "deferred",
            "tenantTakenOver" => "takenOver",
            _ => continue,
        };
        let tenant = line["tenant"].as_str().unwrap();
        let known = phases.get_mut(tenant).expect("it is in the plan");
        phase.clone_into(known);
    }
    counted(phases.into_values())
}

fn planned(line: &Value) -> BTreeMap<String, String> {
    let mut phases = BTreeMap::new();
    for wave in line["waves"].as_array().unwrap_or(&Vec::new()) {
        let tenants = wave["tenants"].as_object().unwrap().keys();
        phases.extend(tenants.map(|tenant| (tenant.clone(), "pending".to_owned())));
    }
    let found = line["found"].as_object().cloned().unwrap_or_default();
    phases.extend(
        found
            .into_iter()
            .map(|(tenant, phase)| (tenant, phase.as_str().unwrap().to_owned())),
    );
    phases
}

fn counted(phases: impl Iterator<Item = String>) -> Counts {
    let mut counts = Counts::new();
    for phase in phases {
        *counts.entry(phase).or_default() += 1;
    }
    counts
}

fn known(ended: &Ended) -> Counts {
    let phases = ended.progress.tenants.values();
    counted(phases.map(|one| one.phase.as_str().to_owned()))
}

const FOREVER: Duration = Duration::from_hours(1);

#[test]
fn the_log_of_a_rollout_that_fails_and_goes_back_folds_into_where_it_ended() {
    simulated(|scene| async move {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("events.jsonl");
        let good = scene.release("aaaa", "1");
        let ended = logged(&scene, &good, "job 1", &file, FOREVER)
            .await
            .unwrap();
        assert_eq!(folded(&file), Counts::from([("succeeded".to_owned(), 6)]));
        assert_eq!(folded(&file), known(&ended));
        scene.pass(5).await;

        let bad = scene.release("bbbb", "2-crash");
        let ended = logged(&scene, &bad, "job 2", &file, FOREVER).await.unwrap();
        assert!(matches!(
            ended.ending,
            Ending::Finished {
                outcome: Outcome::RolledBack,
                ..
            }
        ));
        let expected = [("pending".to_owned(), 5), ("rolledBack".to_owned(), 1)];
        assert_eq!(folded(&file), Counts::from(expected));
        assert_eq!(folded(&file), known(&ended));
    });
}

#[test]
fn a_line_that_a_kill_tore_stays_alone_and_whoever_goes_on_says_where_everybody_is() {
    simulated(|scene| async move {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("events.jsonl");
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        for seconds in [3, 20, 30, 40, 20] {
            let holder = format!("job of {seconds} s");
            logged(&scene, &next, &holder, &file, Duration::from_secs(seconds)).await;
            let torn = fs::read_to_string(&file).unwrap() + "{\"at\":\"2026-";
            fs::write(&file, torn).unwrap();
        }
        let ended = logged(&scene, &next, "job 2", &file, FOREVER)
            .await
            .unwrap();
        assert_eq!(folded(&file), known(&ended));
        let text = fs::read_to_string(&file).unwrap();
        let torn = text.lines().filter(|line| *line == "{\"at\":\"2026-");
        assert_eq!(torn.count(), 5, "each on a line of its own");
        let begun = lines(&file)
            .into_iter()
            .filter(|line| line["kind"] == "RolloutEvents");
        let begun: Vec<Value> = begun.collect();
        assert_eq!(begun[0]["event"], "begins");
        assert_eq!(begun.last().unwrap()["event"], "goesOn");
        assert!(
            begun
                .iter()
                .all(|line| line["rollout"] == begun[0]["rollout"])
        );
    });
}

#[test]
fn the_first_line_says_whose_rollout_it_is_and_each_line_after_it_what_happened_when() {
    simulated(|scene| async move {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("events.jsonl");
        let release = scene.release("aaaa", "1");
        logged(&scene, &release, "job 1", &file, FOREVER).await;
        let lines = lines(&file);
        assert_eq!(
            lines[0],
            json!({
                "at": "2026-11-23T08:00:00Z",
                "event": "begins",
                "apiVersion": "escale.dev/v1alpha1",
                "kind": "RolloutEvents",
                "environment": "test",
                "rollout": "20261123-080000-aaaa",
                "release": "aaaa",
                "strategy": "normal",
                "by": "job 1",
                "why": "a test",
                "conductor": "job 1",
                "waves": [
                    {"name": "canary", "role": "canary", "tenants": {"t0": "east"}},
                    {"name": "rest", "tenants": {"t1": "west", "t2": "east", "t3": "west", "t4": "east", "t5": "west"}},
                ],
            })
        );
        assert_eq!(
            lines[1],
            json!({"at": "2026-11-23T08:00:00Z", "event": "waveStarted", "wave": "canary"})
        );
        let waits: Vec<&Value> = lines
            .iter()
            .filter(|line| line["event"] == "waits")
            .collect();
        assert!(waits.iter().any(|line| {
            line["on"][0]
                .as_str()
                .unwrap()
                .starts_with("wave `canary` to soak until")
        }));
        let same = |pair: &&[&Value]| {
            (&pair[0]["on"], &pair[0]["until"]) == (&pair[1]["on"], &pair[1]["until"])
        };
        assert_eq!(
            waits.windows(2).filter(same).count(),
            0,
            "only what changes is written"
        );
        let mut events = lines
            .iter()
            .filter_map(|line| serde_json::from_value::<Event>(line.clone()).ok());
        let last = events.next_back().unwrap().what;
        assert!(matches!(
            last,
            What::Finished {
                outcome: Outcome::Succeeded,
                ..
            }
        ));
    });
}

#[test]
fn whoever_waits_for_its_turn_says_so_before_it_begins() {
    simulated(|scene| async move {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("events.jsonl");
        let (first, second) = (scene.release("aaaa", "1"), scene.release("bbbb", "2"));
        tokio::join!(scene.roll_out(&first), async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            logged(&scene, &second, "job 2", &file, FOREVER).await
        });
        let kinds: Vec<Value> = lines(&file)
            .iter()
            .take(2)
            .map(|line| line["event"].clone())
            .collect();
        assert_eq!(kinds, ["queued", "waits"]);
        assert_eq!(folded(&file), Counts::from([("succeeded".to_owned(), 6)]));
    });
}

#[test]
fn no_secret_is_in_the_log() {
    simulated(|mut scene| async move {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("events.jsonl");
        let secret = "\napiVersion: v1\nkind: Secret\nmetadata: {name: \"Not A Name\"}\nstringData: {password: hunter2-value}\n";
        scene.files.insert(
            "templates/site/secret.yaml.j2".to_owned(),
            secret.to_owned(),
        );
        logged(&scene, &scene.release("aaaa", "1"), "job 1", &file, FOREVER).await;
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("tenantFailed"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains("aHVudGVyMi"), "{text}");
    });
}

#[test]
fn rollout_and_rollback_append_to_the_file_that_is_named() {
    let repository = Repository::new();
    let run = |arguments: &[&str]| repository.command(arguments).output().unwrap();
    let file = repository.folder().join("events.jsonl");
    run(&["rollout", "--sim", "--ref", "HEAD~1"]);
    let rolled_out = run(&["rollout", "--sim", "--events", "events.jsonl"]);
    assert_eq!(rolled_out.status.code(), Some(0));
    let before = lines(&file).len();
    let back = [
        "rollback",
        "--sim",
        "t3",
        "--reason",
        "a test",
        "--by",
        "ana",
        "--events",
        "events.jsonl",
    ];
    assert_eq!(run(&back).status.code(), Some(0));
    let header = &lines(&file)[before];
    assert_eq!(header["strategy"], "rollback");
    assert_eq!(
        (&header["by"], &header["why"]),
        (&json!("ana"), &json!("a test"))
    );
    assert_eq!(folded(&file), Counts::from([("succeeded".to_owned(), 1)]));
    let nowhere = run(&[
        "rollout",
        "--sim",
        "--events",
        "no/such/folder/events.jsonl",
    ]);
    assert_eq!(
        nowhere.status.code(),
        Some(1),
        "said before anything is done"
    );
}

#[test]
fn a_rehearsal_writes_down_what_would_happen() {
    let repository = Repository::new();
    let arguments = [
        "rehearse",
        "--against",
        "HEAD~1",
        "--fail",
        "tenant=t0",
        "--events",
        "events.jsonl",
    ];
    let output = repository.command(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let file = repository.folder().join("events.jsonl");
    assert_eq!(lines(&file)[0]["by"], "rehearsal");
    let expected = [("pending".to_owned(), 5), ("rolledBack".to_owned(), 1)];
    assert_eq!(folded(&file), Counts::from(expected));
}
