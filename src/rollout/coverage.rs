//! Whether the canary of a plan shows what the release does to each of the shapes that tenants have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::few::few_of;
use super::plan::{Planned, Wave};
use crate::manifest::Shape;

/// What the first wave of a plan stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    pub wave: String,
    /// Those that most tenants have come first; empty if none is known.
    pub shapes: Vec<Look>,
}

/// One shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// What is special about it, for people.
    pub shape: String,
    /// So many tenants of the plan have it.
    pub tenants: usize,
    /// The first of them.
    pub some: Vec<String>,
    /// Who stands for it in the canary.
    pub covered_by: Option<String>,
    /// Whether that one is in the canary for this alone.
    pub is_added: bool,
    /// What keeps `cover: shapes` from covering it.
    pub why_not: Option<String>,
}

/// Tenants and objects that are named.
const FEW: usize = 3;

impl Coverage {
    /// Shapes in all, and those of them that the canary covers.
    pub fn counts(&self) -> (usize, usize) {
        (self.shapes.len(), self.covered().count())
    }

    /// Tenants in all, and those of them whose shape the canary covers.
    pub fn tenants(&self) -> (usize, usize) {
        let covered = self.covered().map(|look| look.tenants);
        (
            self.shapes.iter().map(|look| look.tenants).sum(),
            covered.sum(),
        )
    }

    fn covered(&self) -> impl Iterator<Item = &Look> {
        self.shapes.iter().filter(|look| look.covered_by.is_some())
    }

    /// What the first of these waves covers; `added` were put into it for that, if it is to cover all.
    pub(super) fn of(waves: &[Wave], added: Option<&BTreeSet<String>>) -> Self {
        let Some(canary) = waves.first() else {
            return Self::default();
        };
        let all = waves.iter().flat_map(|wave| &wave.tenants).collect();
        let groups = by_shape(all);
        let Some((most_common, _)) = groups.first() else {
            return Self::default();
        };
        let looks = groups.iter().map(|(shape, tenants)| {
            let is_in = |planned: &&&Planned| is_among(&canary.tenants, planned);
            let stands = tenants
                .iter()
                .find(is_in)
                .map(|one| one.place.tenant.clone());
            let is_added = stands
                .as_ref()
                .is_some_and(|one| added.is_some_and(|added| added.contains(one)));
            Look {
                shape: words(shape, most_common, tenants),
                tenants: tenants.len(),
                some: tenants
                    .iter()
                    .take(FEW)
                    .map(|one| one.place.tenant.clone())
                    .collect(),
                why_not: (stands.is_none() && added.is_some())
                    .then(|| obstacles(tenants, waves, &canary.tenants)),
                covered_by: stands,
                is_added,
            }
        });
        Self {
            wave: canary.name.clone(),
            shapes: looks.collect(),
        }
    }
}

/// Those of the others who stand for the shapes that a canary does not have yet: for each the first by name whom nothing
/// keeps from it.
pub(super) fn missing(canary: &[Planned], others: &[Planned]) -> BTreeSet<String> {
    let mut chosen: Vec<&Planned> = canary.iter().collect();
    let mut added = BTreeSet::new();
    let all: Vec<&Planned> = canary.iter().chain(others).collect();
    for (shape, tenants) in by_shape(all.clone()) {
        if chosen.iter().any(|one| one.shape.as_ref() == Some(shape)) {
            continue;
        }
        let is_free = |one: &&&Planned| obstacle(one, &all, &chosen).is_none();
        if let Some(one) = tenants.iter().find(is_free) {
            added.insert(one.place.tenant.clone());
            chosen.push(one);
        }
    }
    added
}

