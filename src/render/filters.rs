//! The filters that Kubernetes authors know from Helm and Jinja.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, Error, ErrorKind, Value};
use sha2::{Digest as _, Sha256};

use crate::yaml;

/// Names to suggest: ours, and those of minijinja that manifests need.
pub const NAMES: [&str; 30] = [
    "b64decode",
    "b64encode",
    "bool",
    "default",
    "dictsort",
    "first",
    "float",
    "indent",
    "int",
    "items",
    "join",
    "k8s_name",
    "last",
    "length",
    "lines",
    "lower",
    "map",
    "nindent",
    "quote",
    "replace",
    "select",
    "sha256",
    "sort",
    "split",
    "squote",
    "tojson",
    "toyaml",
    "trim",
    "unique",
    "upper",
];

/// Adds them to those that minijinja brings (`default`, `replace`, `join`, `upper`, `dictsort`, `tojson`…).
pub fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("toyaml", to_yaml);
    environment.add_filter("tojson", to_json);
    environment.add_filter("b64encode", |text: &str| STANDARD.encode(text));
    environment.add_filter("b64decode", base64_decode);
    environment.add_filter("sha256", |text: &str| hex(&Sha256::digest(text)));
    environment.add_filter("indent", indent);
    environment.add_filter("nindent", |text: &str, width: usize| {
        format!("\n{}", indent(text, width, Some(true), None))
    });
    environment.add_filter("quote", quote);
    environment.add_filter("squote", |value: &Value| {
        format!("'{}'", plain(value).replace('\'', "''"))
    });
    environment.add_filter("k8s_name", |text: &str| kubernetes_name(text));
    environment.add_function("fail", fail);
}

/// Block-style YAML without a newline at its end: `{{ values.x | toyaml | nindent(4) }}`.
fn to_yaml(value: &Value) -> Result<String, Error> {
    let text = yaml::write(&json(value)?);
    Ok(text.trim_end_matches('\n').to_owned())
}

/// JSON on one line, keys sorted: also valid YAML wherever it stands.
fn to_json(value: &Value) -> Result<String, Error> {
    Ok(json(value)?.to_string())
}

fn json(value: &Value) -> Result<serde_json::Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    serde_json::to_value(value).map_err(|error| {
        Error::new(
            ErrorKind::InvalidOperation,
            "this cannot be written as JSON",
        )
        .with_source(error)
    })
}

fn base64_decode(text: &str) -> Result<String, Error> {
    let refused = |why: &'static str| Error::new(ErrorKind::InvalidOperation, why);
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| refused("this is not base64"))?;
    String::from_utf8(bytes).map_err(|_| refused("this base64 holds no text"))
}

/// Indents all lines but the first, as Jinja does.
fn indent(text: &str, width: usize, first: Option<bool>, blank: Option<bool>) -> String {
    /// Nobody indents deeper; a mistake could ask for gigabytes.
    const WIDEST: usize = 128;
    let margin = " ".repeat(width.min(WIDEST));
    let mut out = String::with_capacity(text.len() + margin.len() * 8);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let is_wanted = index > 0 || first == Some(true);
        if is_wanted && (!line.is_empty() || blank == Some(true)) {
            out.push_str(&margin);
        }
        out.push_str(line);
    }
    out
}

/// In double quotes, as JSON and YAML both read them: numbers and booleans become text.
fn quote(value: &Value) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(serde_json::Value::String(plain(value)).to_string())
}

/// As the formatter would print it.
fn plain(value: &Value) -> String {
    if value.is_none() {
        return "null".to_owned();
    }
    match bool::try_from(value.clone()) {
        Ok(truth) => truth.to_string(),
        Err(_) => value.to_string(),
    }
}

/// A DNS label made of any text: what does not fit becomes `-`; what is too long or has lost something that told it
/// apart gets a hash of the whole.
pub(super) fn kubernetes_name(text: &str) -> String {
    const LONGEST: usize = 63;
    const HASH: usize = 8;
    let lower = text.to_lowercase();
    let mapped: String = lower
        .chars()
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '-'
            }
        })
        .collect();
    let name = mapped.trim_matches('-');
    if name == text && name.len() <= LONGEST {
        return name.to_owned();
    }
    let kept = &name[..name.len().min(LONGEST - HASH - 1)];
    let hash = &hex(&Sha256::digest(text))[..HASH];
    format!("{}-{hash}", kept.trim_end_matches('-'))
        .trim_start_matches('-')
        .to_owned()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// For what a template does not support: `{{ fail("…") }}`.
fn fail(message: &str) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str) -> String {
        let mut environment = Environment::new();
        add_to(&mut environment);
        environment
            .render_str(
                template,
                minijinja::context! { m => minijinja::context! { b => "on", a => vec![1, 2] } },
            )
            .unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn values_are_spelt_so_that_yaml_reads_them_back() {
        assert_eq!(rendered("{{ m | toyaml }}"), "a:\n- 1\n- 2\nb: \"on\"");
        assert_eq!(
            rendered("x:{{ m.a | toyaml | nindent(2) }}"),
            "x:\n  - 1\n  - 2"
        );
        assert_eq!(rendered("{{ m | tojson }}"), r#"{"a":[1,2],"b":"on"}"#);
        assert_eq!(rendered("{{ 'a<b&\"c\"' | tojson }}"), r#""a<b&\"c\"""#);
        assert_eq!(
            rendered("{{ 5 | quote }} {{ true | quote }} {{ none | quote }} {{ 'a\"b' | quote }}"),
            r#""5" "true" "null" "a\"b""#
        );
        assert_eq!(rendered("{{ 'it''s' | squote }}"), "'its'");
        assert_eq!(rendered("{{ 'a\n\nb' | indent(2) }}"), "a\n\n  b");
    }

    #[test]
    fn text_is_encoded_and_hashed() {
        assert_eq!(
            rendered("{{ 'hi' | b64encode }} {{ 'aGk=' | b64decode }}"),
            "aGk= hi"
        );
        assert!(
            rendered("{{ 'x!' | b64decode }}").starts_with("invalid operation: this is not base64")
        );
        assert_eq!(
            rendered("{{ '' | sha256 }}"),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn names_that_differ_stay_different() {
        assert_eq!(kubernetes_name("carbone"), "carbone");
        assert_eq!(
            kubernetes_name("intranet.carbone.fr"),
            "intranet-carbone-fr-aaf9ffff"
        );
        let names = ["a.b", "a-b", "A-b", "a_b", "é"].map(kubernetes_name);
        assert!(
            names.iter().all(|name| crate::fleet::is_name(name)),
            "{names:?}"
        );
        assert_eq!(std::collections::BTreeSet::from(names).len(), 5);
        assert!(kubernetes_name(&"x".repeat(100)).len() <= 63);
    }
}
