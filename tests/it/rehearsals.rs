//! `escale rehearse`: the real binary from git, and what it reads of a live fleet.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use escale::cli::events::EventsArgs;
use escale::cli::rehearse::{Failing, Faults, Readers, Rehearsal, Report, rehearse, text};
use escale::cli::ui::Ui;
use escale::engine::{Records, holds, store};
use escale::record::{Hold, Scope, Verb, Word};
use escale::sim::Fault;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::{Release, Scene, files, simulated};

const STRATEGY: &str = "
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 5s, progressDeadline: 2m}
  limits: {maxConcurrency: {all: 2}, maxFailures: {all: 1, cluster: 100%}}
  waves:
    - {name: canary, role: canary, select: {ring: canary}, soak: 30s, onBreach: rollback}
    - {name: rest, soak: 30s, onBreach: pause}
  onUnreachable: {deadline: 10s}
";

/// The fleet of six in a git repository: one release, then another.
pub struct Repository(TempDir);

impl Repository {
    pub fn new() -> Self {
        let repository = Self(TempDir::new().expect("a temporary folder"));
        for (path, text) in files(STRATEGY) {
            repository.write(&path, &text);
        }
        repository.git(&["init", "-q", "-b", "main"]);
        repository.commit("1");
        repository.commit("2");
        repository
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("made a folder");
        fs::write(path, text).expect("wrote a file");
    }

    /// A commit of this version, at a time that is always the same: so is its id.
    pub fn commit(&self, version: &str) {
        let versions = format!(
            "apiVersion: escale.dev/v1alpha1\nkind: Versions\nmetadata: {{name: test}}\nspec: {{web: \"registry.example.com/web:{version}\"}}\n"
        );
        self.write("environments/test/versions.yaml", &versions);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", &format!("web {version}")]);
    }

    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
        let noon = "2026-11-23T12:00:00Z";
        let status = Command::new("git")
            .current_dir(self.0.path())
            .env("GIT_AUTHOR_DATE", noon)
            .env("GIT_COMMITTER_DATE", noon)
            .args(identity)
            .args(arguments)
            .status()
            .expect("git is needed to make a repository");
        assert!(status.success(), "git {arguments:?}");
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// The real binary, in this folder, with nobody's kubeconfig.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_escale"));
        command
            .current_dir(self.0.path())
            .env_remove("KUBECONFIG")
            .env("HOME", self.0.path())
            .args(arguments);
        command
    }

    fn rehearse(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(&["rehearse"]);
        command.args(arguments).output().expect("the binary runs")
    }

    /// What a run prints on stdout, and its exit code.
    fn rehearsed(&self, arguments: &[&str]) -> (String, i32) {
        let output = self.rehearse(&[&["--against", "HEAD~1"], arguments].concat());
        let code = output.status.code().expect("it ended by itself");
        (text_of(&output.stdout), code)
    }
}