/// Tenants by shape, sorted by name: the shape that most have first, of as many that whose first tenant comes first.
fn by_shape(mut tenants: Vec<&Planned>) -> Vec<(&Shape, Vec<&Planned>)> {
    tenants.sort_by(|a, b| a.place.tenant.cmp(&b.place.tenant));
    let mut groups: BTreeMap<&Shape, Vec<&Planned>> = BTreeMap::new();
    for planned in tenants {
        if let Some(shape) = &planned.shape {
            groups.entry(shape).or_default().push(planned);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(_, a), (_, b)| {
        let by_name = a[0].place.tenant.cmp(&b[0].place.tenant);
        b.len().cmp(&a.len()).then(by_name)
    });
    groups
}

fn is_among(tenants: &[Planned], one: &Planned) -> bool {
    tenants
        .iter()
        .any(|other| other.place.tenant == one.place.tenant)
}

/// What keeps a tenant from being a canary for its shape.
fn obstacle(one: &Planned, all: &[&Planned], canary: &[&Planned]) -> Option<String> {
    let tenant = &one.place.tenant;
    let proves = all.iter().any(|planned| !planned.is_new());
    if one.is_new() && proves {
        return Some(format!("`{tenant}` is new, and has nothing to go back to"));
    }
    let find = |tenants: &[&Planned], name: &String| {
        tenants.iter().any(|other| other.place.tenant == *name)
    };
    let mut before = one.place.after.iter();
    let before = before.find(|name| find(all, name) && !find(canary, name));
    if let Some(before) = before {
        return Some(format!(
            "`{tenant}` comes after `{before}`, which is not in the canary"
        ));
    }
    let group = one.place.group.as_ref()?;
    let mate = canary
        .iter()
        .find(|other| other.place.group.as_ref() == Some(group))?;
    let mate = &mate.place.tenant;
    Some(format!(
        "`{tenant}` is of group `{group}`, of which `{mate}` is in the canary"
    ))
}

fn obstacles(tenants: &[&Planned], waves: &[Wave], canary: &[Planned]) -> String {
    let all: Vec<&Planned> = waves.iter().flat_map(|wave| &wave.tenants).collect();
    let canary: Vec<&Planned> = canary.iter().collect();
    let each = tenants
        .iter()
        .filter_map(|one| obstacle(one, &all, &canary));
    few_of(&each.collect::<Vec<_>>(), FEW)
}

/// What is special about a shape: the class, if all its tenants have the same, and how it differs from the most common.
fn words(shape: &Shape, most_common: &Shape, tenants: &[&Planned]) -> String {
    let mut classes = tenants.iter().map(|one| one.place.labels.get("class"));
    let first = classes.next().flatten();
    let class = first.filter(|class| classes.all(|other| other == Some(class)));
    let unlike = shape.unlike(most_common);
    let mut words: Vec<String> = class.into_iter().cloned().collect();
    for (how, objects) in [("with", &unlike.more), ("without", &unlike.fewer)] {
        if !objects.is_empty() {
            words.push(format!("{how} {}", few_of(&names(objects), FEW)));
        }
    }
    if unlike.more.is_empty() && unlike.fewer.is_empty() && !unlike.other.is_empty() {
        words.push(format!(
            "with other fields in {}",
            few_of(&unlike.other, FEW)
        ));
    }
    if shape == most_common {
        words.push("as most".to_owned());
    }
    words.join(" ")
}

/// `app-wiki` for both its Deployment and its Service.
fn names(objects: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for object in objects {
        let (kind, name) = object.split_once('/').unwrap_or(("", object));
        let name = if name == "*" { kind } else { name };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
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
    fn one_tenant_is_added_for_each_shape_after_those_that_are_selected() {
        let whole = plan(&json!({"cover": "shapes"}), fleet());
        assert_eq!(canary(&whole), ["m", "a", "c"]);
        assert_eq!(whole.coverage.counts(), (3, 3));
        let added: Vec<_> = whole
            .coverage
            .shapes
            .iter()
            .map(|look| look.is_added)
            .collect();
        assert_eq!(added, [false, true, true]);
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
        assert_eq!(canary(&plan), ["a", "c", "y"]);
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
}
