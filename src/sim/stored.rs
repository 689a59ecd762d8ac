//! One object as it was written last. Kept as bytes: a tree takes ten times as much. Kept in pieces: most writes are of
//! a status and leave the largest piece alone, and many objects have their largest pieces in common.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::kinds::Kind;
use super::managed::Managed;
use super::object::Head;
use super::pool::{Members, Pool, write_json, write_member};
use super::view::{OWN, View, path_of_pod};

#[derive(Debug)]
pub struct Stored {
    pub head: Head,
    /// Members of the metadata without `managedFields`.
    metadata: Bytes,
    managed: Managed,
    rest: Rest,
    status: Bytes,
}

/// All members but `kind`, `apiVersion`, `metadata` and `status`.
#[derive(Clone, Debug)]
struct Rest {
    /// The members, up to where the spec of a pod goes on with what is not its own.
    members: Arc<Members>,
    pod: Arc<Members>,
    /// How many objects are open after it.
    depth: usize,
}

impl Stored {
    pub fn new(value: &Value, created: Timestamp, pool: &mut Pool) -> Self {
        let managed = Managed::of(value, pool);
        Self::owned_as(value, created, managed, pool)
    }

    /// An object whose owners are told apart from it.
    pub fn owned_as(value: &Value, created: Timestamp, managed: Managed, pool: &mut Pool) -> Self {
        Self::with_rest(value, created, managed, Rest::of(value, pool))
    }

    /// The object after a change of metadata and status alone: all that `value` need have.
    pub fn with_status(&self, value: &Value, managed: Managed) -> Self {
        Self::with_rest(value, self.head.created, managed, self.rest.clone())
    }

    fn with_rest(value: &Value, created: Timestamp, managed: Managed, rest: Rest) -> Self {
        let mut metadata = Vec::new();
        for (key, member) in value["metadata"].as_object().into_iter().flatten() {
            if key != "managedFields" {
                write_another(&mut metadata, key, member);
            }
        }
        Self {
            head: Head::of(value, created),
            metadata: bytes(metadata),
            managed,
            rest,
            status: value.get("status").map_or_else(Bytes::new, json),
        }
    }

    pub fn managed(&self) -> &Managed {
        &self.managed
    }

    /// The whole tree, read anew.
    pub fn value(&self, kind: &Kind) -> Value {
        read(&self.to_json(kind))
    }

    /// All that a controller wants to read.
    pub fn view(&self, kind: &Kind) -> View {
        let pieces = [Piece::Kind(kind), Piece::Status, Piece::OwnRest];
        View::new(read(&self.written(&pieces)), self.rest.pod.clone())
    }

    /// Metadata and status alone.
    pub fn small(&self, kind: &Kind) -> Value {
        read(&self.written(&[Piece::Kind(kind), Piece::Status]))
    }

    pub fn to_json(&self, kind: &Kind) -> Vec<u8> {
        self.written(&[
            Piece::Kind(kind),
            Piece::Managed,
            Piece::Rest,
            Piece::Status,
        ])
    }

    /// As an item of a list: built-in kinds go without `kind` and `apiVersion` there.
    pub fn write_item(&self, kind: &Kind, out: &mut Vec<u8>) {
        let pieces = [
            Piece::Kind(kind),
            Piece::Managed,
            Piece::Rest,
            Piece::Status,
        ];
        let said = usize::from(!kind.is_custom);
        self.write(&pieces[said..], out);
    }

    /// As `PartialObjectMetadata`.
    pub fn write_metadata(&self, out: &mut Vec<u8>) {
        self.write(&[Piece::Partial, Piece::Managed], out);
    }

    fn written(&self, pieces: &[Piece]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        self.write(pieces, &mut out);
        out
    }

