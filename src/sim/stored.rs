//! One object as it was written last. Kept as bytes: a tree takes ten times as much. Kept in pieces: most writes are of
//! a status and leave the largest piece alone, and many objects have their largest pieces in common.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::kinds::Kind;
use super::managed::{Claim, Managed};
use super::object::Head;
use super::pool::Pool;
use super::view::{Rest, View};

#[derive(Debug)]
pub struct Stored {
    pub head: Head,
    /// Members of the metadata without `managedFields`.
    metadata: Bytes,
    managed: Managed,
    rest: Arc<Rest>,
    status: Bytes,
}

/// The pieces that objects share.
#[derive(Debug, Default)]
pub struct Pieces {
    pub claims: Pool<Claim>,
    rests: Pool<Rest>,
}

impl Stored {
    pub fn new(value: &Value, created: Timestamp, pieces: &mut Pieces) -> Self {
        let managed = Managed::of(value, &mut pieces.claims);
        Self::owned_as(value, created, managed, pieces)
    }

    /// An object whose owners are told apart from it.
    pub fn owned_as(
        value: &Value,
        created: Timestamp,
        managed: Managed,
        pieces: &mut Pieces,
    ) -> Self {
        let mut rest = Vec::new();
        for (key, member) in value.as_object().into_iter().flatten() {
            if !["apiVersion", "kind", "metadata", "status"].contains(&key.as_str()) {
                rest.push(b',');
                write_member(&mut rest, key, member);
            }
        }
        let rest = pieces.rests.one(rest, Rest::new);
        Self::with_rest(value, created, managed, rest)
    }

    /// The object after a change of metadata and status alone: all that `value` need have.
    pub fn with_status(&self, value: &Value, managed: Managed) -> Self {
        Self::with_rest(value, self.head.created, managed, self.rest.clone())
    }

    fn with_rest(value: &Value, created: Timestamp, managed: Managed, rest: Arc<Rest>) -> Self {
        let mut metadata = Vec::new();
        for (key, member) in value["metadata"].as_object().into_iter().flatten() {
            if key != "managedFields" {
                if !metadata.is_empty() {
                    metadata.push(b',');
                }
                write_member(&mut metadata, key, member);
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
        self.read(kind, &[Piece::Managed, Piece::Rest, Piece::Status])
    }

    /// The tree without `managedFields`, all that a controller wants to read.
    pub fn view(&self, kind: &Kind) -> View {
        View {
            small: self.small(kind),
            rest: self.rest.clone(),
        }
    }

    /// Metadata and status alone.
    pub fn small(&self, kind: &Kind) -> Value {
        self.read(kind, &[Piece::Status])
    }

    pub fn to_json(&self, kind: &Kind) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        let pieces = [
            Piece::Kind(kind),
            Piece::Managed,
            Piece::Rest,
            Piece::Status,
        ];
        self.write(&pieces, &mut out);
        out
    }

    /// As an item of a list: built-in kinds go without `kind` and `apiVersion` there.
    pub fn write_item(&self, kind: &Kind, out: &mut Vec<u8>) {
        out.reserve(self.size());
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

    fn read(&self, kind: &Kind, pieces: &[Piece]) -> Value {
        let mut out = Vec::with_capacity(self.size());
        let pieces: Vec<Piece> = [&[Piece::Kind(kind)], pieces].concat();
        self.write(&pieces, &mut out);
        serde_json::from_slice(&out).expect("written by ourselves")
    }

    /// Metadata first, as the real server writes it, `managedFields` its last member; then the rest.
    fn write(&self, pieces: &[Piece], out: &mut Vec<u8>) {
        out.push(b'{');
        for piece in pieces {
            match piece {
                Piece::Kind(kind) => write_kind(out, &kind.name, &kind.api_version()),
                Piece::Partial => write_kind(out, "PartialObjectMetadata", "meta.k8s.io/v1"),
                Piece::Managed | Piece::Rest | Piece::Status => {}
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
            out.extend_from_slice(&self.rest.members);
        }
        if pieces.contains(&Piece::Status) && !self.status.is_empty() {
            out.extend_from_slice(b",\"status\":");
            out.extend_from_slice(&self.status);
        }
        out.push(b'}');
    }

    fn size(&self) -> usize {
        const BETWEEN: usize = 128;
        let pieces = [&self.metadata, &self.rest.members, &self.status];
        pieces.iter().map(|piece| piece.len()).sum::<usize>() + self.managed.size() + BETWEEN
    }
}

/// What an object is written with besides its metadata.
#[derive(Clone, Copy, PartialEq)]
enum Piece<'a> {
    Kind(&'a Kind),
    Partial,
    Managed,
    Rest,
    Status,
}

fn write_kind(out: &mut Vec<u8>, name: &str, version: &str) {
    out.extend_from_slice(format!("\"kind\":\"{name}\",\"apiVersion\":\"{version}\",").as_bytes());
}

fn write_member(out: &mut Vec<u8>, key: &str, member: &Value) {
    write_json(out, &Value::from(key));
    out.push(b':');
    write_json(out, member);
}

fn write_json(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a JSON tree is written to memory");
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
