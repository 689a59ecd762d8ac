//! A key in what a source holds.

use serde_json::Value;

use crate::yaml;

/// The value under a key of a YAML or JSON document; the whole content, byte for byte, without a key. Never says what
/// it saw.
pub fn value(content: &[u8], key: &str) -> Result<Vec<u8>, String> {
    if key.is_empty() {
        return Ok(content.to_vec());
    }
    let not_a_document = || "it is no YAML or JSON document, so it has no keys".to_owned();
    let text = std::str::from_utf8(content).map_err(|_| not_a_document())?;
    let nodes = yaml::read(text).map_err(|_| not_a_document())?;
    let [node] = nodes.as_slice() else {
        return Err("it is not one document".to_owned());
    };
    let document = node.to_value();
    let Some(found) = find(&document, key) else {
        return Err(format!("it has no key `{key}`"));
    };
    match found {
        Value::String(text) => Ok(text.clone().into_bytes()),
        // YAML has changed what was written by now: `0123` is 83.
        Value::Number(_) | Value::Bool(_) | Value::Null => {
            Err(format!("`{key}` is no text: put it in quotes"))
        }
        Value::Array(_) | Value::Object(_) => Err(format!("`{key}` holds several values")),
    }
}

/// Dots go down, unless a key has them itself: `tls.crt` is a key, and `data.tls.crt` is that key below `data`.
fn find<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    let step = |name: &str| match value {
        Value::Object(map) => map.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    };
    step(key).or_else(|| {
        let mut dots = key.match_indices('.');
        dots.find_map(|(at, _)| find(step(&key[..at])?, &key[at + 1..]))
    })
}
