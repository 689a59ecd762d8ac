//! What a diff sends in place of secret values, which it never reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::step::{ApplyStep, Why};
use crate::manifest::{Live, SecretRef};

/// Differs from whatever is there.
const OTHER: &str = "stand-in";

/// The manifest of a step with something that a server accepts in place of each reference: what is there, if the
/// reference is the one that was written and nobody else has changed the entry; else something that differs.
pub fn with_stand_ins(step: &ApplyStep, live: &Live) -> Value {
    let mut manifest = step.manifest.clone();
    let data = manifest.get_mut("data").and_then(Value::as_object_mut);
    for (key, entry) in data.into_iter().flatten() {
        if entry.as_str().and_then(SecretRef::parse).is_some() {
            *entry = match still_ours(key, live) {
                Some(value) if step.why == Why::Drifted => value.clone(),
                Some(_) | None => STANDARD.encode(OTHER).into(),
            };
        }
    }
    manifest
}

/// An entry of the data that we own: whoever changes it takes it from us.
fn still_ours<'l>(key: &str, live: &'l Live) -> Option<&'l Value> {
    let owned = live.own_entry()?.pointer("/fieldsV1/f:data")?;
    owned.get(format!("f:{key}"))?;
    live.value()["data"].get(key)
}
