//! Which strategy a release gets when nobody names one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use escale::engine::{self, Heard, Order};
use escale::record::RolloutRecord;
use escale::rollout::Outcome;

use crate::rehearsals::{Repository, text_of};
use crate::scene::{Release, Scene, in_virtual_time, outcome};

const VERSIONS: &str = "environments/test/versions.yaml";
const CLIENT: &str = "environments/test/tenants/t3.yaml";

const STRATEGIES: &str = r#"
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
  waves:
    - {name: canary, role: canary, select: {ring: canary}, soak: 30s, onBreach: rollback}
    - {name: rest, soak: 30s, onBreach: pause}
---
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: images}
spec:
  when: {onlyPaths: ["environments/*/versions.yaml"]}
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
"#;

/// A git in which the same files differ between any two commits, and what it was asked.
struct Git {
    changed: Result<Vec<String>, String>,
    asked: Mutex<Vec<(String, String)>>,
}

impl Git {
    fn of(paths: &[&str]) -> Self {
        Self {
            changed: Ok(paths.iter().map(|&path| path.to_owned()).collect()),
            asked: Mutex::default(),
        }
    }

    /// Rolls out for at most so many seconds, and returns what the hub noted.
    async fn roll_out(&self, scene: &Scene, release: &Release, seconds: u64) -> RolloutRecord {
        let changed = |from: &str, to: &str| {
            let question = (from.to_owned(), to.to_owned());
            self.asked.lock().unwrap().push(question);
            self.changed.clone()
        };
        let order = Order {
            changed: Some(&changed),
            ..release.order("job 1")
        };
        let mut deaf = |_: Heard<'_>| {};
        let work = engine::roll_out(&order, scene.world(&mut deaf));
        if let Ok(carried) = tokio::time::timeout(Duration::from_secs(seconds), work).await {
            assert_eq!(outcome(&carried.unwrap()), Some(Outcome::Succeeded));
        }
        let rollouts = engine::rollouts(&scene.clusters, "test").await.unwrap();
        rollouts.into_iter().next_back().unwrap()
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

const LONG: u64 = 3600;

fn why(record: &RolloutRecord) -> &str {
    record.frozen["strategy"]["chosen"].as_str().unwrap()
}

#[test]
fn what_changes_picks_the_strategy_and_the_record_says_why() {
    in_virtual_time(async {
        let scene = Scene::with(0, STRATEGIES);
        let images = Git::of(&[VERSIONS]);
        let first = images
            .roll_out(&scene, &scene.release("aaaa", "1"), LONG)
            .await;
        assert_eq!(first.strategy, "normal");
        assert_eq!(
            why(&first),
            "the default: nothing that it would change runs yet"
        );
        assert_eq!(images.asked(), [], "git is not asked about nothing");

        let second = images
            .roll_out(&scene, &scene.release("bbbb", "2"), LONG)
            .await;
        assert_eq!(second.strategy, "images");
        assert_eq!(
            why(&second),
            "since aaaa only `environments/*/versions.yaml` changed"
        );
        assert_eq!(second.waves.len(), 1);

        let both = Git::of(&[VERSIONS, "templates/site/all.yaml.j2"]);
        let third = both
            .roll_out(&scene, &scene.release("cccc", "3"), LONG)
            .await;
        assert_eq!(third.strategy, "normal");
        assert_eq!(
            why(&third),
            "the default: since bbbb `templates/site/all.yaml.j2` changed, too"
        );

        let changed = Err("this clone does not have commit cccc".to_owned());
        let shallow = Git {
            changed,
            ..Git::of(&[])
        };
        let fourth = shallow
            .roll_out(&scene, &scene.release("dddd", "4"), LONG)
            .await;
        assert_eq!(fourth.strategy, "normal");
        assert_eq!(
            why(&fourth),
            "the default: this clone does not have commit cccc"
        );
    });
}

#[test]
fn whoever_the_last_rollout_did_not_change_runs_its_release_all_the_same() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, STRATEGIES);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let text =
            scene.files[CLIENT].replace("p3: ", "p9: {client: c9, domain: c9.example}, p3: ");
        scene.files.insert(CLIENT.to_owned(), text);
        scene.roll_out(&scene.release("bbbb", "1")).await;
        assert_eq!(scene.record("t0").await.release.as_deref(), Some("aaaa"));

