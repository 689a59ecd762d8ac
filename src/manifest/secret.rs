//! References to secret values: what a rendered Secret has in their place, and the values once they are put in.
//!
//! A reference is a token, `escale-secret:v1:<version>:<source>#<key>`, and the whole value of an entry of `data`.
//! Digests, records and diffs are made of tokens. [`SecretValues`] never shows what it holds, not even to a debugger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// How every token begins.
pub const SECRET_MARK: &str = "escale-secret:";
const VERSIONED: &str = "escale-secret:v1:";
/// How a token begins that somebody put through `b64encode`: always the same for whole groups of three bytes.
const ENCODED_MARK: &str = "ZXNjYWxlLXNlY3Jld";
/// Shorter values are in too many texts by chance to be looked for.
const SOUGHT: usize = 4;

/// A reference to one value of a secret source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretRef {
    /// The git id of the file; else what the template says, or `unversioned`.
    pub version: String,
    /// A path in the repository, or `SCHEME:…`.
    pub source: String,
    /// Where in the source; empty: all of it.
    pub key: String,
}

/// What references stand for.
#[derive(Clone, Default)]
pub struct SecretValues(BTreeMap<SecretRef, Vec<u8>>);

impl SecretRef {
    /// Reads a token; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (version, rest) = text.strip_prefix(VERSIONED)?.split_once(':')?;
        let (source, key) = rest.split_once('#')?;
        Some(Self {
            version: version.to_owned(),
            source: source.to_owned(),
            key: key.to_owned(),
        })
    }

    /// As templates spell it: `source#key`.
    pub fn name(&self) -> String {
        match self.key.as_str() {
            "" => self.source.clone(),
            key => format!("{}#{key}", self.source),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{VERSIONED}{}:{}#{}",
            self.version, self.source, self.key
        )
    }
}

/// Whether a text has a token in it, as it is or encoded.
pub fn has_secret_mark(text: &str) -> bool {
    text.contains(SECRET_MARK) || text.contains(ENCODED_MARK)
}

/// Whether an object is a Secret of Kubernetes.
pub fn is_secret(object: &Value) -> bool {
    object["apiVersion"] == "v1" && object["kind"] == "Secret"
}

/// Every reference in the data of a Secret.
pub fn secret_refs(object: &Value) -> BTreeSet<SecretRef> {
    if !is_secret(object) {
        return BTreeSet::new();
    }
    let data = object["data"].as_object().into_iter().flatten();
    data.filter_map(|(_, value)| SecretRef::parse(value.as_str()?))
        .collect()
}

/// The JSON pointer of the first token that is not a whole entry of the data of a Secret, if there is one.
pub fn misplaced_secret(object: &Value) -> Option<String> {
    let is_secret = is_secret(object);
    object.as_object()?.iter().find_map(|(name, value)| {
        let found = match value {
            Value::Object(data) if is_secret && name == "data" => {
                data.iter().find_map(|(key, value)| {
                    let is_whole = value.as_str().and_then(SecretRef::parse).is_some();
                    let found = if is_whole { None } else { found(value) };
                    Some(format!("/{key}{}", found?))
                })
            }
            value => found(value),
        };
        Some(format!("/{name}{}", found?))
    })
}

/// The way to the first token in a value.
fn found(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => has_secret_mark(text).then(String::new),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| Some(format!("/{index}{}", found(item)?)))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let below = has_secret_mark(name).then(String::new);
            Some(format!("/{name}{}", below.or_else(|| found(value))?))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

impl SecretValues {
    pub fn insert(&mut self, reference: SecretRef, value: Vec<u8>) {
        self.0.insert(reference, value);
    }

    /// The object with values where it has references, or the first reference that has none.
    pub fn fill(&self, object: &Value) -> Result<Value, SecretRef> {
        let mut filled = object.clone();
        // Indexing would put in what is not there.
        let data = filled.get_mut("data").and_then(Value::as_object_mut);
        for (_, entry) in data.into_iter().flatten() {
            let Some(reference) = entry.as_str().and_then(SecretRef::parse) else {
                continue;
            };
            match self.0.get(&reference) {
                Some(value) => *entry = STANDARD.encode(value).into(),
                None => return Err(reference),
            }
        }
        Ok(filled)
    }

    /// A text of somebody who saw the values, without them.
    pub fn hush(&self, text: &str) -> String {
        const HIDDEN: &str = "(hidden)";
        let mut sought: Vec<String> = Vec::new();
        for value in self.0.values().filter(|value| value.len() >= SOUGHT) {
            sought.push(STANDARD.encode(value));
            sought.extend(String::from_utf8(value.clone()));
        }
        // A value that contains another one goes first.
        sought.sort_by_key(|value| std::cmp::Reverse(value.len()));
        sought.iter().fold(text.to_owned(), |text, value| {
            text.replace(value.as_str(), HIDDEN)
        })
    }
}

impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretValues({} hidden)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TOKEN: &str = "escale-secret:v1:4f2a:secrets/db.sops.yaml#password";

    fn secret(data: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": data})
    }

    fn values(value: &str) -> SecretValues {
        let mut values = SecretValues::default();
        values.insert(SecretRef::parse(TOKEN).unwrap(), value.into());
        values
    }

    #[test]
    fn a_token_reads_back_as_it_was_written() {
        let reference = SecretRef::parse(TOKEN).unwrap();
        assert_eq!(reference.name(), "secrets/db.sops.yaml#password");
        assert_eq!(reference.to_string(), TOKEN);
        let whole = SecretRef::parse("escale-secret:v1:4f2a:secrets/tls.key.age#").unwrap();
        assert_eq!(whole.name(), "secrets/tls.key.age");
        assert_eq!(SecretRef::parse("escale-secret:v2:4f2a:x#y"), None);
    }

    #[test]
    fn values_stand_where_references_stood_and_nothing_else_changes() {
        let object = secret(&json!({"password": TOKEN, "user": "ZGI="}));
        assert_eq!(secret_refs(&object).len(), 1);
        let filled = values("hunter2").fill(&object).unwrap();
        assert_eq!(
            filled,
            secret(&json!({"password": "aHVudGVyMg==", "user": "ZGI="}))
        );
        let missing = SecretValues::default().fill(&object).unwrap_err();
        assert_eq!(missing.key, "password");
    }

    #[test]
    fn an_object_without_data_is_filled_with_nothing() {
        let bare =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
        assert_eq!(values("hunter2").fill(&bare).unwrap(), bare);
    }

    #[test]
    fn tokens_are_found_where_they_do_not_belong_also_encoded() {
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": TOKEN}});
        assert_eq!(misplaced_secret(&map), Some("/data/a".to_owned()));
        assert_eq!(misplaced_secret(&secret(&json!({"a": TOKEN}))), None);
        let within = secret(&json!({"a": format!("user {TOKEN}")}));
        assert_eq!(misplaced_secret(&within), Some("/data/a".to_owned()));
        let encoded = secret(&json!({"a": STANDARD.encode(TOKEN)}));
        assert_eq!(misplaced_secret(&encoded), Some("/data/a".to_owned()));
    }

    #[test]
    fn values_are_taken_out_of_texts_and_out_of_debugging() {
        let values = values("hunter2");
        let text = "Invalid value: \"aHVudGVyMg==\" is hunter2";
        assert_eq!(values.hush(text), "Invalid value: \"(hidden)\" is (hidden)");
        assert_eq!(format!("{values:?}"), "SecretValues(1 hidden)");
    }
}
