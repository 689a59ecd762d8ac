//! What a schema validator found, in words for people.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use crate::error::did_you_mean;
use crate::fleet::config::properties_at;
use crate::fleet::finding::Finding;
use crate::fleet::read::{nearest, place};
use crate::yaml::Node;

/// A mistake at a JSON pointer of a document.
pub struct Complaint {
    pointer: String,
    /// Points at the key rather than at its value.
    at_key: bool,
    message: String,
    hint: Option<String>,
}

impl Complaint {
    pub fn at(self, file: &str, node: &Node) -> Finding {
        let key_mark = self.at_key.then(|| node.key_mark(&self.pointer)).flatten();
        let mark = key_mark.unwrap_or_else(|| nearest(node, &self.pointer));
        Finding::error(place(file, mark), self.message).hint(self.hint)
    }
}

/// One complaint for most errors; one per field for unknown fields.
pub fn findings(error: &ValidationError<'_>, schema: &Value) -> Vec<Complaint> {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|field| unknown_field(pointer, field, schema))
            .collect(),
        // An optional field is "this or null": only what is wrong with "this" helps.
        ValidationErrorKind::AnyOf { context } => {
            let meant = context.iter().find(|branch| !branch.iter().any(wants_null));
            let nested = meant.into_iter().flatten();
            nested.flat_map(|error| findings(error, schema)).collect()
        }
        _ => vec![Complaint {
            pointer: pointer.to_owned(),
            at_key: false,
            message: format!("{}: {}", shown_path(pointer), message(error, schema)),
            hint: hint(error),
        }],
    }
}

/// A value as it is told in a message.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
    }
}

/// `/spec/waves/0/soak` as `spec.waves[0].soak`.
pub fn shown_path(pointer: &str) -> String {
    let mut path = String::from("`");
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push('[');
            path.push_str(&step);
            path.push(']');
        } else {
            if path.len() > 1 {
                path.push('.');
            }
            path.push_str(&step);
        }
    }
    path.push('`');
    if path == "``" {
        return "the file".to_owned();
    }
    path
}

fn unknown_field(pointer: &str, field: &str, schema: &Value) -> Complaint {
    let known = properties_at(schema, pointer);
    let hint = match did_you_mean(field, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the fields here are {}", listed(&known)),
    };
    let inside = if pointer.is_empty() {
        String::new()
    } else {
        format!(" in {}", shown_path(pointer))
    };
    Complaint {
        pointer: format!("{pointer}/{}", field.replace('~', "~0").replace('/', "~1")),
        at_key: true,
        message: format!("unknown field `{field}`{inside}"),
        hint: Some(hint),
    }
}

fn message(error: &ValidationError<'_>, schema: &Value) -> String {
    let found = shown(error.instance());
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("{} is missing", shown(property))
        }
        ValidationErrorKind::Type { kind } => {
            format!("{} is wanted, {found} was found", wanted_type(kind))
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("must be {}, {found} was found", shown(expected_value))
        }
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            format!("{found} is none of {}", listed(&options(error)))
        }
        ValidationErrorKind::Pattern { .. } | ValidationErrorKind::MinLength { .. } => {
            match description(error, schema) {
                Some(meaning) => format!("{found} is not what is meant here: {meaning}"),
                None => error.to_string(),
            }
        }
        _ => error.to_string(),
    }
}

fn hint(error: &ValidationError<'_>) -> Option<String> {
    match error.kind() {
        ValidationErrorKind::Type { .. } => match error.instance().as_ref() {
            Value::Bool(_) | Value::Number(_) => {
                Some("put it in quotes if text is meant".to_owned())
            }
            Value::Null => Some("write a value, `{}` for none, or take the line out".to_owned()),
            Value::String(_) | Value::Array(_) | Value::Object(_) => None,
        },
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            let options = options(error);
            let near = did_you_mean(
                error.instance().as_str()?,
                options.iter().map(String::as_str),
            );
            near.map(|near| format!("did you mean `{near}`?"))
        }
        _ => None,
    }
}

/// The words of a closed choice: schemars writes one `const` each where they have descriptions.
fn options(error: &ValidationError<'_>) -> Vec<String> {
    let texts = |value: &Value| match value {
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => value
            .as_str()
            .map(str::to_owned)
            .into_iter()
            .collect::<Vec<_>>(),
    };
    match error.kind() {
        ValidationErrorKind::Enum { options } => texts(options),
        ValidationErrorKind::Constant { expected_value } => texts(expected_value),
        ValidationErrorKind::OneOfNotValid { context } => {
            context.iter().flatten().flat_map(options).collect()
        }
        _ => Vec::new(),
    }
}

/// What the schema says of the place whose rule was broken.
fn description<'a>(error: &ValidationError<'_>, schema: &'a Value) -> Option<&'a str> {
    let (place, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(place)?.get("description")?.as_str()
}

fn wants_null(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Type { kind } if wanted_type(kind) == "nothing")
}

fn wanted_type(kind: &TypeKind) -> String {
    let names = match kind {
        TypeKind::Single(name) => vec![name.to_string()],
        TypeKind::Multiple(names) => names.iter().map(|name| name.to_string()).collect(),
    };
    let names = names
        .iter()
        .filter(|name| *name != "null" || names.len() == 1);
    let words: Vec<&str> = names
        .map(|name| match name.as_str() {
            "object" => "a mapping",
            "array" => "a list",
            "string" => "text",
            "boolean" => "`true` or `false`",
            "integer" => "a whole number",
            "number" => "a number",
            _ => "nothing",
        })
        .collect();
    words.join(" or ")
}

fn listed<Name: AsRef<str>>(names: &[Name]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect();
    names.join(", ")
}
