//! Aggregated discovery: two requests tell every kind that a cluster serves.

use serde_json::Value;

use super::call::{Call, Caller};
use super::kind::{Kind, Kinds};
use super::trouble::CallError;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

pub(super) async fn discover(caller: &Caller) -> Result<Kinds, CallError> {
    let mut kinds = Vec::new();
    for path in ["/api", "/apis"] {
        let call = Call {
            accept: AGGREGATED,
            ..Call::get(path)
        };
        let answer = caller.json(&call).await?;
        if answer["kind"] != "APIGroupDiscoveryList" {
            return Err(CallError::Invalid(
                "the API server has no aggregated discovery (it needs Kubernetes 1.27 or newer)"
                    .to_owned(),
            ));
        }
        kinds.extend(served(&answer));
    }
    Ok(Kinds::new(kinds))
}

fn served(list: &Value) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for group in items(&list["items"]) {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for version in items(&group["versions"]) {
            let version_name = version["version"].as_str().unwrap_or_default();
            let api_version = match name {
                "" => version_name.to_owned(),
                _ => format!("{name}/{version_name}"),
            };
            let resources = items(&version["resources"]);
            kinds.extend(resources.filter_map(|resource| kind(&api_version, resource)));
        }
    }
    kinds
}

/// `None` for what cannot be listed: reviews and the like.
fn kind(api_version: &str, resource: &Value) -> Option<Kind> {
    let listed = items(&resource["verbs"]).any(|verb| verb == "list");
    let kind = resource["responseKind"]["kind"].as_str()?;
    let plural = resource["resource"].as_str()?;
    let namespaced = resource["scope"] == "Namespaced";
    listed.then(|| Kind::new(api_version, kind, plural, namespaced))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_are_read_out_of_both_the_core_and_named_groups() {
        let list = json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
                {"resource": "deployments", "scope": "Namespaced", "verbs": ["get", "list"],
                 "responseKind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
            ]}]},
            {"metadata": {}, "versions": [{"version": "v1", "resources": [
                {"resource": "namespaces", "scope": "Cluster", "verbs": ["list"],
                 "responseKind": {"group": "", "version": "v1", "kind": "Namespace"}},
                {"resource": "bindings", "scope": "Namespaced", "verbs": ["create"],
                 "responseKind": {"group": "", "version": "v1", "kind": "Binding"}},
            ]}]},
        ]});
        assert_eq!(
            served(&list),
            [
                Kind::new("apps/v1", "Deployment", "deployments", true),
                Kind::namespace(),
            ]
        );
    }
}
