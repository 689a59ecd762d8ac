//! What was asked of an API server, by its own account.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::clusters::controlplane;

const DEPLOYER: &str = "system:serviceaccount:escale-system:escale-deployer";

/// The audit log of one cluster, from now on.
pub struct Audit {
    log: PathBuf,
    already: usize,
}

impl Audit {
    pub fn from_now(cluster: &str) -> Self {
        let log = PathBuf::from(controlplane(&["audit", cluster]).trim());
        let already = fs::read(&log).map_or(0, |text| text.len());
        Self { log, already }
    }

    /// How often the deployer changed something, by verb and resource; a dry-run changes nothing.
    pub fn changes(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for request in self.requests().iter().filter(|request| is_change(request)) {
            *counts.entry(describe(request)).or_default() += 1;
        }
        counts
    }

    /// How often the deployer asked what a change would do.
    pub fn dry_runs(&self) -> usize {
        let requests = self.requests();
        let asked = requests.iter().filter(|request| is_dry_run(request));
        asked.count()
    }

    /// When the last change in a namespace was accepted, in microseconds since the epoch.
    pub fn last_change_in(&self, namespace: &str) -> Option<i64> {
        let requests = self.requests();
        let changes = requests.iter().filter(|request| is_change(request));
        let there = changes.filter(|request| request["objectRef"]["namespace"] == namespace);
        there.filter_map(time).max()
    }

    /// When each namespace was first changed, in microseconds since the epoch.
    pub fn first_changes(&self) -> BTreeMap<String, i64> {
        let mut first = BTreeMap::new();
        for request in self.requests().iter().filter(|request| is_change(request)) {
            let namespace = request["objectRef"]["namespace"]
                .as_str()
                .unwrap_or_default();
            let at = time(request).expect("a request has a time");
            let earliest = first.entry(namespace.to_owned()).or_insert(at);
            *earliest = at.min(*earliest);
        }
        first
    }

    /// How often a pod was made in a namespace, by whichever controller.
    pub fn pods_made_in(&self, namespace: &str) -> usize {
        let requests = self.requests();
        let made = requests.iter().filter(|request| {
            request["verb"] == "create" && is_about(request, "pods") && is_in(request, namespace)
        });
        made.filter(|request| request["responseStatus"]["code"] == 201)
            .count()
    }

    /// The epoch of each write to a workload of a namespace that was accepted, in their order: each process that writes to
    /// a tenant does so under a claim, whose epoch is one more than that of the claim before.
    pub fn epochs_in(&self, namespace: &str) -> Vec<u64> {
        let requests = self.requests();
        let writes = requests.iter().filter(|request| {
            is_change(request) && is_about(request, "deployments") && is_in(request, namespace)
        });
        let accepted =
            writes.filter(|request| request["responseStatus"]["code"].as_u64() < Some(300));
        let mut epochs: Vec<(Option<i64>, u64)> = accepted
            .filter_map(|request| Some((time(request), epoch(request)?)))
            .collect();
        epochs.sort_by_key(|(at, _)| *at);
        epochs.into_iter().map(|(_, epoch)| epoch).collect()
    }

    /// The rights that the deployer made use of: verbs, by resource.
    pub fn used(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for request in &self.requests() {
            let object = &request["objectRef"];
            let (Some(verb), Some(resource)) =
                (request["verb"].as_str(), object["resource"].as_str())
            else {
                continue;
            };
            if request["user"]["username"] == DEPLOYER {
                let name = match object["subresource"].as_str() {
                    Some(below) => format!("{resource}/{below}"),
                    None => resource.to_owned(),
                };
                let verbs = used.entry(name).or_default();
                verbs.insert(verb.to_owned());
                // An apply of what is not there needs both rights.
                if verb == "patch" && request["responseStatus"]["code"] == 201 {
                    verbs.insert("create".to_owned());
                }
            }
        }
        used
    }

    /// How often the deployer was turned away because too much was asked at once.
    pub fn turned_away(&self) -> usize {
        let requests = self.requests();
        let away = requests.iter().filter(|request| {
            request["user"]["username"] == DEPLOYER && request["responseStatus"]["code"] == 429
        });
        away.count()
    }

    fn requests(&self) -> Vec<Value> {
        let text = fs::read(&self.log).expect("the API server keeps an audit log");
        let new = String::from_utf8_lossy(&text[self.already..]).into_owned();
        new.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

fn time(request: &Value) -> Option<i64> {
    let at: jiff::Timestamp = request["stageTimestamp"].as_str()?.parse().ok()?;
    Some(at.as_microsecond())
}

/// Of an object itself, not of its status or scale.
fn is_about(request: &Value, resource: &str) -> bool {
    let object = &request["objectRef"];
    object["resource"] == resource && object["subresource"].is_null()
}

fn is_in(request: &Value, namespace: &str) -> bool {
    request["objectRef"]["namespace"] == namespace
}

fn epoch(request: &Value) -> Option<u64> {
    let annotations = &request["requestObject"]["metadata"]["annotations"];
    annotations["escale.dev/epoch"].as_str()?.parse().ok()
}

fn is_change(request: &Value) -> bool {
    is_write(request) && !asks_only(request)
}

fn is_dry_run(request: &Value) -> bool {
    is_write(request) && asks_only(request)
}

fn is_write(request: &Value) -> bool {
    let verb = request["verb"].as_str().unwrap_or_default();
    let changes = ["create", "update", "patch", "delete", "deletecollection"].contains(&verb);
    changes && request["user"]["username"] == DEPLOYER
}

fn asks_only(request: &Value) -> bool {
    let address = request["requestURI"].as_str().unwrap_or_default();
    address.contains("dryRun=")
}

fn describe(request: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{} {}",
        text(&request["verb"]),
        text(&request["objectRef"]["resource"])
    )
}
