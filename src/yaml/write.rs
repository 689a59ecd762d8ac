//! Writes a JSON tree as block-style YAML that every reader of YAML 1.1 or 1.2 reads back the same.

use std::fmt::Write as _;

use serde_json::Value;

use crate::yaml::scalar::{Scalar, plain};
use crate::yaml::split::is_printable;

/// One document, ending with a newline, without `---`.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(map, 0, &mut out),
        Value::Array(items) if !items.is_empty() => sequence(items, 0, &mut out),
        _ => {
            scalar(value, 1, &mut out);
            out.push('\n');
        }
    }
    out
}

/// The lines of a mapping; the first one is already indented.
fn mapping(map: &serde_json::Map<String, Value>, indent: usize, out: &mut String) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            indentation(indent, out);
        }
        key_text(key, indent, out);
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                indentation(indent + 1, out);
                mapping(map, indent + 1, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                indentation(indent, out);
                sequence(items, indent, out);
            }
            _ => {
                out.push(' ');
                scalar(value, indent + 1, out);
                out.push('\n');
            }
        }
    }
}

/// The lines of a sequence; the first one is already indented.
fn sequence(items: &[Value], indent: usize, out: &mut String) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            indentation(indent, out);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => mapping(map, indent + 1, out),
            Value::Array(items) if !items.is_empty() => sequence(items, indent + 1, out),
            _ => {
                scalar(item, indent + 1, out);
                out.push('\n');
            }
        }
    }
}

fn indentation(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", indent));
}

/// A key must fit on one line, and readers give up looking for its colon after 1024 characters.
fn key_text(key: &str, indent: usize, out: &mut String) {
    /// Below the limit even if every character were escaped.
    const LONG: usize = 100;
    let needs_mark = key.len() > LONG;
    if needs_mark {
        out.push_str("? ");
    }
    if is_safe_plain(key) {
        out.push_str(key);
    } else {
        quoted(key, out);
    }
    if needs_mark {
        out.push('\n');
        indentation(indent, out);
    }
}

/// A scalar or an empty collection, without the newline behind it.
fn scalar(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => out.push_str(if *bool { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        Value::String(text) if is_safe_plain(text) => out.push_str(text),
        Value::String(text) if is_safe_literal(text) => literal(text, indent, out),
        Value::String(text) => quoted(text, out),
    }
}

/// Whether the text, unquoted, is this text for kubectl and for any other reader.
fn is_safe_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let is_indicator = "-?:,[]{}#&*!|>'\"%@`=<~ ".contains(first);
    let is_inner =
        |character: char| matches!(character, ' '..='~' | '\u{a0}'..) && is_printable(character);
    !is_indicator
        && text.chars().all(is_inner)
        && !text.starts_with("...")
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && !looks_like_number(text)
        && plain(text) == Scalar::Text(text.to_owned())
}

/// Numbers, dates, times and hashes in any reader's eyes: YAML 1.1 counts in base 60 too.
fn looks_like_number(text: &str) -> bool {
    let is_numeric = |byte: u8| byte.is_ascii_hexdigit() || b"xXoO_.:+-tTzZ ".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_digit() || ".+".contains(first))
        && text.bytes().all(is_numeric)
}

/// Whether a literal block holds the text exactly: several lines, nothing that needs escapes, and
/// nothing that makes readers guess the indentation wrong.
fn is_safe_literal(text: &str) -> bool {
    let content = text.trim_end_matches('\n');
    content.contains('\n')
        && !content.starts_with([' ', '\t', '\n'])
        && text
            .chars()
            .all(|character| character != '\r' && is_printable(character))
        && text
            .lines()
            .all(|line| line.is_empty() || !line.trim().is_empty())
}

fn literal(text: &str, indent: usize, out: &mut String) {
    let content = text.trim_end_matches('\n');
    let newlines = text.len() - content.len();
    out.push_str(match newlines {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in content.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indentation(indent.max(1), out);
            out.push_str(line);
        }
    }
    out.extend(std::iter::repeat_n('\n', newlines.saturating_sub(1)));
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            character if is_printable(character) => out.push(character),
            character => {
                let code = u32::from(character);
                let escaped = if code > 0xffff {
                    write!(out, "\\U{code:08X}")
                } else {
                    write!(out, "\\u{code:04X}")
                };
                escaped.expect("writing to a string cannot fail");
            }
        }
    }
    out.push('"');
}