        let images = Git::of(&[VERSIONS]);
        let next = images
            .roll_out(&scene, &scene.release("cccc", "2"), LONG)
            .await;
        assert_eq!(next.strategy, "images");
        assert_eq!(images.asked(), [("bbbb".to_owned(), "cccc".to_owned())]);
    });
}

#[test]
fn tenants_that_run_several_releases_are_rolled_out_as_by_default() {
    in_virtual_time(async {
        let scene = Scene::with(0, STRATEGIES);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let alone = scene.release("bbbb", "2");
        let order = Order {
            selected: Some(["t3".to_owned()].into()),
            ..alone.order("job 1")
        };
        let mut deaf = |_: Heard<'_>| {};
        engine::roll_out(&order, scene.world(&mut deaf))
            .await
            .unwrap();
        scene.pass(5).await;

        let images = Git::of(&[VERSIONS]);
        let next = images
            .roll_out(&scene, &scene.release("cccc", "3"), LONG)
            .await;
        assert_eq!(next.strategy, "normal");
        assert_eq!(why(&next), "the default: several releases run: aaaa, bbbb");
    });
}

#[test]
fn who_goes_on_keeps_to_the_strategy_that_was_picked() {
    in_virtual_time(async {
        let scene = Scene::with(0, STRATEGIES);
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let killed = Git::of(&[VERSIONS]).roll_out(&scene, &next, 8).await;
        assert!(killed.state.is_open());
        scene.pass(5).await;
        let templates = Git::of(&["templates/site/all.yaml.j2"]);
        let gone_on = templates.roll_out(&scene, &next, LONG).await;
        assert_eq!(
            (gone_on.id, gone_on.strategy),
            (killed.id, "images".to_owned())
        );
        assert_eq!(templates.asked(), []);
    });
}

/// What the binary prints on stdout.
fn stdout(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text_of(&output.stderr));
    text_of(&output.stdout)
}

#[test]
fn git_is_asked_which_files_changed_and_never_the_working_tree() {
    let repository = Repository::new();
    repository.write("environments/test/strategy.yaml", STRATEGIES);
    repository.commit("3");
    let told = stdout(repository.command(&["plan", "--sim", "--ref", "HEAD"]));
    let why = "strategy normal (the default: nothing that it would change runs yet)";
    assert!(told.contains(why), "{told}");
    let rollout = || repository.command(&["rollout", "--sim"]);
    stdout(rollout());
    repository.write("README.md", "# Notes for people count for nothing");
    repository.commit("4");
    let told = stdout(repository.command(&["plan", "--sim", "-o", "json", "--ref", "HEAD"]));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["strategy"], "images");
    let why = told["strategyWhy"].as_str().unwrap();
    assert!(
        why.ends_with("only `environments/*/versions.yaml` changed"),
        "{why}"
    );

    repository.write("environments/test/tenants/notes.txt", "");
    repository.write(
        CLIENT,
        &crate::scene::files(STRATEGIES)[CLIENT].replace("c3.", "c33."),
    );
    let dirty = stdout(repository.command(&["plan", "--sim", "-o", "json"]));
    let dirty: serde_json::Value = serde_json::from_str(&dirty).unwrap();
    assert_eq!(dirty["strategy"], "normal");
    assert_eq!(
        dirty["strategyWhy"],
        "the default: files that are not committed pick none"
    );

    let named = ["plan", "--sim", "-o", "json", "--strategy", "images"];
    let named: serde_json::Value =
        serde_json::from_str(&stdout(repository.command(&named))).unwrap();
    assert_eq!(
        (&named["strategy"], &named["strategyWhy"]),
        (&"images".into(), &().into())
    );
}
