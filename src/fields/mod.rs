//! Kubernetes field semantics: paths, sets, schema table, merge, compare, "would this apply change anything?".
//!
//! What a field is, who owns it and how two objects merge follow structured-merge-diff v6 and the API server's
//! field manager, to the letter: `docs/decisions/0002-fields.md` says why this is our own, what is covered and what
//! differs; `tests/golden/` holds the answers of a real API server that it is measured against.

mod check;
mod compare;
mod extract;
mod likeness;
mod managed;
mod noop;
mod outline;
mod path;
pub mod quantity;
mod scale;
mod schema;
mod server;
mod set;
mod spelling;
mod typed;
mod unknown;
mod value;

pub use compare::{FieldChange, compare};
pub use extract::{extract, field_set};
pub use noop::{NoOp, would_change};
pub use outline::{is_nothing, outline};
pub use path::{Path, PathElement};
pub use schema::{Schema, TypeRef, schema};
pub use server::{Applied, ApplyError, ApplyRequest, Conflict, server_apply, server_update};
pub use set::FieldSet;
pub use unknown::{known_fields, unknown_fields};
