//! Where a simulated cluster may answer differently from a real one, and why. `docs/simulation.md` tells the same.

use std::fmt;

use serde_json::{Value, json};

use super::witness::Exchange;

/// A place in answers about a resource, and why it may differ there. `*` stands for any resource, or one step of
/// the path; what lies below the place may differ too.
pub struct Allowed {
    pub scenario: &'static str,
    pub resource: &'static str,
    pub place: &'static str,
    pub reason: &'static str,
}

const fn allowed(at: [&'static str; 3], reason: &'static str) -> Allowed {
    let [scenario, resource, place] = at;
    Allowed {
        scenario,
        resource,
        place,
        reason,
    }
}

pub const ALLOWED: &[Allowed] = &[
    allowed(["dry-run", "*", "/metadata/uid"], DRY_RUN_UID),
    allowed(["dry-run", "*", "/details/uid"], DRY_RUN_UID),
    allowed(["unknown-field", "*", "/message"], WORDING),
    allowed(["paged-list", "*", "/message"], WORDING),
    allowed(["job-life", "jobs", "/message"], WORDING),
    allowed(["job-life", "jobs", "/details/causes/*/message"], WORDING),
    allowed(
        [
            "definition-then-object",
            "boats",
            "/metadata/managedFields/*/fieldsV1/f:spec/.",
        ],
        CUSTOM,
    ),
    allowed(
        [
            "definition-then-object",
            "customresourcedefinitions",
            "/metadata/managedFields/1",
        ],
        CUSTOM,
    ),
    allowed(["custom-unknown-field", "boats", ""], CUSTOM_UNKNOWN),
    allowed(
        ["*", "pods", "/items/*/status/conditions/*/message"],
        KUBELET,
    ),
    allowed(
        ["*", "persistentvolumeclaims", "/metadata/annotations"],
        VOLUMES,
    ),
    allowed(
        ["*", "persistentvolumeclaims", "/metadata/managedFields"],
        VOLUMES,
    ),
    allowed(["*", "pods", "/items/*/metadata/managedFields"], KUBELET),
    allowed(
        ["*", "pods", "/items/*/status/containerStatuses/*/imageID"],
        KUBELET,
    ),
    allowed(
        [
            "*",
            "pods",
            "/items/*/status/containerStatuses/*/state/waiting/message",
        ],
        KUBELET,
    ),
    allowed(["*", "pods", "/items/*/status/hostIP"], KUBELET),
    allowed(["*", "pods", "/items/*/status/hostIPs"], KUBELET),
    allowed(
        [
            "*",
            "pods",
            "/items/*/metadata/labels/topology.kubernetes.io~1region",
        ],
        ADMISSION,
    ),
    allowed(
        [
            "*",
            "pods",
            "/items/*/metadata/labels/topology.kubernetes.io~1zone",
        ],
        ADMISSION,
    ),
    allowed(["*", "pods", "/items/*/spec/enableServiceLinks"], ADMISSION),
    allowed(["*", "pods", "/items/*/spec/preemptionPolicy"], ADMISSION),
    allowed(["*", "pods", "/items/*/spec/priority"], ADMISSION),
    allowed(["*", "pods", "/items/*/spec/serviceAccount"], ADMISSION),
    allowed(["*", "pods", "/items/*/spec/serviceAccountName"], ADMISSION),
    allowed(["*", "pods", "/items/*/spec/tolerations"], ADMISSION),
    allowed(["*", "pods", "/items/*/spec/volumes"], ADMISSION),
    allowed(
        ["*", "pods", "/items/*/spec/containers/*/volumeMounts"],
        ADMISSION,
    ),
];

const DRY_RUN_UID: &str = "A dry-run that would create an object shows the uid that the object then gets; a real server makes up another.";
const WORDING: &str = "The words of some refusals differ (they print Go structures); code, reason and fields are the same.";
const CUSTOM: &str = "Custom resources have no schema but what is sent: a server that knows it does not list `spec` itself among the owned fields, and keeps the definition's status under another name.";
const KUBELET: &str = "What only a kubelet or its container runtime knows: image ids, addresses of nodes, its own field ownership and the words of a waiting container.";
const CUSTOM_UNKNOWN: &str =
    "Unknown fields of custom resources are taken: the schema in their definition is not read.";
const VOLUMES: &str = "Volumes are bound without a provisioner, so no annotation names one.";
const ADMISSION: &str = "Pods are stored as their controller made them: no admission plugin adds a service account's token, tolerations, priority or the node's zone.";

/// A place where two accounts of a scenario differ, and what allows it.
pub struct Difference {
    at: String,
    real: String,
    simulated: String,
    pub allowed: Option<&'static Allowed>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: real {}, simulated {}",
            self.at, self.real, self.simulated
        )
    }
}

