//! One field's change as lines for people.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::diff::FieldChange;

/// Longer values are cut: JSON has them whole.
const LONGEST: usize = 200;
/// Of a text of many lines, this many changed lines and their neighbours are shown.
const MOST_LINES: usize = 40;

/// The change of a field, within `width` columns where that is possible.
pub fn lines(field: &FieldChange, width: usize) -> Vec<String> {
    match (&field.before, &field.after) {
        (Some(Value::String(before)), Some(Value::String(after)))
            if before.contains('\n') || after.contains('\n') =>
        {
            text_lines(&field.path, before, after)
        }
        (Some(before), Some(after)) => {
            let (before, after) = sides(&field.path, before, after);
            fitted(&field.path, &before, &after, width)
        }
        (before, after) => {
            let before = before.as_ref().map_or_else(nothing, shown);
            let after = after.as_ref().map_or_else(nothing, shown);
            fitted(&field.path, &before, &after, width)
        }
    }
}

fn fitted(path: &str, before: &str, after: &str, width: usize) -> Vec<String> {
    let one = format!("{path}: {before} → {after}");
    if one.chars().count() <= width {
        return vec![one];
    }
    vec![
        path.to_owned(),
        format!("    {before}"),
        format!("  → {after}"),
    ]
}

fn nothing() -> String {
    "(none)".to_owned()
}

/// Of images from one registry path, only what differs: `web:1 → web:2`.
fn sides(path: &str, before: &Value, after: &Value) -> (String, String) {
    let images = path.strip_suffix(".image").and_then(|_| {
        let (before_registry, before) = before.as_str()?.rsplit_once('/')?;
        let (after_registry, after) = after.as_str()?.rsplit_once('/')?;
        (before_registry == after_registry).then(|| (before.to_owned(), after.to_owned()))
    });
    images.unwrap_or_else(|| (shown(before), shown(after)))
}

/// Texts bare if they are plain words, everything else as JSON.
fn shown(value: &Value) -> String {
    let is_plain = |text: &&str| {
        let is_word = |character: char| !character.is_control() && !character.is_whitespace();
        let reads_as_text = serde_json::from_str::<Value>(text).is_err();
        !text.is_empty() && reads_as_text && (text.chars().all(is_word) || text.starts_with('('))
    };
    let whole = match value.as_str().filter(is_plain) {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let mut shown: String = whole.chars().take(LONGEST).collect();
    if shown.len() < whole.len() {
        shown.push('…');
    }
    shown
}

fn text_lines(path: &str, before: &str, after: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = vec![format!("{path}:")];
    let mut left_out = 0;
    for hunk in diff.grouped_ops(1) {
        for change in hunk.iter().flat_map(|op| diff.iter_changes(op)) {
            if lines.len() > MOST_LINES {
                left_out += 1;
                continue;
            }
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("  {sign} {}", printable(change.value())));
        }
    }
    if left_out > 0 {
        lines.push(format!("    … {left_out} more lines"));
    }
    lines
}

/// One line of a text, without its end and without what a terminal would obey.
fn printable(line: &str) -> String {
    let line = line.trim_end_matches(['\n', '\r']);
    let safe = |character: char| {
        if character.is_control() {
            '\u{fffd}'
        } else {
            character
        }
    };
    let mut shown: String = line.chars().take(LONGEST).map(safe).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}
