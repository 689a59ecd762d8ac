//! `init`, `new`, `completions` and `man`: the first minutes with escale, by the real binary.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn escale(folder: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_escale"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("escale starts");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Fails the test, with everything that was said, unless it ended with this code.
#[track_caller]
fn ended(folder: &Path, arguments: &[&str], code: i32) -> Ran {
    let ran = escale(folder, arguments);
    let told = format!("{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.code, Some(code), "{told}");
    ran
}

fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git starts");
    assert!(done.status.success(), "git {arguments:?}: {done:?}");
}

fn begun() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    ended(folder.path(), &["init", "--cluster", "lab"], 0);
    folder
}

fn commit(folder: &Path) {
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "The fleet"]);
}

#[test]
fn what_init_writes_passes_check_and_rolls_out() {
    let folder = begun();
    let there = folder.path();
    let checked = ended(there, &["check"], 0);
    assert!(
        checked
            .stderr
            .ends_with("production: 1 tenant, 4 objects: no mistakes, no warnings\n"),
        "{}",
        checked.stderr
    );
    let ci = fs::read_to_string(there.join(".gitlab-ci.yml")).expect("the CI file");
    assert!(ci.contains("escale rollout -e"));
    commit(there);
    let rolled = ended(there, &["rollout", "--sim"], 0);
    assert!(
        rolled.stderr.contains("succeeded: 1 of 1 tenants"),
        "{}",
        rolled.stderr
    );
}

#[test]
fn init_takes_names_and_touches_nothing_that_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path();
    let names = [
        "-e",
        "staging",
        "--cluster",
        "lab",
        "--context",
        "admin@lab",
        "--tenant",
        "acme",
    ];
    ended(there, &[&["init"], &names[..]].concat(), 0);
    ended(there, &["check", "-e", "staging"], 0);
    let read = |path: &str| fs::read_to_string(there.join(path)).expect("a file");
    assert!(read("environments/staging/clusters/lab.yaml").contains("context: admin@lab"));
    assert!(read("environments/staging/tenants/acme.yaml").contains("domain: acme.example.com"));
    assert!(read(".gitlab-ci.yml").contains("ESCALE_ENVIRONMENT: staging"));

    fs::write(there.join("templates/site/web.yaml.j2"), "mine").expect("a file");
    let again = ended(there, &["init", "-e", "other"], 1);
    assert!(
        again
            .stderr
            .contains("nothing is written: `.gitlab-ci.yml`"),
        "{}",
        again.stderr
    );
    assert_eq!(read("templates/site/web.yaml.j2"), "mine");
    assert!(!there.join("environments/other").exists());

    let wrong = ended(there, &["-C", "elsewhere", "init", "--tenant", "Acme"], 1);
    assert!(
        wrong.stderr.contains("`Acme` is no name"),
        "{}",
        wrong.stderr
    );
    assert!(!there.join("elsewhere").exists());
}

#[test]
fn a_tenant_and_a_platform_more_are_written_if_the_fleet_is_right_with_them() {
    let folder = begun();
    let there = folder.path();
    let acme = [
        "new",
        "tenant",
        "acme",
        "--cluster",
        "lab",
        "--label",
        "ring=early",
    ];
    let site = ["--client", "acme", "--domain", "www.acme.example"];
    let made = ended(there, &[&acme[..], &site[..]].concat(), 0);
    assert!(
        made.stderr.contains("`acme` has 4 objects with it"),
        "{}",
        made.stderr
    );
    let written = fs::read_to_string(there.join("environments/production/tenants/acme.yaml"));
    assert_eq!(written.expect("a file"), made.stdout);
    assert!(made.stdout.contains("ring: early"));

    ended(there, &["new", "tenant", "shared", "--cluster", "lab"], 0);
    let bolt = [
        "new",
        "platform",
        "bolt",
        "--tenant",
        "shared",
        "--domain",
        "bolt.example",
    ];
    let made = ended(
        there,
        &[&bolt[..], &["--alias", "www.bolt.example"]].concat(),
        0,
    );
    assert!(
        made.stdout.contains("aliases:\n  - www.bolt.example\n"),
        "{}",
        made.stdout
    );
    ended(there, &["check"], 0);
}

#[test]
fn what_would_be_a_mistake_is_told_and_not_written() {
    let folder = begun();
    let there = folder.path();
    let tenants = there.join("environments/production/tenants");
    for (arguments, said) in [
        (
            &["new", "tenant", "acme", "--cluster", "lub"][..],
            "no cluster named `lub`",
        ),
        (
            &["new", "tenant", "first", "--cluster", "lab"],
            "tenant `first`",
        ),
        (
            &[
                "new",
                "tenant",
                "acme",
                "--cluster",
                "lab",
                "--client",
                "c",
                "--domain",
                "first.example.com",
            ],
            "first.example.com",
        ),
        (
            &[
                "new",
                "platform",
                "bolt",
                "--tenant",
                "first",
                "--domain",
                "bolt.example",
            ],
            "git mv environments/production/tenants/first.yaml environments/production/tenants/first/tenant.yaml",
        ),
        (
            &[
                "new",
                "platform",
                "bolt",
                "--tenant",
                "nobody",
                "--domain",
                "bolt.example",
            ],
            "nobody",
        ),
    ] {
        let told = ended(there, arguments, 1).stderr;
        assert!(told.contains(said), "{arguments:?}: {told}");
        let files = fs::read_dir(&tenants).expect("a folder").count();
        assert_eq!(files, 1, "{arguments:?}");
    }
}

#[test]
fn shells_and_man_learn_every_command() {
    let folder = tempfile::tempdir().expect("a folder");
    for shell in ["bash", "zsh", "fish"] {
        let script = ended(folder.path(), &["completions", shell], 0).stdout;
        assert!(script.contains("release-hold") && script.contains("even-if-irreversible"));
    }
    ended(folder.path(), &["man", "pages"], 0);
    for page in ["escale.1", "escale-rollout.1", "escale-new-tenant.1"] {
        let text = fs::read_to_string(folder.path().join("pages").join(page)).expect(page);
        assert!(text.contains(".TH"), "{page}");
    }
}
