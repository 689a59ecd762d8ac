//! The shape of a bundle: what it looks like apart from what is each tenant's own.
//!
//! For each object: its kind, its name, which fields it has, and which images' repositories. Scalars do not count, nor does
//! how many elements a list has, unless they have names. A tenant's own names are taken out of the names of objects and
//! elements, and of keys that people choose. Two bundles of one shape came out of the same branches of the templates, so
//! that one of them shows whether a release of these works.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::bundle::Bundle;
use super::object::Manifest;

/// Each object as `Kind/name`, and a fingerprint of its fields: the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape(Arc<BTreeMap<String, u64>>);

/// One object of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectShape<'s> {
    // First: to compare numbers decides nearly always.
    fingerprint: u64,
    /// `Kind/name`.
    pub name: &'s str,
}

/// How one shape differs from another, as `Kind/name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unlike {
    pub more: Vec<String>,
    pub fewer: Vec<String>,
    /// Objects that both have, with other fields.
    pub other: Vec<String>,
}

/// Names that are a tenant's own, the longest first.
pub struct Own(Vec<String>);

/// Maps whose keys people choose.
const CHOSEN: [&str; 9] = [
    "annotations",
    "binaryData",
    "data",
    "labels",
    "matchLabels",
    "nodeSelector",
    "parameters",
    "selector",
    "stringData",
];
/// What stands for a name that is the tenant's own.
const STAR: &str = "*";

impl Own {
    pub fn new(mut names: Vec<String>) -> Self {
        names.retain(|name| !name.is_empty() && name != STAR);
        names.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        names.dedup();
        Self(names)
    }

    /// A name without them, where they are whole words of it.
    fn out_of<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let mut bare = Cow::Borrowed(name);
        for own in &self.0 {
            while let Some(at) = word(&bare, own) {
                let (before, after) = (&bare[..at], &bare[at + own.len()..]);
                bare = Cow::Owned([before, STAR, after].concat());
            }
        }
        bare
    }
}

/// Where a word is in a name, not within a longer one.
fn word(name: &str, word: &str) -> Option<usize> {
    if name.len() < word.len() {
        return None;
    }
    let is_end = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    let mut found = name.match_indices(word).map(|(at, _)| at);
    found.find(|at| {
        let (before, after) = (&name[..*at], &name[at + word.len()..]);
        is_end(before.chars().next_back()) && is_end(after.chars().next())
    })
}

impl Shape {
    pub fn of(bundle: &Bundle, own: &Own) -> Self {
        let mut objects = BTreeMap::new();
        for manifest in bundle.manifests() {
            let name = own.out_of(&manifest.object().name);
            // Objects that differ only by their tenant's own names are one: which of them there are does not count.
            let fields: &mut Vec<u64> = objects
                .entry(format!("{}/{name}", manifest.kind()))
                .or_default();
            collect(manifest, own, fields);
        }
        let fingerprints = objects.into_iter().map(|(name, mut fields)| {
            fields.sort_unstable();
            fields.dedup();
            let all = fields
                .into_iter()
                .fold(START, |all, one| mixed(all, &one.to_le_bytes()));
            (name, all)
        });
        Self(Arc::new(fingerprints.collect()))
    }

    pub fn objects(&self) -> impl Iterator<Item = ObjectShape<'_>> {
        let objects = self.0.iter();
        objects.map(|(name, fingerprint)| ObjectShape {
            fingerprint: *fingerprint,
            name,
        })
    }

    pub fn unlike(&self, other: &Self) -> Unlike {
        let mut unlike = Unlike::default();
        for (name, fingerprint) in self.0.iter() {
            match other.0.get(name) {
                None => unlike.more.push(name.clone()),
                Some(found) if found != fingerprint => unlike.other.push(name.clone()),
                Some(_) => {}
            }
        }
        let gone = other.0.keys().filter(|name| !self.0.contains_key(*name));
        unlike.fewer = gone.cloned().collect();
        unlike
    }
}

// FNV-1a: what is hashed is our own, so that speed is all that matters.
const START: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

fn mixed(hash: u64, bytes: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    // A byte that no text has keeps steps of a path apart.
    add(bytes.iter().fold(hash, add), &0xff)
}

fn collect(manifest: &Manifest, own: &Own, fields: &mut Vec<u64>) {
    let version = manifest.object().api_version.as_bytes();
    walk(
        manifest.value(),
        mixed(START, version),
        false,
        (own, fields),
    );
}

