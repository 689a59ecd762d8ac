//! What clients ask before they ask for objects: the version, and which kinds are served.

use http::header;
use http::request::Parts;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::service::Answer;
use super::state::State;

/// Answers a GET about the server itself; `None` if the path is about objects.
pub fn answer(state: &State, parts: &Parts) -> Option<Answer> {
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    let accept = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let is_aggregated = accept.is_some_and(|accept| accept.contains("as=APIGroupDiscoveryList"));
    let kinds = || state.kinds.iter().map(|(_, kind)| &**kind);
    let value = match path.as_slice() {
        ["version"] => version(&state.name),
        ["healthz" | "livez" | "readyz"] => return Some(Answer::ok(b"ok".to_vec())),
        ["api"] if is_aggregated => aggregated(kinds().filter(|kind| kind.group.is_empty())),
        ["apis"] if is_aggregated => aggregated(kinds().filter(|kind| !kind.group.is_empty())),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["apis"] => groups(kinds()),
        ["api", version] => resources(kinds(), "", version)?,
        ["apis", group] => one_group(kinds(), group)?,
        ["apis", group, version] => resources(kinds(), group, version)?,
        _ => return None,
    };
    Some(Answer::ok(value.to_string().into_bytes()))
}

fn version(name: &str) -> Value {
    json!({
        "major": "1", "minor": "36", "gitVersion": "v1.36.3+sim", "gitCommit": name, "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
    })
}

/// `APIGroupDiscoveryList` of `apidiscovery.k8s.io/v2`.
fn aggregated<'a>(kinds: impl Iterator<Item = &'a Kind>) -> Value {
    let mut groups: Vec<(&str, &str, Vec<Value>)> = Vec::new();
    for kind in kinds {
        let here = groups
            .iter_mut()
            .find(|(group, version, _)| (*group, *version) == (&kind.group, &kind.version));
        match here {
            Some((_, _, resources)) => resources.push(discovered(kind)),
            None => groups.push((&kind.group, &kind.version, vec![discovered(kind)])),
        }
    }
    let items: Vec<Value> = groups
        .into_iter()
        .map(|(group, version, resources)| {
            let metadata = if group.is_empty() {
                json!({})
            } else {
                json!({"name": group})
            };
            let versions =
                json!([{"version": version, "resources": resources, "freshness": "Current"}]);
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn discovered(kind: &Kind) -> Value {
    let response = json!({"group": kind.group, "version": kind.version, "kind": kind.name});
    let mut resource = json!({
        "resource": kind.plural, "responseKind": response, "singularResource": kind.singular,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" }, "verbs": VERBS,
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if kind.has_status {
        let status =
            json!({"subresource": "status", "responseKind": response, "verbs": STATUS_VERBS});
        resource["subresources"] = json!([status]);
    }
    resource
}

fn groups<'a>(kinds: impl Iterator<Item = &'a Kind>) -> Value {
    let mut groups: Vec<Value> = Vec::new();
    for kind in kinds.filter(|kind| !kind.group.is_empty()) {
        let known = groups
            .iter()
            .any(|group| group["name"] == kind.group.as_str());
        if !known {
            groups.push(group(kind));
        }
    }
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn one_group<'a>(mut kinds: impl Iterator<Item = &'a Kind>, name: &str) -> Option<Value> {
    let mut group = group(kinds.find(|kind| kind.group == name)?);
    group["kind"] = json!("APIGroup");
    group["apiVersion"] = json!("v1");
    Some(group)
}

fn group(kind: &Kind) -> Value {
    let version = json!({"groupVersion": kind.api_version(), "version": kind.version});
    json!({"name": kind.group, "versions": [version], "preferredVersion": version})
}

fn resources<'a>(
    kinds: impl Iterator<Item = &'a Kind>,
    group: &str,
    version: &str,
) -> Option<Value> {
    let mut resources = Vec::new();
    for kind in kinds.filter(|kind| kind.group == group && kind.version == version) {
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.name,
            "verbs": VERBS,
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        resources.push(resource);
        if kind.has_status {
            let name = format!("{}/status", kind.plural);
            resources.push(json!({
                "name": name, "singularName": "", "namespaced": kind.namespaced, "kind": kind.name, "verbs": STATUS_VERBS,
            }));
        }
    }
    let version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let list = json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources});
    list["resources"]
        .as_array()
        .is_some_and(|found| !found.is_empty())
        .then_some(list)
}

/// Without `watch`: it is not simulated, and who reads this learns it here.
const VERBS: [&str; 7] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
];
const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];
