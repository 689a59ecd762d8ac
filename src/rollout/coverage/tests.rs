//! What a canary covers, and whom it takes for that.

use std::collections::BTreeMap;

use serde_json::json;

use crate::fleet::config::StrategySpec;
use crate::manifest::{Bundle, Digest, Manifest, Own, Shape};
use crate::rollout::{Candidate, Place, Plan, Strategy, Wanted};

/// The shape of a bundle with a Deployment for each of these apps.
fn shape(apps: &str) -> Shape {
    let all = ["web"].into_iter().chain(apps.split_whitespace());
    let manifests = all.map(|app| {
        let value =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": app}});
        Manifest::from_value(value).expect("an object")
    });
    let bundle = Bundle::new(manifests.collect()).expect("each once");
    Shape::of(&bundle, &Own::new(Vec::new()))
}

fn tenant(name: &str, ring: &str, apps: &str) -> Candidate {
    let labels = [("ring", ring), ("class", "vault")];
    let digest = |text: &str| Digest::of_object(&json!({ "x": text }));
    Candidate {
        place: Place {
            tenant: name.to_owned(),
            cluster: "east".to_owned(),
            namespace: name.to_owned(),
            provider: None,
            group: None,
            after: Vec::new(),
            labels: labels
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        },
        wanted: Wanted::Bundle(digest("new")),
        current: Some(digest("old")),
        is_settled: true,
        last_good: Some(digest("old")),
        shape: Some(shape(apps)),
        kept_out: None,
    }
}

fn plan(canary: &serde_json::Value, candidates: Vec<Candidate>) -> Plan {
    let mut canary = canary.clone();
    canary["name"] = "canary".into();
    canary["role"] = "canary".into();
    canary["select"] = json!({"ring": "canary"});
    let spec = json!({"waves": [canary, {"name": "rest"}]});
    let spec: StrategySpec = serde_json::from_value(spec).expect("a strategy");
    let strategy = Strategy {
        name: "normal".to_owned(),
        spec,
        chosen: None,
        max_sample_gap: jiff::SignedDuration::from_secs(30),
    };
    Plan::new(&strategy, candidates)
}

fn canary(plan: &Plan) -> Vec<&str> {
    let tenants = plan.waves[0].tenants.iter();
    tenants
        .map(|planned| planned.place.tenant.as_str())
        .collect()
}

fn fleet() -> Vec<Candidate> {
    vec![
        tenant("a", "rest", "wiki"),
        tenant("b", "rest", "wiki"),
        tenant("c", "rest", "wiki office"),
        tenant("m", "canary", ""),
        tenant("z", "rest", ""),
        tenant("y", "rest", ""),
    ]
}

#[test]
fn a_canary_that_is_not_asked_to_cover_says_what_it_does_not() {
    let plan = plan(&json!({}), fleet());
    assert_eq!(canary(&plan), ["m"]);
    assert_eq!(plan.coverage.counts(), (3, 1));
    assert_eq!(plan.coverage.tenants(), (6, 3));
    let shapes: Vec<_> = plan
        .coverage
        .shapes
        .iter()
        .map(|look| look.shape.as_str())
        .collect();
    assert_eq!(
        shapes,
        [
            "vault as most",
            "vault with wiki",
            "vault with office, wiki"
        ]
    );
    assert!(
        plan.coverage
            .shapes
            .iter()
            .all(|look| look.why_not.is_none())
    );
}

#[test]
fn as_few_as_show_everything_are_added_after_those_that_are_selected() {
    let whole = plan(&json!({"cover": "shapes"}), fleet());
    assert_eq!(canary(&whole), ["m", "c"], "`c` has what `a` has");
    assert_eq!(whole.coverage.counts(), (3, 3));
    let looks = whole.coverage.shapes.iter();
    let by: Vec<_> = looks.map(|look| look.covered_by.join(" ")).collect();
    assert_eq!(by, ["m", "c", "c"]);
    let [added] = whole.coverage.added.as_slice() else {
        panic!("{:?}", whole.coverage.added)
    };
    assert_eq!(
        (added.tenant.as_str(), added.covers.as_str(), added.tenants),
        ("c", "office, wiki", 3)
    );
    let mut mixed = fleet();
    mixed.reverse();
    assert_eq!(
        plan(&json!({"cover": "shapes"}), mixed),
        whole,
        "whatever comes first"
    );
    let small = plan(&json!({"cover": "shapes", "size": 1}), fleet());
    assert_eq!(small, whole, "`size` is of those that are selected");
}

#[test]
fn a_canary_of_nobody_is_made_of_those_that_cover() {
    let mut fleet = fleet();
    fleet.retain(|one| one.place.tenant != "m");
    let plan = plan(&json!({"cover": "shapes"}), fleet);
    assert_eq!(canary(&plan), ["c"]);
}

#[test]
fn what_several_show_together_is_covered() {
    let fleet = vec![
        tenant("a", "rest", "wiki office"),
        tenant("b", "rest", "wiki office"),
        tenant("c", "rest", "wiki chat"),
        tenant("d", "rest", "office chat"),
        tenant("m", "canary", ""),
    ];
    let plan = plan(&json!({"cover": "shapes"}), fleet);
    assert_eq!(canary(&plan), ["m", "a", "c"]);
    assert_eq!(plan.coverage.counts(), (4, 4));
    let shapes = plan.coverage.shapes.iter();
    let d = shapes
        .clone()
        .find(|look| look.some == ["d"])
        .expect("it is there");
    assert_eq!(d.covered_by, ["a", "c"].map(str::to_owned));
}

#[test]
fn who_may_not_go_first_covers_nothing_and_it_is_said_why() {
    let why = |change: fn(&mut BTreeMap<String, &mut Candidate>)| {
        let mut fleet = fleet();
        let mut by_name = fleet
            .iter_mut()
            .map(|one| (one.place.tenant.clone(), one))
            .collect();
        change(&mut by_name);
        let plan = plan(&json!({"cover": "shapes"}), fleet);
        assert_eq!(canary(&plan), ["m", "a"]);
        assert_eq!(plan.coverage.counts(), (3, 2));
        plan.coverage.shapes[2].why_not.clone().unwrap_or_default()
    };
    let is_new = why(|fleet| {
        let one = fleet.get_mut("c").expect("there");
        (one.current, one.last_good) = (None, None);
    });
    assert_eq!(is_new, "`c` is new, and has nothing to go back to");
    let grouped = why(|fleet| {
        for name in ["c", "m"] {
            let one = fleet.get_mut(name).expect("there");
            one.place.group = Some("carbone".to_owned());
        }
    });
    assert_eq!(
        grouped,
        "`c` is of group `carbone`, of which `m` is in the canary"
    );
    let after = why(|fleet| {
        fleet.get_mut("c").expect("there").place.after = vec!["z".to_owned()];
    });
    assert_eq!(after, "`c` comes after `z`, which is not in the canary");
}

#[test]
fn a_shape_that_is_left_out_altogether_is_no_shape_of_the_plan() {
    let mut fleet = fleet();
    fleet[2].kept_out = Some(crate::rollout::Exclusion::Held("by ana".to_owned()));
    let plan = plan(&json!({"cover": "shapes"}), fleet);
    assert_eq!(canary(&plan), ["m", "a"]);
    assert_eq!(plan.coverage.counts(), (2, 2));
}
