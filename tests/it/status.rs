//! `escale status` and `escale history`, as a person reads them after a bad release.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::rehearsals::{Repository, text_of};

const CRASHES: &str = "container `web` crashes";

fn run(repository: &Repository, arguments: &[&str]) -> Output {
    let sim = [arguments, &["--sim"]].concat();
    repository.command(&sim).output().unwrap()
}

/// What it printed, one line each, in which this is.
fn lines(output: &Output, with: &str) -> Vec<String> {
    let text = text_of(&output.stdout);
    let lines = text.lines().filter(|line| line.contains(with));
    lines.map(str::to_owned).collect()
}

/// A good release, and one that went back in the canary.
fn after_a_bad_release() -> Repository {
    let repository = Repository::new();
    assert_eq!(run(&repository, &["rollout"]).status.code(), Some(0));
    repository.commit("3-crash");
    assert_eq!(run(&repository, &["rollout"]).status.code(), Some(3));
    repository
}

#[test]
fn what_went_wrong_with_a_tenant_stands_beside_it_until_it_is_mended() {
    let repository = after_a_bad_release();
    let status = run(&repository, &["status"]);
    let canary = &lines(&status, "t0 ")[0];
    assert!(
        canary.contains("rolled back") && canary.contains(CRASHES),
        "{canary}"
    );
    let other = &lines(&status, "t3 ")[0];
    assert!(!other.contains(CRASHES), "{other}");

    let history = run(&repository, &["history", "t0"]);
    let told = lines(&history, CRASHES);
    assert_eq!(told.len(), 2, "{}", text_of(&history.stdout));
    let field = |line: &str, at: usize| line.split_whitespace().nth(at).unwrap().to_owned();
    assert!(
        told[0].contains("rollback") && told[0].contains("rolled back"),
        "{}",
        told[0]
    );
    assert!(
        told[1].contains("rollout") && told[1].contains("failed"),
        "{}",
        told[1]
    );
    // `rolled back` are two words.
    assert_eq!(
        field(&told[0], 5),
        field(&told[1], 5),
        "it came back from what it had tried"
    );

    repository.commit("4");
    assert_eq!(run(&repository, &["rollout"]).status.code(), Some(0));
    let mended = run(&repository, &["status"]);
    assert_eq!(lines(&mended, CRASHES), Vec::<String>::new());
}

#[test]
fn who_comes_and_who_goes_is_told() {
    let repository = after_a_bad_release();
    let tenants = repository.folder().join("environments/test/tenants");
    let t5 = fs::read_to_string(tenants.join("t5.yaml")).unwrap();
    fs::remove_file(tenants.join("t5.yaml")).unwrap();
    fs::write(tenants.join("t9.yaml"), t5.replace("t5", "t9")).unwrap();
    let t4 = fs::read_to_string(tenants.join("t4.yaml")).unwrap();
    let leaving = t4.replace(
        "spec: {",
        "spec: {lifecycle: leaving, deleteAfter: \"2099-06-30\", ",
    );
    fs::write(tenants.join("t4.yaml"), leaving).unwrap();

    let status = run(&repository, &["status"]);
    let note = |tenant: &str| lines(&status, &format!("{tenant} "))[0].clone();
    assert!(
        note("t5").contains("orphaned: no file names it any more"),
        "{}",
        note("t5")
    );
    assert!(
        note("t4").contains("leaving: it stays as it is until 2099-06-30"),
        "{}",
        note("t4")
    );
    assert_eq!(lines(&status, "not deployed yet"), ["not deployed yet: t9"]);

    let json = run(&repository, &["status", "-o", "json"]);
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["notDeployed"], serde_json::json!(["t9"]));
    let tenants = report["tenants"].as_array().unwrap();
    let is = |name: &'static str| move |one: &&Value| one["tenant"] == name;
    let of = |name| tenants.iter().find(is(name)).unwrap();
    assert!(of("t0")["because"].as_str().unwrap().contains(CRASHES));
    assert_eq!(of("t3")["because"], Value::Null);
    assert_eq!(of("t3")["lifecycle"], Value::Null);
    assert!(
        of("t5")["lifecycle"]
            .as_str()
            .unwrap()
            .starts_with("orphaned")
    );
}
