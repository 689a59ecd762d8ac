//! A canary that holds every shape of the fleet.

use escale::rollout::Outcome;

use crate::rehearsals::{Repository, text_of};
use crate::scene::{STRATEGY, Scene, files, in_virtual_time, outcome};

const TEMPLATE: &str = "templates/site/all.yaml.j2";

/// A tenant with a word in its values has a Deployment more.
const SEARCH: &str = r#"
{% if values.search is defined %}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: search}
spec:
  selector: {matchLabels: {app: search}}
  template:
    metadata: {labels: {app: search}}
    spec:
      containers: [{name: search, image: "{{ versions.web }}", resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {cpu: 10m, memory: 16Mi}}}]
{% endif %}
"#;

fn covering() -> String {
    STRATEGY.replace("role: canary,", "role: canary, cover: shapes,")
}

/// `t4` and `t5` have search, the others have none.
fn with_search(path: &str, text: &str) -> String {
    let has_search = ["t4.yaml", "t5.yaml"]
        .iter()
        .any(|file| path.ends_with(file));
    match path {
        TEMPLATE => format!("{text}{SEARCH}"),
        _ if has_search => text.replace("spec: {", "spec: {values: {search: true}, "),
        _ => text.to_owned(),
    }
}

#[test]
fn a_release_that_is_bad_for_one_shape_alone_stops_in_the_canary() {
    in_virtual_time(async {
        let mut scene = Scene::with(0, &covering());
        for (path, text) in &mut scene.files {
            *text = with_search(path, text);
        }
        scene.roll_out(&scene.release("aaaa", "1")).await;
        scene.pass(5).await;
        for tenant in ["t4", "t5"] {
            let cluster = if tenant == "t4" { "east" } else { "west" };
            scene.break_image("registry.example.com/web:2", (cluster, tenant));
        }
        scene.forget_requests();
        let carried = scene.roll_out(&scene.release("bbbb", "2")).await;
        assert_eq!(outcome(&carried), Some(Outcome::RolledBack));
        assert!(scene.images().values().all(|tag| tag == "1"));
        let west = scene.sims["west"].requests();
        assert_eq!(
            west.mutating().count(),
            0,
            "`t5` was not the one that was added"
        );
    });
}

#[test]
fn a_plan_shows_what_its_canary_covers_in_text_markdown_and_json() {
    let repository = Repository::new();
    for (path, text) in files(&covering()) {
        repository.write(&path, &with_search(&path, &text));
    }
    let said = |arguments: &[&str]| {
        let output = repository
            .command(&[&["plan", "--sim"], arguments].concat())
            .output();
        text_of(&output.unwrap().stdout)
    };
    let told = said(&[]);
    let lines: Vec<&str> = told.lines().rev().take(2).collect();
    assert_eq!(
        lines,
        [
            "added: t4 shows what 2 tenants have: search",
            "the canary covers 2 of 2 shapes, 6 of 6 tenants",
        ],
        "{told}"
    );
    let markdown = said(&["-o", "markdown"]);
    assert!(
        markdown.contains("| canary (canary) | 2 | 30s | `t0`, `t4` |\n"),
        "{markdown}"
    );
    assert!(
        markdown.ends_with("- added: t4 shows what 2 tenants have: search\n"),
        "{markdown}"
    );
    let json: serde_json::Value = serde_json::from_str(&said(&["-o", "json"])).unwrap();
    assert_eq!(json["coverage"]["wave"], "canary");
    assert_eq!(
        json["coverage"]["shapes"][1],
        serde_json::json!({"shape": "with search", "tenants": 2, "some": ["t4", "t5"], "coveredBy": ["t4"], "missing": null, "whyNot": null})
    );
    assert_eq!(
        json["coverage"]["added"],
        serde_json::json!([{"tenant": "t4", "covers": "search", "tenants": 2}])
    );

    repository.write("environments/test/strategy.yaml", STRATEGY);
    let told = said(&[]);
    let lines: Vec<&str> = told.lines().rev().take(2).collect();
    assert_eq!(
        lines,
        [
            "not covered: search: t4, t5",
            "the canary covers 1 of 2 shapes, 4 of 6 tenants"
        ],
        "{told}"
    );
}
