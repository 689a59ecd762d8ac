//! Kinds that real clusters serve and simulated ones do not: defined there, without a schema.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::cluster::{Apply, Kinds};
use crate::engine::{Bundles, Clusters};
use crate::manifest::ObjectRef;
use crate::record::PackedBundle;

/// Versions in use, by group and kind.
type Missing<'a> = BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>;

/// Defines on every cluster what bundles use and neither it nor they define.
pub async fn define(clusters: &Clusters, today: &Bundles, wanted: &Bundles) -> anyhow::Result<()> {
    let bundles = today.values().chain(wanted.values()).flatten();
    let objects: Vec<&ObjectRef> = bundles.flat_map(PackedBundle::objects).collect();
    for cluster in clusters.iter() {
        let writer = cluster.writer();
        let missing = missing(&*writer.kinds().await?, &objects);
        for ((group, kind), versions) in &missing {
            let definition = definition(group, kind, versions);
            writer.apply(&definition, &Apply::default()).await?;
        }
        if !missing.is_empty() {
            writer.forget_kinds();
        }
    }
    Ok(())
}

fn missing<'a>(served: &Kinds, objects: &[&'a ObjectRef]) -> Missing<'a> {
    let is_definition = |object: &&&ObjectRef| object.kind == "CustomResourceDefinition";
    let defined: Vec<&str> = objects
        .iter()
        .filter(is_definition)
        .filter_map(|object| object.name.split_once('.').map(|(_, group)| group))
        .collect();
    let mut missing = Missing::new();
    for object in objects {
        let group = object.group();
        if !group.is_empty() && served.of(object).is_none() && !defined.contains(&group) {
            let versions = missing.entry((group, &object.kind)).or_default();
            versions.insert(object.version());
        }
    }
    missing
}

fn definition(group: &str, kind: &str, versions: &BTreeSet<&str>) -> Value {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let versions = versions.iter().enumerate().map(|(number, version)| {
        json!({
            "name": version, "served": true, "storage": number == 0,
            "schema": {"openAPIV3Schema": schema},
        })
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            // Templates give a namespace to every kind that Kubernetes itself does not keep outside.
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": singular, "kind": kind},
            "versions": versions.collect::<Vec<_>>(),
        },
    })
}
