//! `secret("ref")` in templates: rendered as a versioned token, never as a value.
//!
//! `{{ secret("secrets/database.sops.yaml#password") }}` renders
//! `escale-secret:v1:<git id of the file>:secrets/database.sops.yaml#password`. Digests, bundles and diffs are
//! made of tokens; a changed file changes its id, and so the token. What is not in git gets its version from the template:
//! `{{ secret("vault:db#password", version="3") }}`.

use std::collections::BTreeMap;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind};
use serde_json::{Map, Value};

use crate::manifest::{SecretRef, has_secret_mark};

/// The version of what is not in git, if nobody gives one: such a value reaches who is new, and nobody notices when
/// it changes.
const UNVERSIONED: &str = "unversioned";
/// Enough for a number, a date, or a digest.
const LONGEST_VERSION: usize = 64;

/// Adds `secret("ref#key", version=…)`, which knows the git ids of files.
pub fn add_to(environment: &mut Environment<'_>, blobs: BTreeMap<String, String>) {
    let secret = move |reference: &str, options: Kwargs| {
        let version: Option<String> = options.get("version")?;
        options.assert_all_used()?;
        let refused = |why| Error::new(ErrorKind::InvalidOperation, why);
        token(reference, version, &blobs).map_err(refused)
    };
    environment.add_function("secret", secret);
}

fn token(
    reference: &str,
    version: Option<String>,
    blobs: &BTreeMap<String, String>,
) -> Result<String, String> {
    let (source, key) = match reference.split_once('#') {
        None => (reference, ""),
        Some((source, key)) if !key.is_empty() => (source, key),
        Some(_) => ("", ""),
    };
    if source.is_empty() {
        return Err(format!(
            "`{reference}` is no secret reference: write `FILE#KEY`, or `FILE` for all of it"
        ));
    }
    let version = match (blobs.get(source), version) {
        (Some(blob), None) => blob.clone(),
        (Some(_), Some(_)) => {
            return Err(format!(
                "`{source}` is in git, which knows its version: leave `version` out"
            ));
        }
        (None, version) if source.contains(':') => given(version)?,
        (None, _) => {
            let path = "paths are those below the repository's root, in a folder `secrets`";
            return Err(format!("secret file `{source}` does not exist ({path})"));
        }
    };
    let secret = SecretRef {
        version,
        source: source.to_owned(),
        key: key.to_owned(),
    };
    Ok(secret.to_string())
}

/// The version that a template gives.
fn given(version: Option<String>) -> Result<String, String> {
    let Some(version) = version else {
        return Ok(UNVERSIONED.to_owned());
    };
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
    if version.is_empty() || version.len() > LONGEST_VERSION || !version.chars().all(is_plain) {
        return Err(format!(
            "`{version}` is no version: letters, digits, `-`, `.` and `_`, {LONGEST_VERSION} at most"
        ));
    }
    Ok(version)
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
        if has_secret_mark(text) && !is_token {
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
        } else if has_secret_mark(text) {
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
    use serde_json::json;

    fn blobs() -> BTreeMap<String, String> {
        BTreeMap::from([("secrets/db.sops.yaml".to_owned(), "4f2a".to_owned())])
    }

    #[test]
    fn a_token_carries_the_version_of_its_file() {
        let text = |reference| token(reference, None, &blobs());
        assert_eq!(
            text("secrets/db.sops.yaml#password").unwrap(),
            "escale-secret:v1:4f2a:secrets/db.sops.yaml#password"
        );
        assert_eq!(
            text("secrets/db.sops.yaml").unwrap(),
            "escale-secret:v1:4f2a:secrets/db.sops.yaml#"
        );
        assert!(text("secrets/other.sops.yaml#password").is_err());
        assert!(text("secrets/db.sops.yaml#").is_err());
        assert!(token("secrets/db.sops.yaml", Some("2".to_owned()), &blobs()).is_err());
    }

    #[test]
    fn what_is_not_in_git_has_the_version_that_the_template_gives() {
        let text = |version: Option<&str>| {
            token("vault:db#password", version.map(str::to_owned), &blobs())
        };
        assert_eq!(
            text(Some("2026-11")).unwrap(),
            "escale-secret:v1:2026-11:vault:db#password"
        );
        assert_eq!(
            text(None).unwrap(),
            "escale-secret:v1:unversioned:vault:db#password"
        );
        assert!(text(Some("a:b")).is_err());
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
    fn a_token_is_the_whole_value_or_none() {
        use base64::Engine as _;
        let token = "escale-secret:v1:4f2a:s#k";
        let encoded = base64::engine::general_purpose::STANDARD.encode(token);
        let folded = |value: &str| {
            fold(&mut json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": value}}))
        };
        assert_eq!(folded(token), []);
        assert_eq!(folded(&encoded), [("/data/a".to_owned(), WHOLE)]);
    }
}