pub fn between(scenario: &str, real: &[Exchange], simulated: &[Exchange]) -> Vec<Difference> {
    let mut found = Vec::new();
    let none = Exchange {
        ask: String::new(),
        code: 0,
        body: Value::Null,
    };
    for index in 0..real.len().max(simulated.len()) {
        let left = real.get(index).unwrap_or(&none);
        let right = simulated.get(index).unwrap_or(&none);
        let mut places = Vec::new();
        compare(
            "/(code)",
            &json!(left.code),
            &json!(right.code),
            &mut places,
        );
        compare("", &left.body, &right.body, &mut places);
        found.extend(
            places
                .into_iter()
                .map(|(place, real, simulated)| Difference {
                    allowed: allowing(scenario, &left.ask, &place),
                    at: format!("{scenario}: {}. {}: {place}", index + 1, left.ask),
                    real,
                    simulated,
                }),
        );
    }
    found
}

fn compare(
    place: &str,
    real: &Value,
    simulated: &Value,
    found: &mut Vec<(String, String, String)>,
) {
    match (real, simulated) {
        (Value::Object(left), Value::Object(right)) => {
            let mut keys: Vec<&String> = left.keys().chain(right.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let place = format!("{place}/{}", key.replace('/', "~1"));
                compare(
                    &place,
                    left.get(key).unwrap_or(&Value::Null),
                    right.get(key).unwrap_or(&Value::Null),
                    found,
                );
            }
        }
        // Conditions are a map by type, in whatever order.
        (Value::Array(left), Value::Array(right)) if has_types(left) && has_types(right) => {
            compare(place, &by_type(left), &by_type(right), found);
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(&format!("{place}/{index}"), left, right, found);
            }
        }
        _ if real != simulated => {
            found.push((place.to_owned(), real.to_string(), simulated.to_string()));
        }
        _ => {}
    }
}

fn has_types(list: &[Value]) -> bool {
    list.iter().all(|item| item["type"].is_string())
}

fn by_type(list: &[Value]) -> Value {
    let typed = list.iter().map(|item| {
        (
            item["type"].as_str().unwrap_or_default().to_owned(),
            item.clone(),
        )
    });
    Value::Object(typed.collect())
}

fn allowing(scenario: &str, ask: &str, place: &str) -> Option<&'static Allowed> {
    let path = ask.split(' ').nth(1).unwrap_or_default();
    let resource = path.split(['/', '?']).next().unwrap_or_default();
    ALLOWED.iter().find(|allowed| {
        let in_scenario = ["*", scenario].contains(&allowed.scenario);
        let about = ["*", resource].contains(&allowed.resource);
        in_scenario && about && is_within(place, allowed.place)
    })
}

fn is_within(place: &str, allowed: &str) -> bool {
    let mut steps = place.split('/');
    allowed.split('/').all(|wanted| {
        steps
            .next()
            .is_some_and(|step| wanted == "*" || wanted == step)
    })
}

#[test]
fn every_allowed_difference_is_told() {
    let page = include_str!("../../docs/simulation.md");
    for allowed in ALLOWED {
        assert!(
            page.contains(allowed.reason),
            "docs/simulation.md does not say: {}",
            allowed.reason
        );
    }
}