pub fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_good_release_is_told_wave_by_wave() {
    let output = Repository::new().rehearse(&["--against", "HEAD~1"]);
    assert_eq!(
        text_of(&output.stdout),
        "WAVE    TENANTS  WELL  FAILED  BACK  STUCK  DEFERRED  BEGUN     TOOK   END\n\
         canary  1        1     0       0     0      0         00:00:00  43s    passed\n\
         rest    5        5     0       0     0      0         00:00:43  1m21s  passed\n\
         \n\
         touched: 6 tenants of 6: t0, t1, t2, t3, t4, t5\n\
         in flight at once: at most 2 tenants; no tenant was ever short of pods\n\
         took 2m04s of virtual time; a rollout would end with exit code 0: succeeded: 6 of 6 tenants\n\
         \x20 succeeded\n"
    );
    let told = text_of(&output.stderr);
    let first: Vec<&str> = told.lines().take(5).collect();
    assert_eq!(
        first,
        [
            "test: 34cd8bb141 \"web 2\" over 39e39c591c \"web 1\"; strategy normal, seed 1",
            "6 tenants on 3 simulated clusters",
            "00:00:00  wave canary (canary: tolerates no failure): 1 tenant on 1 cluster",
            "00:00:00    t0: 1 object written",
            "00:00:13    t0: healthy after 13s",
        ]
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_tenant_that_fails_goes_back_alone() {
    let (told, code) = Repository::new().rehearsed(&["--fail", "tenant=?3"]);
    let failed = "failed: t3 on west, wave rest: Deployment/web: pod `web-";
    assert!(told.contains(failed), "{told}");
    let back = "container `web` crashes\n  (exit code 1); restarted 3 times; back at b1:6c28dd95 (39e39c59) after 7s\n";
    assert!(told.contains(back), "{told}");
    assert!(told.contains("\ntouched: 6 tenants of 6: "), "{told}");
    assert_eq!(code, 6);
}

#[test]
fn a_canary_that_fails_stops_the_rollout() {
    let (told, code) = Repository::new().rehearsed(&["--fail", "tenant=t0"]);
    let (waves, rest) = told.split_once("\n\n").expect("two paragraphs");
    assert_eq!(
        waves,
        "WAVE    TENANTS  WELL  FAILED  BACK  STUCK  DEFERRED  BEGUN     TOOK  END\n\
         canary  1        0     1       1     0      0         00:00:00  41s   STOPPED\n\
         rest    5        0     0       0     0      0         -         -     -"
    );
    assert!(
        rest.contains("\ntouched before it stopped: 1 tenant of 6: t0\n"),
        "{rest}"
    );
    assert!(
        rest.ends_with(
            "took 41s of virtual time; a rollout would end with exit code 3: failed, and everything it touched is\n\
             \x20 back: 1 of wave `canary` failed, 0 may: t0\n"
        ),
        "{rest}"
    );
    assert_eq!(code, 3);
}

#[test]
fn a_cluster_that_goes_away_is_deferred_and_named() {
    let faults = [
        "--against",
        "HEAD~1",
        "--fail",
        "cluster=west",
        "--seed",
        "6",
    ];
    let output = Repository::new().rehearse(&faults);
    let (told, said) = (text_of(&output.stdout), text_of(&output.stderr));
    assert!(said.contains("  cluster west: GOES AWAY\n"), "{said}");
    assert!(
        said.contains("    t3: deferred: cluster `west` did not answer for 10s: it cannot be"),
        "{said}"
    );
    assert!(
        told.contains(", t3, t5 on west, wave rest: cluster `west` did not answer for 10s: it"),
        "{told}"
    );
    assert_eq!(output.status.code(), Some(6));
}

#[test]
fn the_same_seed_tells_the_same_to_the_letter_and_another_seed_does_not() {
    let repository = Repository::new();
    let run = |seed: &str| {
        let all = ["--storm", "--fail", "cluster=east", "--seed", seed];
        let output = repository.rehearse(&[&["--against", "HEAD~1"], &all[..]].concat());
        (text_of(&output.stdout), text_of(&output.stderr))
    };
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7"), run("8"));
}

#[test]
fn where_no_cluster_answers_git_says_what_runs() {
    let repository = Repository::new();
    let output = repository.rehearse(&[]);
    let told = text_of(&output.stderr);
    assert!(
        told.starts_with("no cluster answers, so git says what runs: "),
        "{told}"
    );
    assert!(told.contains("\"web 2\" over "), "{told}");
    assert_eq!(output.status.code(), Some(0));

    repository.write("environments/test/versions.yaml", "apiVersion: escale.dev/v1alpha1\nkind: Versions\nmetadata: {name: test}\nspec: {web: \"registry.example.com/web:3-crash\"}\n");
    let output = repository.rehearse(&[]);
    assert_eq!(
        output.status.code(),
        Some(3),
        "what is not committed, over the commit"
    );
}

#[test]
fn who_does_not_exist_cannot_fail() {
    let repository = Repository::new();
    let said = |what: &str| {
        let output = repository.rehearse(&["--against", "HEAD~1", "--fail", what]);
        (text_of(&output.stderr), output.status.code())
    };
    assert_eq!(
        said("tenant=t9"),
        (
            "error: no tenant, platform or domain named `t9` in `test`\n  hint: a target is a tenant, a pattern in quotes, a platform, a domain or `client=NAME`\n"
                .to_owned(),
            Some(1)
        )
    );
    assert_eq!(
        said("tenant=v*").0,
        "error: no tenant matches `v*` in `test`\n  hint: a target is a tenant, a pattern in quotes, a platform, a domain or `client=NAME`\n"
    );
    assert_eq!(
        said("cluster=wst"),
        (
            "error: no cluster named `wst` in `test`\n  hint: did you mean `west`?\n".to_owned(),
            Some(1)
        )
    );
    assert_eq!(said("t3").1, Some(64));
}

#[test]
fn json_has_the_shape_that_scripts_rely_on() {
    let (told, _) = Repository::new().rehearsed(&["--fail", "tenant=t3", "-o", "json"]);
    let report: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(report["kind"], "Rehearsal");
    assert_eq!(report["exitCode"], 6);
    assert_eq!(
        report["faults"],
        json!({"tenants": ["t3"], "clusters": [], "storm": false})
    );
    let tenants = report["tenants"].as_array().expect("a list");
    let failed = tenants
        .iter()
        .find(|one| one["hasFailed"] == true)
        .expect("t3");
    assert_eq!(failed["tenant"], "t3");
    assert_eq!(failed["outcome"], "rolledBack");
    assert_eq!(failed["backTo"], failed["from"]);
}

// --- Live ---

/// A rehearsal of a release on what the clusters of a scene have.
async fn on_live(scene: &Scene, release: &Release, failing: &[&str]) -> Report {
    let readers = Readers::of(&scene.clusters);
    let today = readers.today(&release.fleet, scene.clock.now()).await;
    let order = release.order("nobody");
    let failing: Vec<Failing> = failing
        .iter()
        .map(|text| text.parse().expect("a fault"))
        .collect();
    let rehearsal = Rehearsal {
        today: today.unwrap_or_else(|_| panic!("the clusters answer")),
        fleet: &release.fleet,
        bundles: &release.bundles,
        release: release.id.clone(),
        described: release.id.clone(),
        strategy: order.strategy.clone(),
        selected: None,
        allowed_deletes: None,
        faults: Faults::of(&failing, false, &release.fleet).expect("all is there"),
        seed: 1,
        events: EventsArgs::default(),
    };
    let (report, _) = rehearse(&rehearsal, &Ui::new(0))
        .await
        .expect("it is rehearsed");
    report
}

#[test]
fn nothing_is_written_to_the_live_fleet() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.forget_requests();
        let report = on_live(&scene, &scene.release("bbbb", "2"), &["tenant=t0"]).await;
        assert_eq!(report.exit_code, 3);
        for sim in scene.sims.values() {
            let requests = sim.requests();
            assert!(!requests.is_empty(), "it was read");
            assert_eq!(requests.mutating().next(), None);
            assert!(requests.iter().all(|request| !request.dry_run));
        }
        assert!(scene.images().values().all(|tag| tag == "1"));
    });
}

