//! The pipeline of a fleet's repository, as GitLab would run it: the file of this project, run by `gitlab-ci-local`, which also
//! holds it to GitLab's published schema, against real clusters and a GitLab API server that complains.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::binary::escale;
use crate::clusters::{kubeconfig, kubectl, programs};
use crate::fleet::Fleet;
use crate::gitlab_stub::Stub;
use crate::gitlab_tokens::{claims, keys, token};
use crate::sites::{SITES, Sites};
use crate::turns::beside;

const ON: [&str; 3] = ["metal-par", "medic-rbx", "managed-ams"];

struct Pipeline {
    fleet: Fleet,
    stub: Stub,
}

/// What a run said, and whether GitLab would call it passed.
struct Ran {
    passed: bool,
    said: String,
}

impl Pipeline {
    fn sites() -> Sites<'static> {
        Sites {
            environment: "pipeline",
            on: &ON,
            ..SITES
        }
    }

    fn begun() -> Self {
        let fleet = Self::sites().fleet_with(&[]);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".gitlab-ci.yml");
        fleet.write(
            ".gitlab-ci.yml",
            &fs::read_to_string(file).expect("the CI file"),
        );
        fleet.write(
            ".gitignore",
            ".gitlab-ci-local\n*.json\n*.jsonl\n*.xml\ndiff.md\n",
        );
        let file = "environments/pipeline/environment.yaml";
        let stub = Stub::new();
        stub.state().keys = keys();
        let channels = format!(
            "  announce: {{ops: {{format: mattermost, url: \"env:OPS_WEBHOOK\"}}}}\n  chat:\n    gitlab: {}\n    \
             project: ops/fleet\n    people: {{ana: 17}}\n    \
             allow: [{{people: [ana], verbs: [status, release-hold], tenants: [\"*\"]}}]\n",
            stub.root()
        );
        fleet.write(file, &(fleet.read(file) + &channels));
        fleet.commit("The pipeline");
        let remote = [
            "remote",
            "add",
            "origin",
            "git@gitlab.example.com:fleet/fleet.git",
        ];
        let git = Command::new("git")
            .args(remote)
            .current_dir(fleet.folder())
            .status();
        assert!(git.expect("git starts").success());
        Self { fleet, stub }
    }

    /// Runs jobs of a pipeline of this source, with more variables.
    fn run(&self, source: &str, variables: &[(&str, &str)], jobs: &[&str]) -> Ran {
        let mut command = Command::new(programs().join("gitlab-ci-local"));
        let path = std::env::var("PATH").expect("a path");
        let binary = Path::new(env!("CARGO_BIN_EXE_escale"))
            .parent()
            .expect("a folder")
            .display()
            .to_string();
        command
            .current_dir(self.fleet.folder())
            .env_clear()
            .env("PATH", format!("{binary}:{path}"))
            .env("HOME", self.fleet.folder())
            .env("KUBECONFIG", kubeconfig())
            .args(["--force-shell-executor", "--no-color"]);
        let source = ("CI_PIPELINE_SOURCE", source);
        let environment = ("ESCALE_ENVIRONMENT", "pipeline");
        let hook = format!("{}/hooks/planted-hook", self.stub.root());
        let hook = ("OPS_WEBHOOK", hook.as_str());
        let gitlab = self.stub.variables();
        let gitlab = gitlab.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<(&str, &str)> = [source, environment, hook]
            .into_iter()
            .chain(variables.iter().copied())
            .chain(gitlab)
            .collect();
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        command.args(["--ignore-predefined-vars", &names.join(",")]);
        for (name, value) in all {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        let output = command.args(jobs).output().expect("gitlab-ci-local starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran {
            passed: output.status.success(),
            said: text(&output.stdout) + &text(&output.stderr),
        }
    }

    fn report(&self, file: &str) -> String {
        let path = self.fleet.folder().join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"))
    }
}

impl Ran {
    #[track_caller]
    fn passes(self) -> Self {
        assert!(self.passed, "{}", self.said);
        self
    }

    #[track_caller]
    fn fails(self) -> Self {
        assert!(!self.passed, "{}", self.said);
        self
    }

    #[track_caller]
    fn says(self, text: &str) -> Self {
        assert!(self.said.contains(text), "expected `{text}`\n{}", self.said);
        self
    }
}

#[test]
fn a_day_of_a_pipeline() {
    let _turn = beside();
    let it = Pipeline::begun();
    it.run("push", &[], &["check", "rollout"])
        .passes()
        .says("json schema validated");
    let told = it.stub.state().told.clone();
    let says = |at: usize, text: &str| assert!(told[at].contains(text), "{told:?}");
    assert_eq!(told.len(), 4, "{told:?}");
    says(0, "started by");
    says(1, "wave canary passed");
    says(3, "succeeded: 3 of 3 succeeded");
    let xml = it.report("junit.xml");
    assert!(xml.contains("name=\"metal-par/pipeline-0\""), "{xml}");
    let shown = it.stub.state().deployments.clone();
    let shown: Vec<(&str, &str)> = shown
        .iter()
        .map(|(environment, _, status)| (environment.as_str(), status.as_str()))
        .collect();
    assert!(
        shown.contains(&("pipeline/metal-par/canary", "success")),
        "{shown:?}"
    );
    assert_eq!(shown.len(), 3, "{shown:?}");

    merge_request(&it);
    it.run("push", &[], &["rollout"]).passes();
    Pipeline::sites().end_at("1.1.0");
    schedules(&it);
    rollback(&it);
    chat(&it);
}