    /// Metadata first, as the real server writes it, `managedFields` its last member; then the rest.
    fn write(&self, pieces: &[Piece], out: &mut Vec<u8>) {
        out.push(b'{');
        for piece in pieces {
            match piece {
                Piece::Kind(kind) => write_kind(out, &kind.name, &kind.api_version()),
                Piece::Partial => write_kind(out, "PartialObjectMetadata", "meta.k8s.io/v1"),
                Piece::Managed | Piece::Rest | Piece::OwnRest | Piece::Status => {}
            }
        }
        out.extend_from_slice(b"\"metadata\":{");
        out.extend_from_slice(&self.metadata);
        if pieces.contains(&Piece::Managed) && !self.managed.is_empty() {
            // Every object has a name, so there is a member before.
            out.extend_from_slice(b",\"managedFields\":");
            self.managed.write(out);
        }
        out.push(b'}');
        if pieces.contains(&Piece::Rest) {
            self.rest.write(out, &self.rest.pod.json);
        } else if pieces.contains(&Piece::OwnRest) {
            self.rest.write(out, &[]);
        }
        if pieces.contains(&Piece::Status) && !self.status.is_empty() {
            out.extend_from_slice(b",\"status\":");
            out.extend_from_slice(&self.status);
        }
        out.push(b'}');
    }

    /// At most about how many bytes it takes when it is written.
    pub fn size(&self) -> usize {
        const BETWEEN: usize = 128;
        let rest = self.rest.members.json.len() + self.rest.pod.json.len();
        self.metadata.len() + rest + self.status.len() + self.managed.size() + BETWEEN
    }
}

impl Rest {
    fn of(value: &Value, pool: &mut Pool) -> Self {
        let path = path_of_pod(value);
        let mut members = Vec::new();
        let skipped = ["apiVersion", "kind", "metadata", "status"];
        let mut inner = value;
        for (depth, next) in path.iter().enumerate() {
            write_others(
                &mut members,
                inner,
                &[*next],
                if depth == 0 { &skipped } else { &[] },
            );
            inner = &inner[*next];
            if !members.is_empty() && !members.ends_with(b"{") {
                members.push(b',');
            }
            write_json(&mut members, &Value::from(*next));
            members.extend_from_slice(b":{");
        }
        let mut pod = Vec::new();
        if path.is_empty() {
            write_others(&mut members, inner, &[], &skipped);
        } else {
            for (key, member) in inner.as_object().into_iter().flatten() {
                let is_own = OWN.contains(&key.as_str());
                write_another(if is_own { &mut members } else { &mut pod }, key, member);
            }
        }
        Self {
            members: pool.one_unless_large(members),
            // Its workload and all its pods have it in common, however large it is.
            pod: pool.one(pod),
            depth: path.len(),
        }
    }

    fn write(&self, out: &mut Vec<u8>, pod: &[u8]) {
        if self.members.json.is_empty() {
            return;
        }
        out.push(b',');
        out.extend_from_slice(&self.members.json);
        if !pod.is_empty() && !self.members.json.ends_with(b"{") {
            out.push(b',');
        }
        out.extend_from_slice(pod);
        out.extend(std::iter::repeat_n(b'}', self.depth));
    }
}

/// What an object is written with besides its metadata.
#[derive(Clone, Copy, PartialEq)]
enum Piece<'a> {
    Kind(&'a Kind),
    Partial,
    Managed,
    Rest,
    /// Without what a pod's spec has from elsewhere.
    OwnRest,
    Status,
}

fn write_others(out: &mut Vec<u8>, object: &Value, but: &[&str], nor: &[&str]) {
    for (key, member) in object.as_object().into_iter().flatten() {
        if !but.contains(&key.as_str()) && !nor.contains(&key.as_str()) {
            write_another(out, key, member);
        }
    }
}

/// Writes a member behind those that are there.
fn write_another(out: &mut Vec<u8>, key: &str, member: &Value) {
    if !out.is_empty() && !out.ends_with(b"{") {
        out.push(b',');
    }
    write_member(out, key, member);
}

fn write_kind(out: &mut Vec<u8>, name: &str, version: &str) {
    out.extend_from_slice(format!("\"kind\":\"{name}\",\"apiVersion\":\"{version}\",").as_bytes());
}

fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).expect("written by ourselves")
}

fn json(value: &Value) -> Bytes {
    let mut out = Vec::new();
    write_json(&mut out, value);
    bytes(out)
}

/// Without what a growing vector keeps in reserve.
fn bytes(out: Vec<u8>) -> Bytes {
    out.into_boxed_slice().into()
}
