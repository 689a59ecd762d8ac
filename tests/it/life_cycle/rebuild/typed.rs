//! `escale rollout --rebuild`, as somebody types it.

use std::fs;

use serde_json::Value;

use crate::rehearsals::{Repository, text_of};

/// What somebody sees who types it.
struct Typed {
    code: Option<i32>,
    said: String,
    data: String,
}

fn run(repository: &Repository, arguments: &[&str]) -> Typed {
    let output = repository.command(arguments).output().unwrap();
    Typed {
        code: output.status.code(),
        said: text_of(&output.stderr),
        data: text_of(&output.stdout),
    }
}

/// The tenants of `west` and what they run.
fn west(repository: &Repository) -> Vec<(String, String, String)> {
    let status = run(repository, &["status", "--sim", "-o", "json"]);
    let status: Value = serde_json::from_str(&status.data).unwrap();
    let tenants = status["tenants"].as_array().unwrap().iter();
    let there = tenants.filter(|tenant| tenant["cluster"] == "west");
    there
        .map(|tenant| {
            let text = |key: &str| tenant[key].as_str().unwrap().to_owned();
            let hold = tenant["hold"]["reason"].to_string();
            (text("tenant"), text("digest"), hold)
        })
        .collect()
}

/// The simulated cluster is gone; another cluster in the fleet makes its successor another one.
fn lose_west(repository: &Repository) {
    let path = repository.folder().join(".escale/sim/test.json");
    let mut saved: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    saved["clusters"].as_object_mut().unwrap().remove("west");
    fs::write(&path, saved.to_string()).unwrap();
    repository.write(
        "environments/test/clusters/a-new.yaml",
        "apiVersion: escale.dev/v1alpha1\nkind: Cluster\nmetadata: {name: a-new}\nspec: {}\n",
    );
    repository.commit("3");
}

#[test]
fn it_says_what_it_brings_back_and_continue_goes_on_with_it() {
    let repository = Repository::new();
    assert_eq!(
        run(&repository, &["rollout", "--sim", "--ref", "HEAD~1"]).code,
        Some(0)
    );
    let hold = ["hold", "--sim", "t3", "--reason", "an audit", "--by", "ben"];
    assert_eq!(run(&repository, &hold).code, Some(0));
    assert_eq!(run(&repository, &["rollout", "--sim"]).code, Some(6));
    let before = west(&repository);
    lose_west(&repository);

    let refused = run(&repository, &["rollout", "--sim"]);
    assert_eq!(refused.code, Some(1));
    let hint = "hint: if the old one is lost and this one is to get what ran there: `escale rollout --rebuild west --reason WHY`";
    assert!(refused.said.contains(hint), "{}", refused.said);
    let unexplained = run(&repository, &["rollout", "--sim", "--rebuild", "west"]);
    assert_eq!(unexplained.code, Some(64), "{}", unexplained.said);
    let typo = run(&repository, &["plan", "--sim", "--rebuild", "wset"]);
    assert_eq!(
        (typo.code, typo.said.as_str()),
        (
            Some(1),
            "error: `test` has no cluster named `wset`\n  hint: did you mean `west`?\n"
        )
    );
    let lively = run(&repository, &["plan", "--sim", "--rebuild", "east"]);
    assert!(
        lively.said.contains("error: cluster `east` is not lost: "),
        "{}",
        lively.said
    );

    let planned = run(&repository, &["plan", "--sim", "--rebuild", "west"]);
    assert_eq!(planned.code, Some(0), "{}", planned.said);
    assert!(
        planned.data.contains("  t5  west  new → "),
        "{}",
        planned.data
    );
    let told: Vec<&str> = planned.said.lines().collect();
    assert_eq!(
        told[0],
        "rebuild of cluster west: the hub knows what 3 tenants ran last as good, of 2 releases"
    );
    let mut releases = told[1..3].to_vec();
    releases.sort_by_key(|line| line.split('"').nth(1));
    assert!(
        releases[0].ends_with("\"web 1\": 1 tenant: t3"),
        "{releases:?}"
    );
    assert!(
        releases[1].ends_with("\"web 2\": 2 tenants: t1, t5"),
        "{releases:?}"
    );
    assert_eq!(told[3..], ["  held again: t3: an audit (ben)"]);

    let typed = [
        "rollout",
        "--sim",
        "--rebuild",
        "west",
        "--reason",
        "a fire",
    ];
    let left = run(&repository, &[&typed[..], &["--wait-limit", "1s"]].concat());
    assert_eq!(left.code, Some(4), "{}", left.said);
    let other = run(&repository, &["rollout", "--sim"]);
    assert_eq!(other.code, Some(4), "{}", other.said);
    let words = "not begun: the rebuild of cluster `west` is open, and nobody conducts it\n";
    assert!(other.said.starts_with(words), "{}", other.said);
    let status = run(&repository, &["status", "--sim"]);
    assert!(
        status
            .data
            .contains("-rebuild (rebuild of west) is running"),
        "{}",
        status.data
    );

    let went_on = run(&repository, &["rollout", "--sim", "--continue"]);
    assert_eq!(went_on.code, Some(0), "{}", went_on.said);
    assert!(
        went_on
            .said
            .contains("succeeded: 3 of 3 tenants succeeded\n"),
        "{}",
        went_on.said
    );
    assert_eq!(west(&repository), before);
    let again = run(&repository, &typed);
    assert!(
        again.said.ends_with("nothing to do: 3 tenants unchanged\n"),
        "{}",
        again.said
    );
    assert_eq!(again.code, Some(0));
}
