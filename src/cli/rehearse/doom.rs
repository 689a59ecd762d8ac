//! A bundle whose pods crash: the new one of a tenant that is to fail. What it goes back to stays as it is.

use crate::manifest::{Bundle, Manifest};
use crate::record::PackedBundle;
use crate::sim::BEHAVIOUR;
use serde_json::Value;

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
    PackedBundle::of(&Bundle::new(manifests.collect()).expect("the same objects as before"))
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