fn merge_request(it: &Pipeline) {
    it.fleet.write("NOTES.md", "what it is compared with\n");
    let base = it.fleet.commit("A base");
    it.fleet.release("site", "1.1.0");
    let variables = [("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str())];
    it.run("merge_request_event", &variables, &["check", "diff"])
        .passes()
        .says("the merge request has a note of it");
    it.run("merge_request_event", &variables, &["diff"])
        .passes()
        .says("says the same already");
    let state = it.stub.state();
    assert_eq!(state.complaints, Vec::<String>::new());
    assert_eq!(state.notes.len(), 1);
    assert!(
        state.notes[0].2.contains("site:1.0.0 → site:1.1.0"),
        "{}",
        state.notes[0].2
    );
    drop(state);
    assert!(
        it.report("plan.json").contains("\"update\": 9"),
        "{}",
        it.report("plan.json")
    );
    let quality = it.report("quality.json");
    assert!(
        quality.contains("\"severity\": \"minor\"") && !quality.contains("major"),
        "{quality}"
    );
}

fn schedules(it: &Pipeline) {
    let schedule = |which: &str| it.run("schedule", &[("ESCALE_SCHEDULE", which)], &[which]);
    schedule("continue").passes();
    schedule("alarm").passes();
    schedule("drift").passes().says("no changes in 3 tenants");
    kubectl(
        ON[1],
        &[
            "scale",
            "deployment/site",
            "--replicas=3",
            "-n",
            "pipeline-1",
        ],
    );
    schedule("drift").fails().says(".spec.replicas: 3 → 2");
    kubectl(
        ON[1],
        &[
            "scale",
            "deployment/site",
            "--replicas=2",
            "-n",
            "pipeline-1",
        ],
    );
}

/// What a person types is only ever a variable.
fn rollback(it: &Pipeline) {
    let pwned = it.fleet.folder().join("pwned");
    for typed in [
        "x; touch pwned",
        "$(touch pwned)",
        "`touch pwned`",
        "--all",
        "-h",
        "x\n/merge",
    ] {
        it.run(
            "web",
            &[("ROLLBACK_TARGET", typed), ("ROLLBACK_REASON", typed)],
            &["rollback"],
        );
        assert!(!pwned.exists(), "`{typed}` reached a shell");
    }
    Pipeline::sites().end_at("1.1.0");
    let back = [
        ("ROLLBACK_TARGET", "pipeline-1"),
        ("ROLLBACK_REASON", "documents do not open"),
    ];
    it.run("web", &back, &["rollback"])
        .passes()
        .says("back and healthy");
    assert_eq!(Pipeline::sites().tags()["pipeline-1"], "1.0.0");
    let told = it.stub.state().told.clone();
    let [.., started, finished] = told.as_slice() else {
        panic!("{told:?}");
    };
    let whom = "1 tenant back: pipeline-1: documents do not open";
    assert!(
        started.contains("pipeline: rollback: started by") && started.contains(whom),
        "{told:?}"
    );
    assert!(finished.contains("succeeded: 1 of 1 succeeded"), "{told:?}");
    // The hold holds: the next pipeline says so, and passes with a warning.
    it.fleet.release("site", "1.2.0");
    it.run("push", &[], &["rollout"])
        .passes()
        .says("left out: pipeline-1");
    assert_eq!(Pipeline::sites().tags()["pipeline-1"], "1.0.0");
    assert_eq!(Pipeline::sites().tags()["pipeline-0"], "1.2.0");
    let held = escale(it.fleet.folder(), &["status", "-e", "pipeline"]).ends_with(0);
    assert!(held.data.contains("documents do not open"), "{held}");
}

/// What is typed in chat is a variable, too; who typed it is in GitLab's signed token alone.
fn chat(it: &Pipeline) {
    let ana = token(&claims(it.stub.root(), "ana", 17));
    let typed = |words: &str, token: &str| {
        let variables = [("CHAT_INPUT", words), ("ESCALE_ID_TOKEN", token)];
        it.run("chat", &variables, &["chat"]).passes()
    };
    typed("status", &ana).says("pipeline-1");
    let pwned = it.fleet.folder().join("pwned");
    for words in ["status; touch pwned", "$(touch pwned)", "`touch pwned`"] {
        typed(words, &ana);
        assert!(!pwned.exists(), "`{words}` reached a shell");
    }
    let release = "release-hold pipeline-1 because they open again";
    let bob = token(&claims(it.stub.root(), "ana", 18));
    typed(release, &bob);
    it.run("push", &[], &["rollout"])
        .says("left out: pipeline-1");
    typed(release, &ana);
    it.run("push", &[], &["rollout"]).passes();
    Pipeline::sites().end_at("1.2.0");
}
