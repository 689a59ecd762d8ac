//! A bundle whose pods crash: the new one of a tenant that is to fail. What it goes back to stays as it is.

use serde_json::Value;

use crate::manifest::{Bundle, Manifest};
use crate::record::PackedBundle;
use crate::sim::BEHAVIOUR;

/// How pods of a doomed bundle behave.
const CRASH: &str = "crash";

/// The bundle with a word for the simulated cluster on every workload that it restarts. Where it restarts none, the
/// first workload restarts and crashes all the same: somebody wants to see what happens then.
pub fn doomed(wanted: &PackedBundle, today: Option<&PackedBundle>) -> PackedBundle {
    let today = today.map(PackedBundle::unpack);
    let bundle = wanted.unpack();
    let mut doomed: Vec<&Manifest> = workloads(&bundle)
        .filter(|manifest| restarts(manifest, today.as_ref()))
        .collect();
    if doomed.is_empty() {
        doomed.extend(workloads(&bundle).min_by_key(|manifest| manifest.kind() != "Deployment"));
    }
    let manifests = bundle.manifests().iter().map(|manifest| {
        let is_doomed = doomed.iter().any(|one| one.object() == manifest.object());
        if is_doomed {
            crashing(manifest)
        } else {
            manifest.clone()
        }
    });
    let bundle = Bundle::new(manifests.collect()).expect("the same objects as before");
    // It takes the same place in the plan.
    PackedBundle::of(&bundle).shaped(wanted.shape().cloned())
}

fn workloads(bundle: &Bundle) -> impl Iterator<Item = &Manifest> {
    let is_workload = |manifest: &&Manifest| {
        ["Deployment", "StatefulSet", "DaemonSet"].contains(&manifest.kind())
    };
    bundle.manifests().iter().filter(is_workload)
}

fn restarts(manifest: &Manifest, today: Option<&Bundle>) -> bool {
    let before = today.and_then(|today| today.find(manifest.object()));
    before.and_then(template) != template(manifest)
}

fn template(manifest: &Manifest) -> Option<&Value> {
    manifest.value().pointer("/spec/template")
}

fn crashing(manifest: &Manifest) -> Manifest {
    let mut value = manifest.value().clone();
    value["spec"]["template"]["metadata"]["annotations"][BEHAVIOUR] = CRASH.into();
    Manifest::from_value(value).expect("it is the same object")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn bundle(image: &str, greeting: &str) -> PackedBundle {
        let workload = |kind: &str, name: &str, image: &str| {
            json!({
                "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "ns"},
                "spec": {"template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"image": image}]}}},
            })
        };
        let config = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "greeting", "namespace": "ns"},
            "data": {"greeting": greeting},
        });
        let all = [
            workload("StatefulSet", "database", "db:1"),
            workload("Deployment", "web", image),
            config,
        ];
        let manifests = all.map(|value| Manifest::from_value(value).expect("an object"));
        PackedBundle::of(&Bundle::new(manifests.to_vec()).expect("each once"))
    }

    fn crashing(bundle: &PackedBundle) -> Vec<String> {
        let bundle = bundle.unpack();
        let is_crashing = |manifest: &&Manifest| {
            let template = template(manifest);
            template.is_some_and(|template| template["metadata"]["annotations"][BEHAVIOUR] == CRASH)
        };
        let names = bundle.manifests().iter().filter(is_crashing);
        names
            .map(|manifest| manifest.object().name.clone())
            .collect()
    }

    #[test]
    fn what_restarts_crashes_and_nothing_else() {
        let today = bundle("web:1", "hello");
        assert_eq!(
            crashing(&doomed(&bundle("web:2", "hello"), Some(&today))),
            ["web"]
        );
    }

    #[test]
    fn where_nothing_restarts_a_deployment_does_all_the_same() {
        let today = bundle("web:1", "hello");
        assert_eq!(
            crashing(&doomed(&bundle("web:1", "bonjour"), Some(&today))),
            ["web"]
        );
    }

    #[test]
    fn all_of_a_new_tenant_crashes() {
        let doomed = doomed(&bundle("web:1", "hello"), None);
        assert_eq!(crashing(&doomed), ["web", "database"]);
    }
}
