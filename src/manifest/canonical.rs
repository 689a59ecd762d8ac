//! The canonical form of an object and digests over it.
//!
//! Two manifests that mean the same to Kubernetes' JSON decoder have the same bytes here: keys
//! sorted, no white space, floats with an integral value printed as integers (`1.0` is `1`, as
//! kubectl sends it). Digests carry a version prefix, because records outlive this program.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::marks::without_marks;

/// A content hash with the version of the form that was hashed: `b1:` for a bundle, `o1:` for
/// one object; then 40 hex digits (160 bits of BLAKE3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

const HEX_DIGITS: usize = 40;

impl Digest {
    /// Digest of one object, our marks not counted.
    pub fn of_object(value: &Value) -> Self {
        Self::new("o1", &canonical_json(&without_marks(value)))
    }

    /// Digest of a bundle: of the canonical forms of its objects without our marks, one a line, in the order given.
    pub fn of_bundle(canonical: &[Vec<u8>]) -> Self {
        let mut bytes = Vec::new();
        for object in canonical {
            bytes.extend_from_slice(object);
            bytes.push(b'\n');
        }
        Self::new("b1", &bytes)
    }

    fn new(version: &str, bytes: &[u8]) -> Self {
        let hex = blake3::hash(bytes).to_hex();
        Self(format!("{version}:{}", &hex[..HEX_DIGITS]))
    }

    /// Reads a digest that was recorded; `None` if it is of no form that we know.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, hex) = text.split_once(':')?;
        let known = matches!(version, "b1" | "o1");
        let is_hex = hex.len() == HEX_DIGITS && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        (known && is_hex).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that fits into the name of an object: `b1-4f2a…`.
    pub fn as_name(&self) -> String {
        self.0.replace(':', "-")
    }

    /// The first digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..self.0.len().min(11)]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical bytes of a JSON tree.
pub fn canonical_json(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    write_canonical(value, &mut bytes);
    bytes
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Number(number) => write_number(number, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        // `serde_json::Map` is a `BTreeMap`: its keys come sorted.
        Value::Object(map) => {
            out.push(b'{');
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_scalar(&Value::String(key.clone()), out);
                out.push(b':');
                write_canonical(item, out);
            }
            out.push(b'}');
        }
        Value::Null | Value::Bool(_) | Value::String(_) => write_scalar(value, out),
    }
}

fn write_scalar(value: &Value, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("writing JSON to memory cannot fail");
}

fn write_number(number: &serde_json::Number, out: &mut Vec<u8>) {
    /// Integers up to here are exact in a float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => {
            #[expect(clippy::cast_possible_truncation, reason = "integral and within 2^53")]
            let whole = float as i64;
            out.extend_from_slice(whole.to_string().as_bytes());
        }
        _ => out.extend_from_slice(number.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_integral_floats_are_integers() {
        let value = json!({"b": 1.0, "a": {"d": "x\n", "c": [1e3, 0.5, -0.0]}});
        let text = String::from_utf8(canonical_json(&value)).unwrap();
        assert_eq!(text, r#"{"a":{"c":[1000,0.5,0],"d":"x\n"},"b":1}"#);
    }

    #[test]
    fn the_epoch_mark_is_not_counted() {
        let plain = json!({"metadata": {"name": "x"}});
        let marked = json!({"metadata": {"name": "x", "annotations": {"escale.dev/epoch": "7"}}});
        assert_eq!(Digest::of_object(&plain), Digest::of_object(&marked));
    }

    #[test]
    fn a_digest_reads_back_and_nonsense_does_not() {
        let digest = Digest::of_object(&json!({"metadata": {"name": "x"}}));
        assert_eq!(Digest::parse(digest.as_str()), Some(digest));
        assert_eq!(
            Digest::parse("b9:0000000000000000000000000000000000000000"),
            None
        );
        assert_eq!(Digest::parse("b1:00"), None);
    }
}
