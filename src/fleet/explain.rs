//! Which file set a value: the layers of one key, low to high.

use serde_json::{Map, Value};

use crate::fleet::config::Values;
use crate::fleet::finding::Place;
use crate::fleet::load::Files;
use crate::fleet::model::{Fleet, Platform, Tenant, merge};
use crate::fleet::read::{documents, nearest, place};

/// A key, its value in the end, and each layer that has a say in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    pub value: Option<Value>,
    /// Low to high: the last one wins, except that maps merge.
    pub layers: Vec<Said>,
}

/// What one layer says of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// `environment`, `cluster ovh-gra`…
    pub layer: String,
    pub place: Place,
    pub value: Value,
}

struct Layer<'a> {
    name: String,
    file: String,
    pointer: String,
    values: &'a Values,
}

/// Explains `key` (`database.size`) of a tenant, or of one of its platforms.
pub fn explain(
    (fleet, files): (&Fleet, &Files),
    tenant: &Tenant,
    platform: Option<&Platform>,
    key: &str,
) -> Explanation {
    let pointer = format!(
        "/{}",
        key.replace('~', "~0").replace('/', "~1").replace('.', "/")
    );
    let layers = layers(fleet, tenant, platform);
    let mut values = Map::new();
    let mut said = Vec::new();
    for layer in layers {
        merge(&mut values, layer.values);
        if let Some(value) = lookup(layer.values, &pointer) {
            said.push(Said {
                place: written_at(files, &layer, &pointer),
                layer: layer.name,
                value,
            });
        }
    }
    Explanation {
        value: lookup(&values, &pointer),
        layers: said,
    }
}

fn lookup(values: &Values, pointer: &str) -> Option<Value> {
    let (first, rest) = pointer[1..].split_once('/').unwrap_or((&pointer[1..], ""));
    let first = first.replace("~1", "/").replace("~0", "~");
    let inside = values.get(&first)?;
    if rest.is_empty() {
        Some(inside.clone())
    } else {
        inside.pointer(&format!("/{rest}")).cloned()
    }
}

fn layers<'a>(
    fleet: &'a Fleet,
    tenant: &'a Tenant,
    platform: Option<&'a Platform>,
) -> Vec<Layer<'a>> {
    let environment = format!("environments/{}/environment.yaml", fleet.environment.name);
    let cluster = fleet.cluster_of(tenant);
    let mut layers = vec![
        Layer {
            name: "environment".to_owned(),
            file: environment.clone(),
            pointer: "/spec/defaults/values".to_owned(),
            values: &fleet.environment.spec.defaults.values,
        },
        Layer {
            name: format!("cluster `{}`", cluster.name),
            file: cluster.file.clone(),
            pointer: "/spec/values".to_owned(),
            values: &cluster.spec.values,
        },
    ];
    if let (Some(name), Some(class)) = (&tenant.class, fleet.class_of(tenant)) {
        layers.push(Layer {
            name: format!("class `{name}`"),
            file: environment,
            pointer: format!("/spec/classes/{name}/values"),
            values: &class.values,
        });
    }
    layers.push(Layer {
        name: format!("tenant `{}`", tenant.name),
        file: tenant.place.file.clone(),
        pointer: "/spec/values".to_owned(),
        values: &tenant.values,
    });
    layers.extend(platform.map(|platform| Layer {
        name: format!("platform `{}`", platform.name),
        file: platform.file.clone(),
        pointer: if platform.file == tenant.place.file {
            format!("/spec/platforms/{}/values", platform.name)
        } else {
            "/spec/values".to_owned()
        },
        values: &platform.values,
    }));
    layers
}

fn written_at(files: &Files, layer: &Layer<'_>, pointer: &str) -> Place {
    let text = files.get(&layer.file).map_or("", String::as_str);
    let nodes = documents(&layer.file, text).unwrap_or_default();
    match nodes.first() {
        Some(node) => place(
            &layer.file,
            nearest(node, &format!("{}{pointer}", layer.pointer)),
        ),
        None => Place::of_file(layer.file.clone()),
    }
}