#[test]
fn what_runs_and_what_is_good_is_what_the_records_say() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let report = on_live(&scene, &next, &["tenant=t1"]).await;
        let t1 = report
            .tenants
            .iter()
            .find(|one| one.tenant == "t1")
            .expect("it is planned");
        let record = scene.record("t1").await;
        assert_eq!(t1.from, record.digest);
        assert_eq!(t1.back_to, record.digest);
        assert_eq!(t1.back_to_release.as_deref(), Some("aaaa"));
        assert_eq!(report.unchanged, 0);
        scene.roll_out(&next).await;
        let report = on_live(&scene, &next, &[]).await;
        assert_eq!(
            (report.waves.len(), report.unchanged, report.exit_code),
            (0, 6, 0)
        );
    });
}

#[test]
fn a_live_fleet_that_rests_is_rehearsed_the_same_at_any_time() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let first = on_live(&scene, &next, &["cluster=west"]).await;
        scene.pass(90).await;
        assert_eq!(on_live(&scene, &next, &["cluster=west"]).await, first);
    });
}

#[test]
fn holds_quarantines_and_silent_clusters_are_as_they_are() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let bad = scene.release("bbbb", "2-crash");
        scene.roll_out(&bad).await;
        let report = on_live(&scene, &bad, &[]).await;
        assert_eq!(left_out(&report).len(), 6);
        assert!(
            left_out(&report)[0].starts_with("t0: quarantined"),
            "{:?}",
            left_out(&report)
        );

        let now = scene.clock.now();
        let hold = Hold {
            reason: "audit".to_owned(),
            owner: "ana".to_owned(),
            since: now,
            expires: Some(now + SignedDuration::from_mins(10)),
            digest: None,
        };
        let east = scene.clusters.get("east").expect("it is connected");
        holds::hold(east, "t2", &hold).await.expect("it is held");
        scene.sims["west"].tell(Fault::Unreachable {
            from: now,
            until: None,
        });
        let good = scene.release("cccc", "3");
        let told = left_out(&on_live(&scene, &good, &[]).await);
        assert!(told[0].starts_with("t1: cluster unreachable"), "{told:?}");
        assert!(told[1].starts_with("t2: held: audit (ana)"), "{told:?}");
        assert_eq!(told.len(), 4);
        scene.pass(11).await;
        assert_eq!(
            left_out(&on_live(&scene, &good, &[]).await).len(),
            3,
            "the hold is over"
        );
    });
}

