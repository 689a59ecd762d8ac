//! `escale diff --against`: the real binary on the production fleet, in a git repository.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::project::Project;

/// The fleet of this repository, committed; then edited.
struct Edited {
    project: Project,
}

impl Edited {
    fn new() -> Self {
        let project = Project::production();
        project.commit();
        Self { project }
    }

    fn diff(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_escale"))
            .current_dir(self.project.path(""))
            .args(["diff", "-e", "production", "--against", "HEAD"])
            .args(arguments)
            .output()
            .expect("the binary runs")
    }

    fn report(&self, arguments: &[&str]) -> Value {
        let output = self.diff(&[&["-o", "json"], arguments].concat());
        serde_json::from_slice(&output.stdout).expect("a report in JSON")
    }

    fn replace_version(&self, from: &str, to: &str) {
        let path = "environments/production/versions.yaml";
        let text = fs::read_to_string(self.project.path(path)).expect("versions");
        let line = text
            .lines()
            .find(|line| line.contains(from))
            .expect("the image is there");
        self.project.edit(
            path,
            line,
            &format!("  web: registry.example.com/platform/web:{to}"),
        );
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The groups as `CHANGE KIND/NAME in N[, restarts]`.
fn groups(report: &Value) -> Vec<String> {
    let told = |group: &Value| {
        let tenants = group["tenants"].as_array().map_or(0, Vec::len);
        let restarts = if group["restarts"] == true {
            ", restarts"
        } else {
            ""
        };
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (
            word(&group["object"]["kind"]),
            word(&group["object"]["name"]),
        );
        format!(
            "{} {kind}/{name} in {tenants}{restarts}",
            word(&group["change"])
        )
    };
    report["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .map(told)
        .collect()
}

#[test]
fn nothing_edited_is_no_difference() {
    let edited = Edited::new();
    let output = edited.diff(&["--exit-code"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stdout).starts_with("no changes in "),
        "{}",
        text(&output.stdout)
    );
    let unchanged = edited.report(&["--unchanged"]);
    let items = unchanged["items"].as_array().expect("items");
    assert!(items.len() > 100 && items.iter().all(|item| item["change"] == "unchanged"));
}

#[test]
fn a_new_version_is_one_change_of_all_tenants_and_names_what_restarts() {
    let edited = Edited::new();
    edited.replace_version("/web:", "2030.1.1-1");
    let report = edited.report(&[]);
    let tenants = report["items"].as_array().expect("items").len();
    assert!(tenants >= 14);
    assert_eq!(
        groups(&report),
        [format!("update Deployment/web in {tenants}, restarts")]
    );
    let without = edited.diff(&[]);
    let with = edited.diff(&["--exit-code"]);
    assert_eq!(
        (without.status.code(), with.status.code()),
        (Some(0), Some(2))
    );
    let told = text(&without.stdout);
    assert!(
        told.ends_with(&format!(
            "\n{tenants} of {tenants} tenants change: {tenants} updates; {tenants} workloads restart\n"
        )),
        "{told}"
    );
}

#[test]
fn an_object_removed_from_a_template_is_told_first() {
    let edited = Edited::new();
    edited.project.write(
        "templates/platform/zz-extra.yaml.j2",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {of: {{ tenant.name|tojson }}}\n",
    );
    edited.project.commit();
    fs::remove_file(edited.project.path("templates/platform/zz-extra.yaml.j2")).expect("removed");
    edited.replace_version("/web:", "2030.1.1-1");
    let told = groups(&edited.report(&[]));
    assert_eq!(told.len(), 2);
    assert!(
        told[0].starts_with("delete ConfigMap/extra in "),
        "{told:?}"
    );
}

#[test]
fn a_tenant_whose_file_is_gone_is_orphaned_and_nothing_of_it_is_deleted() {
    let edited = Edited::new();
    let tenants = edited.project.path("environments/production/tenants");
    let files = fs::read_dir(&tenants)
        .expect("tenants")
        .map(|entry| entry.expect("an entry").path());
    // One that no other tenant comes after.
    let file = files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .find(|path| !path.to_string_lossy().contains("-qualif"))
        .expect("a tenant of one file");
    let name = file
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    fs::remove_file(&file).expect("removed");
    let report = edited.report(&[]);
    assert_eq!(report["orphaned"], serde_json::json!([name]));
    assert_eq!(report["items"], serde_json::json!([]));
}

#[test]
fn a_tenant_that_leaves_is_not_changed_and_is_named() {
    let edited = Edited::new();
    let file = "environments/production/tenants/vault-opale.yaml";
    let leaving = "spec:\n  lifecycle: leaving\n  deleteAfter: \"2027-06-30\"\n";
    edited.project.edit(file, "spec:\n", leaving);
    edited.replace_version("/web:", "2030.1.1-1");
    let report = edited.report(&["vault-opale"]);
    assert_eq!(report["items"], serde_json::json!([]));
    let expected = serde_json::json!(["vault-opale (last day 2027-06-30)"]);
    assert_eq!(report["leaving"], expected);
}

#[test]
fn a_tenant_that_does_not_render_makes_the_answer_incomplete() {
    let edited = Edited::new();
    edited.project.write(
        "templates/platform/zz-extra.yaml.j2",
        "{% if tenant.name == 'shared-par-0' %}{{ values.nonsense }}{% endif %}\n",
    );
    let output = edited.diff(&["--exit-code"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stdout);
    assert!(told.contains("INCOMPLETE: 1 part not compared\n"), "{told}");
    assert!(told.contains("shared-par-0: not rendered: "), "{told}");
}

#[test]
fn only_what_is_selected_is_compared() {
    let edited = Edited::new();
    edited.replace_version("/web:", "2030.1.1-1");
    assert_eq!(
        groups(&edited.report(&["shared-par-0"])),
        ["update Deployment/web in 1, restarts"]
    );
    let nothing = edited.diff(&["no-such-tenant"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(
        text(&nothing.stderr).starts_with("error: "),
        "{}",
        text(&nothing.stderr)
    );
}

#[test]
fn markdown_names_both_sides() {
    let edited = Edited::new();
    edited.replace_version("/web:", "2030.1.1-1");
    let told = text(&edited.diff(&["-o", "markdown"]).stdout);
    assert!(told.starts_with("### Changes in `production`: `"), "{told}");
    assert!(told.contains("\"As it was\"` → `"), "{told}");
    assert!(told.contains("<details><summary>in "), "{told}");
}
