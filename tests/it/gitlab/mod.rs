//! What a job in GitLab leaves: one note of a merge request, reports, a log with sections.

mod deployments;
pub mod stub;
pub mod tokens;

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::project::{Project, Ran};
use stub::{BOT, Stub, TOKEN};

const VERSIONS: &str = "environments/production/versions.yaml";

fn project() -> Project {
    let project = Project::production();
    project.commit();
    project
}

fn run(project: &Project, variables: &[(&str, String)], arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_escale"));
    command
        .args(arguments)
        .current_dir(project.path(""))
        .env_clear()
        .env("PATH", std::env::var("PATH").expect("a path"))
        .envs(
            variables
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
    Ran::from(command.output().expect("the binary starts"))
}

fn diff(project: &Project, variables: &[(&str, String)]) -> Ran {
    let ran = run(
        project,
        variables,
        &["diff", "-e", "production", "--against", "HEAD", "--note"],
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

fn edit(project: &Project, tag: &str) {
    let text = fs::read_to_string(project.path(VERSIONS)).expect("versions");
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("web:"))
        .expect("a version");
    let (image, _) = line.rsplit_once(':').expect("a tag");
    project.write(VERSIONS, &text.replace(line, &format!("{image}:{tag}")));
}

#[test]
fn a_merge_request_has_one_note_that_is_kept_up_to_date() {
    let (project, stub) = (project(), Stub::new());
    let variables = stub.variables();
    // Somebody else's note that looks like ours, and more notes than a page has.
    let spoof = "<!-- escale note: diff/production -->\nnot ours".to_owned();
    stub.state().notes = (0..120).map(|id| (id, 7, format!("note {id}"))).collect();
    stub.state().notes.push((120, 7, spoof.clone()));

    edit(&project, "2026.11.30-1");
    assert!(
        diff(&project, &variables)
            .stderr
            .contains("the merge request has a note of it")
    );
    assert!(
        diff(&project, &variables)
            .stderr
            .contains("says the same already")
    );
    edit(&project, "2026.11.30-2");
    assert!(diff(&project, &variables).stderr.contains("is up to date"));

    let state = stub.state();
    assert_eq!(state.complaints, Vec::<String>::new());
    assert_eq!(state.notes.len(), 122);
    assert_eq!(state.notes[120].2, spoof);
    let (_, author, body) = &state.notes[121];
    assert_eq!(*author, BOT);
    assert!(
        body.starts_with("<!-- escale note: diff/production -->\n### Changes in `production`"),
        "{body}"
    );
    assert!(
        body.contains("2026.11.30-2") && !body.contains("2026.11.30-1"),
        "{body}"
    );
    let writes: Vec<&String> = state
        .requests
        .iter()
        .filter(|request| !request.starts_with("GET"))
        .collect();
    assert_eq!(writes.len(), 2, "{writes:?}");
}

#[test]
fn without_a_token_or_a_merge_request_the_job_goes_on_and_says_why() {
    let (project, stub) = (project(), Stub::new());
    let without = |name: &str| {
        let mut variables = stub.variables();
        variables.retain(|(known, _)| *known != name);
        diff(&project, &variables).stderr
    };
    assert!(without("ESCALE_GITLAB_TOKEN").contains("no note: `ESCALE_GITLAB_TOKEN` is not set"));
    assert!(without("CI_MERGE_REQUEST_IID").contains("not of a merge request"));
    assert!(without("CI_API_V4_URL").contains("not a job of GitLab"));
    assert_eq!(stub.state().requests, Vec::<String>::new());
}

#[test]
fn what_gitlab_refuses_keeps_nobody_from_merging_and_shows_no_token() {
    let (project, stub) = (project(), Stub::new());
    for (refused, status, says) in [
        ("GET /api/v4/user", 401, "GitLab answered 401 Unauthorized"),
        ("GET /api/v4/projects", 500, "GitLab answered 500"),
        ("POST", 403, "the token needs the scope `api`"),
    ] {
        stub.state().refuses = Some((refused, status));
        let ran = diff(&project, &stub.variables());
        assert!(
            ran.stderr.contains("the note was not written"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert!(!ran.stderr.contains(TOKEN) && !ran.stdout.contains(TOKEN));
    }
    // A server that lets nobody change notes: a new one.
    stub.state().refuses = None;
    diff(&project, &stub.variables());
    edit(&project, "2026.11.30-1");
    stub.state().refuses = Some(("PUT", 403));
    assert!(
        diff(&project, &stub.variables())
            .stderr
            .contains("has a note of it")
    );
    assert_eq!(stub.state().notes.len(), 2);
    // Nobody there at all.
    let mut variables = stub.variables();
    variables[1].1 = "http://127.0.0.1:9/api/v4".to_owned();
    assert!(
        diff(&project, &variables)
            .stderr
            .contains("GitLab cannot be asked")
    );
}

#[test]
fn text_of_tenants_acts_on_nothing_and_mentions_nobody() {
    let (project, stub) = (project(), Stub::new());
    let path = "templates/platform/evil.yaml.j2";
    let evil = "/merge\\n/approve\\n@all ``` --> <!-- x -->\\n````\\n/close";
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: evil, namespace: \"{{ tenant.namespace }}\"}\ndata: {text: \"TEXT\"}\n";
    project.write(path, &map.replace("TEXT", "a"));
    project.commit();
    project.write(path, &map.replace("TEXT", evil));
    diff(&project, &stub.variables());
    let state = stub.state();
    assert_eq!(state.complaints, Vec::<String>::new());
    assert!(
        state.notes[0].2.contains("/approve"),
        "it is shown: {}",
        state.notes[0].2
    );
}

/// A report that a job left.
fn read(project: &Project, file: &str) -> Value {
    let text = fs::read(project.path(file)).expect("a report");
    serde_json::from_slice(&text).expect("JSON")
}

fn counted(project: &Project, file: &str) -> Ran {
    let diff = ["diff", "-e", "production", "--against", "HEAD"];
    run(project, &[], &[&diff[..], &["--terraform", file]].concat())
}

#[test]
fn a_diff_counts_as_terraform_does() {
    let project = project();
    edit(&project, "2026.11.30-1");
    let ran = counted(&project, "plan.json");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = read(&project, "plan.json");
    assert_eq!(report["create"], 0);
    assert_eq!(report["delete"], 0);
    assert!(
        report["update"]
            .as_u64()
            .is_some_and(|updates| updates >= 17),
        "{report}"
    );
    let nowhere = counted(&project, "no/plan.json");
    assert_eq!(nowhere.code, 1);
    assert!(
        nowhere.stderr.contains("could not write `no/plan.json`"),
        "{}",
        nowhere.stderr
    );
}

#[test]
fn findings_are_told_as_code_quality_also_when_there_are_mistakes() {
    let project = project();
    project.edit(
        "environments/production/tenants/vault-opale.yaml",
        "cluster: medic-rbx",
        "clutser: medic-rbx",
    );
    let ran = run(
        &project,
        &[],
        &[
            "check",
            "-e",
            "production",
            "--code-quality",
            "quality.json",
        ],
    );
    assert_eq!(ran.code, 1);
    let report = read(&project, "quality.json");
    let first = &report[0];
    assert_eq!(
        first["location"]["path"],
        "environments/production/tenants/vault-opale.yaml"
    );
    assert_eq!(first["severity"], "major");
    let told = report.as_array().expect("a list").iter();
    let mut told = told.filter_map(|one| one["description"].as_str());
    assert!(told.any(|text| text.contains("clutser")), "{report}");
    project.edit(
        "environments/production/tenants/vault-opale.yaml",
        "clutser: medic-rbx",
        "cluster: medic-rbx",
    );
    run(
        &project,
        &[],
        &[
            "check",
            "-e",
            "production",
            "--code-quality",
            "quality.json",
        ],
    );
    let report = read(&project, "quality.json");
    assert_eq!(report, json!([]));
}

#[test]
fn a_rollout_is_test_cases_and_sections_and_no_control_characters_anywhere_else() {
    let project = project();
    let in_gitlab = [("GITLAB_CI", "true".to_owned())];
    let rollout = ["rollout", "-e", "agency", "--sim", "--junit", "junit.xml"];
    let ran = run(&project, &in_gitlab, &rollout);
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    let starts: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.contains("section_start:"))
        .collect();
    assert_eq!(starts.len(), 2, "{}", ran.stderr);
    assert!(
        starts[0].starts_with("\u{1b}[0Ksection_start:"),
        "{starts:?}"
    );
    assert!(
        starts[0].contains("\r\u{1b}[0K00:00:00  wave canary"),
        "{starts:?}"
    );
    assert_eq!(ran.stderr.matches("section_end:").count(), 2);

    let xml = fs::read_to_string(project.path("junit.xml")).expect("a report");
    assert!(
        xml.contains("<testsuite name=\"wave canary\" tests=\"1\""),
        "{xml}"
    );
    assert!(
        xml.contains("<testcase name=\"paris/maison\" classname=\"canary\""),
        "{xml}"
    );
    assert!(xml.contains("<testsuite name=\"left out\""), "{xml}");
    assert!(xml.contains("updates: onApproval"), "{xml}");

    let again = run(&project, &[], &rollout);
    assert!(
        !again.stderr.contains('\u{1b}') && !again.stderr.contains('\r'),
        "{}",
        again.stderr
    );
    assert!(
        fs::read_to_string(project.path("junit.xml"))
            .expect("a report")
            .contains("left out")
    );
}
