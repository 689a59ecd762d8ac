//! References to secrets: rendered as versioned tokens, never as values.
//!
//! `{{ secret("secrets/database.sops.yaml#password") }}` renders
//! `escale-secret:v1:<git id of the file>:secrets/database.sops.yaml#password`. Digests, bundles and diffs are
//! made of tokens; a changed file changes its id, and so the token.

use std::collections::BTreeMap;
use std::fmt;

use minijinja::{Environment, Error, ErrorKind};
use serde_json::{Map, Value};

/// How every token begins.
pub const SECRET_MARK: &str = "escale-secret:";
const VERSIONED: &str = "escale-secret:v1:";
/// How a token begins that somebody put through `b64encode`: always the same for whole groups of three bytes.
const ENCODED_MARK: &str = "ZXNjYWxlLXNlY3Jld";
/// The version of what is not in git.
const UNVERSIONED: &str = "unversioned";

/// A reference to one value of a secret source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretRef {
    /// The git id of the file, or `unversioned`.
    pub version: String,
    /// A path in the repository, or `scheme:…`.
    pub source: String,
    pub key: String,
}

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

/// Adds `secret("ref#key")`, which knows the git ids of files.
pub fn add_to(environment: &mut Environment<'_>, blobs: BTreeMap<String, String>) {
    environment.add_function("secret", move |reference: &str| token(reference, &blobs));
}

fn token(reference: &str, blobs: &BTreeMap<String, String>) -> Result<String, Error> {
    let refused = |why: String| Error::new(ErrorKind::InvalidOperation, why);
    let parts = reference
        .split_once('#')
        .filter(|(source, key)| !source.is_empty() && !key.is_empty());
    let Some((source, key)) = parts else {
        return Err(refused(format!(
            "`{reference}` is no secret reference: write `FILE#KEY`"
        )));
    };
    let version = match blobs.get(source) {
        Some(blob) => blob.clone(),
        None if source.contains(':') => UNVERSIONED.to_owned(),
        None => {
            let path = "paths are those below the repository's root";
            return Err(refused(format!(
                "secret file `{source}` does not exist ({path})"
            )));
        }
    };
    let secret = SecretRef {
        version,
        source: source.to_owned(),
        key: key.to_owned(),
    };
    Ok(secret.to_string())
}

/// The JSON pointer of the first token outside the data of a Secret, if there is one.
pub fn misplaced(object: &Value) -> Option<String> {
    let is_secret = object["apiVersion"] == "v1" && object["kind"] == "Secret";
    let fields = object.as_object()?;
    fields
        .iter()
        .filter(|(name, _)| !(is_secret && (*name == "data" || *name == "stringData")))
        .find_map(|(name, value)| Some(format!("/{name}{}", found(value)?)))
}

/// The way to the first token in a value.
fn found(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => has_token(text).then(String::new),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| Some(format!("/{index}{}", found(item)?)))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let below = has_token(name).then(String::new);
            Some(format!("/{name}{}", below.or_else(|| found(value))?))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn has_token(text: &str) -> bool {
    text.contains(SECRET_MARK) || text.contains(ENCODED_MARK)
}

/// Folds `stringData` of a Secret into `data`, as the API server would, and leaves tokens as they are: a token
/// in `data` is no base64, so nothing mistakes one for the other. Returns what is wrong.
pub fn fold(object: &mut Value) -> Vec<(String, &'static str)> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let mut wrong = Vec::new();
    let Some(fields) = object.as_object_mut() else {
        return wrong;
    };
    let mut data = taken(fields, "data");
    for (key, value) in &data {
        let text = value.as_str().unwrap_or_default();
        let is_token = SecretRef::parse(text).is_some();
        if has_token(text) && !is_token {
            wrong.push((format!("/data/{key}"), WHOLE));
        } else if !is_token && STANDARD.decode(text).is_err() {
            wrong.push((
                format!("/data/{key}"),
                "this is not base64: use `| b64encode`, or `stringData`",
            ));
        }
    }
    for (key, value) in taken(fields, "stringData") {
        let text = value.as_str().unwrap_or_default();
        if SecretRef::parse(text).is_some() {
            data.insert(key, value);
        } else if has_token(text) {
            wrong.push((format!("/stringData/{key}"), WHOLE));
        } else if value.is_string() {
            data.insert(key, Value::String(STANDARD.encode(text)));
        } else {
            wrong.push((
                format!("/stringData/{key}"),
                "this is not text: put it in quotes",
            ));
        }
    }
    if !data.is_empty() {
        fields.insert("data".to_owned(), Value::Object(data));
    }
    wrong
}

const WHOLE: &str = "a secret reference must be the whole value, unchanged by filters";

fn taken(fields: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match fields.remove(name) {
        Some(Value::Object(map)) => map,
        Some(_) | None => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use serde_json::json;

    #[test]
    fn a_token_carries_the_version_of_its_file() {
        let blobs = BTreeMap::from([("secrets/db.yaml".to_owned(), "4f2a".to_owned())]);
        let text = token("secrets/db.yaml#password", &blobs).unwrap();
        assert_eq!(text, "escale-secret:v1:4f2a:secrets/db.yaml#password");
        assert_eq!(SecretRef::parse(&text).unwrap().key, "password");
        assert_eq!(
            token("env:DB#PASSWORD", &blobs).unwrap(),
            "escale-secret:v1:unversioned:env:DB#PASSWORD"
        );
        assert!(token("secrets/other.yaml#password", &blobs).is_err());
        assert!(token("secrets/db.yaml", &blobs).is_err());
    }

    #[test]
    fn string_data_is_folded_and_tokens_stay() {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aGk="},
            "stringData": {"a": "ho", "t": "escale-secret:v1:4f2a:s#k"}});
        assert_eq!(fold(&mut secret), []);
        assert_eq!(
            secret,
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aG8=", "t": "escale-secret:v1:4f2a:s#k"}})
        );
    }

    #[test]
    fn tokens_are_found_where_they_do_not_belong_also_encoded() {
        let token = "escale-secret:v1:4f2a:s#k";
        let map =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": format!("x {token}")}});
        assert_eq!(misplaced(&map), Some("/data/a".to_owned()));
        let secret =
            |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": value}});
        assert_eq!(misplaced(&secret(token)), None);
        let encoded = base64::engine::general_purpose::STANDARD.encode(token);
        assert_eq!(fold(&mut secret(&encoded)), [("/data/a".to_owned(), WHOLE)]);
    }
}
