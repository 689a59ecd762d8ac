//! What was asked of an API server, by its own account.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::clusters::controlplane;

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

fn is_change(request: &Value) -> bool {
    is_write(request) && !asks_only(request)
}

fn is_dry_run(request: &Value) -> bool {
    is_write(request) && asks_only(request)
}

fn is_write(request: &Value) -> bool {
    const DEPLOYER: &str = "system:serviceaccount:escale-system:escale-deployer";
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