/// Collects the path of every field below a place. `is_chosen`: the keys of this map are names that people chose.
fn walk(value: &Value, path: u64, is_chosen: bool, (own, fields): (&Own, &mut Vec<u64>)) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                let step = if is_chosen {
                    own.out_of(key)
                } else {
                    Cow::Borrowed(key.as_str())
                };
                let path = mixed(path, step.as_bytes());
                fields.push(path);
                if let ("image", Value::String(image)) = (key.as_str(), below) {
                    fields.push(mixed(path, own.out_of(repository(image)).as_bytes()));
                }
                let is_chosen = CHOSEN.contains(&key.as_str()) && is_of_texts(below);
                walk(below, path, is_chosen, (own, fields));
            }
        }
        Value::Array(items) => {
            for item in items {
                let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
                let path = mixed(mixed(path, b"[]"), own.out_of(name).as_bytes());
                fields.push(path);
                walk(item, path, false, (own, fields));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A selector is a map of labels in some kinds, and has fields of its own in others.
fn is_of_texts(value: &Value) -> bool {
    let map = value.as_object();
    map.is_some_and(|map| {
        map.values()
            .all(|value| !value.is_object() && !value.is_array())
    })
}

/// An image without its tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(name: &str, image: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "x"},
               "spec": {"replicas": 2, "template": {"spec": {"containers": [
                   {"name": "web", "image": image, "env": [{"name": "HOST", "value": name}]}]}}}})
    }

    fn ingress(name: &str) -> Value {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
               "spec": {"rules": [{"host": format!("{name}.example")}]}})
    }

    fn shape(objects: &[Value], own: &[&str]) -> Shape {
        let manifests = objects.iter().cloned().map(Manifest::from_value);
        let bundle = Bundle::new(manifests.map(Result::unwrap).collect()).unwrap();
        Shape::of(
            &bundle,
            &Own::new(own.iter().map(|&name| name.to_owned()).collect()),
        )
    }

    #[test]
    fn values_and_names_of_ones_own_make_no_shape() {
        let one = shape(
            &[
                deployment("web", "registry.example:5000/web:1"),
                ingress("acme"),
                ingress("bolt"),
            ],
            &["acme", "bolt"],
        );
        let mut scaled = deployment("web", "registry.example:5000/web@sha256:00");
        scaled["spec"]["replicas"] = json!(7);
        let other = shape(&[scaled, ingress("zinc")], &["zinc"]);
        assert_eq!(
            one, other,
            "more platforms of the same kind are no other shape"
        );
    }

    #[test]
    fn fields_objects_elements_and_repositories_make_one() {
        let plain = shape(&[deployment("web", "registry.example/web:1")], &[]);
        let other = ["Deployment/web".to_owned()];
        let unlike = |value: Value| shape(&[value], &[]).unlike(&plain).other;
        assert_eq!(unlike(deployment("web", "registry.example/fork:1")), other);
        let mut placed = deployment("web", "registry.example/web:1");
        placed["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "fast"});
        assert_eq!(unlike(placed), other);
        let mut named = deployment("web", "registry.example/web:1");
        named["spec"]["template"]["spec"]["containers"][0]["env"][0]["name"] = json!("PORT");
        assert_eq!(unlike(named), other);
        let more = shape(
            &[deployment("web", "registry.example/web:1"), ingress("all")],
            &[],
        );
        assert_eq!(more.unlike(&plain).more, ["Ingress/all"]);
        assert_eq!(plain.unlike(&more).fewer, ["Ingress/all"]);
    }

    #[test]
    fn keys_that_people_choose_lose_the_names_and_fields_do_not() {
        let map = |key: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {key: "x"}});
        let one = shape(&[map("acme.conf")], &["acme"]);
        assert_eq!(one, shape(&[map("bolt.conf")], &["bolt"]));
        assert_ne!(one, shape(&[map("all.conf")], &["acme"]));
        // A platform that is called as a field is.
        assert_eq!(one, shape(&[map("data.conf")], &["data"]));
    }

    #[test]
    fn own_names_are_whole_words() {
        let own = Own::new(
            ["par", "shared-par", "jp-shared-par"]
                .map(str::to_owned)
                .to_vec(),
        );
        assert_eq!(own.out_of("jp-shared-par"), "*");
        assert_eq!(own.out_of("db-shared-par-0"), "db-*-0");
        assert_eq!(own.out_of("parsley"), "parsley");
        assert_eq!(own.out_of("par.par"), "*.*");
    }
}
