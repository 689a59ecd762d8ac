//! A bundle ↔ immutable `ConfigMap`s, named by the bundle's digest.
//!
//! Untrusted when read: the digest is computed again from what was unpacked.

use std::sync::Arc;

use serde_json::Value;

use crate::error::UserError;
use crate::manifest::{Bundle, Digest, Hook, Manifest, ObjectRef, Shape};

use super::object::{Reader, Writer, pack, selector, unpack};

const RECORD: &str = "bundle";
const DIGEST: &str = "escale.dev/digest";
const PART: &str = "escale.dev/part";
const PARTS: &str = "escale.dev/parts";
const ENTRY: &str = "bundle";
/// The API server takes 1 MiB of data in one `ConfigMap`; base64 makes 934 KiB of this.
const PART_SIZE: usize = 700 * 1024 - 1;

/// A bundle as it is stored and kept in memory: its tree takes fifty times as much.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedBundle {
    digest: Digest,
    objects: Arc<[ObjectRef]>,
    hooks: Arc<[Hook]>,
    packed: Arc<[u8]>,
    /// Only known where it was rendered.
    shape: Option<Shape>,
}

/// Finds every part of every bundle.
pub fn bundle_selector() -> String {
    selector(RECORD)
}

/// The names of the parts of a bundle: `b1-4f2a….0`. The dot keeps them apart from namespaces.
pub fn part_names(digest: &Digest, parts: usize) -> Vec<String> {
    (0..parts)
        .map(|part| format!("{}.{part}", digest.as_name()))
        .collect()
}

/// The bundle that a part belongs to, by the part's name.
pub fn bundle_of_part(name: &str) -> Option<Digest> {
    let (digest, part) = name.rsplit_once('.')?;
    part.parse::<usize>().ok()?;
    Digest::parse(&digest.replacen('-', ":", 1))
}

impl PackedBundle {
    /// Packs a bundle, our marks left out.
    pub fn of(bundle: &Bundle) -> Self {
        let canonical = bundle.canonical();
        let list = [b"[".as_slice(), &canonical.join(&b','), b"]"].concat();
        Self {
            digest: Digest::of_bundle(&canonical),
            objects: bundle.objects().cloned().collect(),
            hooks: bundle.hooks().into(),
            packed: pack(&list).into(),
            shape: None,
        }
    }

    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The same, its shape noted.
    #[must_use]
    pub fn shaped(self, shape: Option<Shape>) -> Self {
        Self { shape, ..self }
    }

    pub fn shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
    }

    /// What is in it but for hooks, in the order of applying.
    pub fn objects(&self) -> &[ObjectRef] {
        &self.objects
    }

    /// Its hooks, in the order in which they run.
    pub fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    pub fn unpack(&self) -> Bundle {
        unpacked(&self.packed).expect("it was packed from a bundle")
    }

    /// The `ConfigMap`s that it is stored in; one, unless it is enormous.
    pub fn parts(&self) -> Vec<Value> {
        let chunks = self.packed.chunks(PART_SIZE);
        let count = chunks.len();
        part_names(&self.digest, count)
            .iter()
            .zip(chunks)
            .enumerate()
            .map(|(index, (name, chunk))| {
                Writer::new(RECORD, name)
                    .label(DIGEST, &self.digest.as_name())
                    .label(PART, &index.to_string())
                    .label(PARTS, &count.to_string())
                    .binary(ENTRY, chunk)
                    .immutable()
                    .finish()
            })
            .collect()
    }
}

/// Unpacks a bundle out of its parts, in any order, and checks that it is the one asked for.
pub fn decode_bundle(digest: &Digest, parts: &[Value]) -> Result<PackedBundle, UserError> {
    let wrong = |problem: String| {
        UserError::new(format!("bundle `{digest}` cannot be used: {problem}"))
            .hint("nothing is applied from it; roll out a commit, or go back to another bundle")
    };
    let packed = join(digest, parts).map_err(wrong)?;
    let bundle = unpacked(&packed).map_err(wrong)?;
    let found = bundle.digest();
    if found != *digest {
        return Err(wrong(format!("its content has the digest `{found}`")));
    }
    Ok(PackedBundle {
        digest: found,
        objects: bundle.objects().cloned().collect(),
        hooks: bundle.hooks().into(),
        packed: packed.into(),
        shape: None,
    })
}

fn unpacked(packed: &[u8]) -> Result<Bundle, String> {
    let json = unpack(packed).map_err(|error| format!("it does not unpack: {error}"))?;
    let values: Vec<Value> = serde_json::from_slice(&json)
        .map_err(|error| format!("it is not a list of objects: {error}"))?;
    let manifests: Result<Vec<Manifest>, _> =
        values.into_iter().map(Manifest::from_value).collect();
    let manifests = manifests.map_err(|error| format!("an object in it: {error}"))?;
    Bundle::new(manifests).map_err(|twice| format!("`{}` is in it twice", twice[0].object))
}

/// How many parts a bundle has, as its first part tells.
pub fn count_of_parts(part: &Value) -> Result<usize, UserError> {
    let reader = Reader::new(RECORD, part)?;
    let count = reader.required_label(PARTS)?;
    count
        .parse()
        .map_err(|_| reader.corrupt(&format!("its label `{PARTS}` is {count:?}, not a number")))
}

fn join(digest: &Digest, parts: &[Value]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let first = parts.first().ok_or("no part of it is stored")?;
    let count = count_of_parts(first).map_err(|error| error.to_string())?;
    for name in part_names(digest, count) {
        let part = parts
            .iter()
            .find(|part| part.pointer("/metadata/name").and_then(Value::as_str) == Some(&name))
            .ok_or_else(|| format!("its part `{name}` is missing"))?;
        let reader = Reader::new(RECORD, part).map_err(|error| error.to_string())?;
        let chunk = reader.binary(ENTRY).map_err(|error| error.to_string())?;
        bytes.extend(chunk.ok_or_else(|| format!("its part `{name}` is empty"))?);
    }
    Ok(bytes)
}
