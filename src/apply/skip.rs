//! Tier 1 of the skip rule, and what it remembers of a write; the comparison after a dry-run.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::manifest::{Digest, EPOCH, Live, canonical_json};
use crate::record::Written;

/// What is remembered of a write, from its response. `None` if the response carries no entry of
/// ours: then the object is looked at again next time.
pub fn written(response: &Live, digest: &Digest) -> Option<Written> {
    let entry = response.own_entry()?;
    let written_at: Timestamp = entry.get("time")?.as_str()?.parse().ok()?;
    Some(Written {
        uid: response.uid().to_owned(),
        digest: digest.clone(),
        resource_version: response.resource_version().to_owned(),
        generation: response.generation(),
        written_at,
        managed_fields_hash: entry_hash(entry),
        template_hash: response.owned_template(),
        created: is_alone(response),
    })
}

/// Whether the live object still is what our last write left, and what is wanted is the same.
/// Generation counts where there is one, because status moves the resourceVersion of workloads.
pub(super) fn is_as_written(written: &Written, live: &Live, digest: &Digest) -> bool {
    let same_version = match written.generation {
        Some(generation) => live.generation() == Some(generation),
        None => live.resource_version() == written.resource_version,
    };
    written.uid == live.uid()
        && written.digest == *digest
        && same_version
        && !live.is_terminating()
        && live
            .own_entry()
            .is_some_and(|entry| entry_hash(entry) == written.managed_fields_hash)
}

/// Whether the answer to a dry-run says that a real apply would change something.
pub fn dry_run_changes(live: &Live, answer: &Live) -> bool {
    timeless(live.value()) != timeless(answer.value())
}

/// Whether nobody but us has written to the object.
fn is_alone(live: &Live) -> bool {
    live.value()
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .is_some_and(|entries| entries.len() == 1)
}

fn entry_hash(entry: &Value) -> String {
    /// 80 bits: told apart are the few versions of one entry.
    const DIGITS: usize = 20;
    let part = json!([entry["apiVersion"], entry["time"], entry["fieldsV1"]]);
    blake3::hash(&canonical_json(&part)).to_hex()[..DIGITS].to_owned()
}

/// The object without what every write of ours moves, the epoch among it.
fn timeless(value: &Value) -> Value {
    let mut bare = value.clone();
    if let Some(metadata) = bare.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
        if let Some(annotations) = metadata.get_mut("annotations") {
            annotations[EPOCH].take();
        }
        let entries = metadata
            .get_mut("managedFields")
            .and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("time");
            }
        }
    }
    bare
}