#[test]
fn an_open_rollout_is_told_and_begun_anew() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        let next = scene.release("bbbb", "2");
        let killed = std::time::Duration::from_secs(50);
        let _killed = tokio::time::timeout(killed, scene.roll_out(&next)).await;
        let report = on_live(&scene, &next, &[]).await;
        assert!(
            report.notes[0].contains("is open: the rehearsal begins a new one"),
            "{:?}",
            report.notes
        );
        assert_eq!(report.exit_code, 0, "{}", text(&report, 100));
        assert!(report.unchanged > 0);
    });
}

#[test]
fn a_record_that_cannot_be_read_keeps_its_tenant_out() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let edited =
            scene.sims["west"].edit("configmaps", (Some("escale-system"), "t3"), |record| {
                record["data"]["inventory"] = json!("{ not json");
            });
        edited.expect("it is there");
        let told = left_out(&on_live(&scene, &scene.release("bbbb", "2"), &[]).await);
        assert!(told[0].starts_with("t3: record unreadable"), "{told:?}");
    });
}

#[test]
fn words_and_records_of_the_live_fleet_stay_as_they_are() {
    simulated(|scene| async move {
        scene.roll_out(&scene.release("aaaa", "1")).await;
        let word = Word {
            verb: Verb::Quarantine,
            environment: "test".to_owned(),
            scope: Scope::Release("aaaa".to_owned()),
            author: "ana".to_owned(),
            reason: "white pages".to_owned(),
            at: scene.clock.now(),
            expires: None,
        };
        let hub = scene.clusters.hub().expect("a hub").writer();
        store::say(&hub, &word).await.expect("it is said");
        let before: Vec<_> = Records::read(&scene.clusters, "test")
            .await
            .iter()
            .cloned()
            .collect();
        on_live(&scene, &scene.release("bbbb", "2"), &["cluster=hub"]).await;
        let after: Vec<_> = Records::read(&scene.clusters, "test")
            .await
            .iter()
            .cloned()
            .collect();
        assert_eq!(after, before);
        let words = store::words(&hub, "test").await.expect("the hub answers");
        assert_eq!(words, [word]);
    });
}

#[test]
fn kinds_that_only_the_real_clusters_serve_are_no_obstacle() {
    simulated(|mut scene| async move {
        let monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: web}\nspec: {endpoints: [{port: http}]}\n";
        let path = "templates/site/monitor.yaml.j2".to_owned();
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.files.insert(path, monitor.to_owned());
        let report = on_live(&scene, &scene.release("bbbb", "2"), &[]).await;
        assert_eq!(report.exit_code, 0, "{}", text(&report, 100));
    });
}

fn left_out(report: &Report) -> Vec<String> {
    let left_out = report.left_out.iter();
    left_out
        .map(|excluded| format!("{}: {}", excluded.tenant, excluded.reason.words()))
        .collect()
}

#[test]
fn a_rehearsal_waits_at_no_gate_and_says_which_a_rollout_has() {
    let repository = Repository::new();
    let gated = STRATEGY.replace("{name: rest,", "{name: rest, approval: true,")
        + "  windows: [{allow: \"Sun 03:00-03:01\", zone: Europe/Paris}]\n";
    repository.write("environments/test/strategy.yaml", &gated);
    let (text, code) = repository.rehearsed(&[]);
    assert_eq!(code, 0, "{text}");
    // Lines are broken where they are too long.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let approval =
        "wave `rest` is taken for approved: a rollout waits for `escale approve --wave rest`";
    let window =
        "it goes on at any hour: a rollout starts tenants in Sun 03:00-03:01 (Europe/Paris)";
    assert!(text.contains(approval) && text.contains(window), "{text}");
}
