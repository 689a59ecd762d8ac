//! The parser's complaints in our words, with advice.

use saphyr_parser::{Marker, ScanError};

use crate::yaml::split::Document;
use crate::yaml::{Mark, YamlError};

/// A place of the parser (within a document) as a place in the stream.
pub fn mark(document: &Document<'_>, marker: &Marker) -> Mark {
    Mark {
        line: document.lines_before + marker.line(),
        column: marker.col() + 1,
    }
}

/// A syntax error.
pub fn syntax(document: &Document<'_>, error: &ScanError) -> YamlError {
    let mark = mark(document, error.marker());
    let line = document
        .text
        .lines()
        .nth(error.marker().line().saturating_sub(1))
        .unwrap_or_default();
    let (message, hint) = words(error.info(), line);
    YamlError {
        message,
        mark,
        hint,
    }
}

fn words(info: &str, line: &str) -> (String, Option<String>) {
    let starts_with_tab = line
        .chars()
        .take_while(|character| character.is_whitespace())
        .any(|character| character == '\t');
    let (message, hint) = if starts_with_tab {
        ("a tab is used for indentation", "indent with spaces")
    } else if info.contains("unknown anchor") {
        (
            "an alias has no anchor before it",
            "put text that begins with `*` in quotes",
        )
    } else if info.contains("mapping values are not allowed") {
        (
            "a `:` stands where no key is possible",
            "put text that contains `: ` in quotes, and check the indentation",
        )
    } else if info.contains("unexpected character") {
        (
            "a text begins with a character that YAML reserves",
            "put it in quotes",
        )
    } else if info.contains("unknown escape") {
        (
            "double quotes hold an escape that YAML does not know",
            "write `\\\\` for a backslash, or use single quotes",
        )
    } else if info.contains("unexpected end of stream") {
        ("a quote is not closed", "add the missing quote")
    } else if info.contains("expected ',' or") {
        (
            "a `[` or `{` is not closed, or a comma is missing",
            "close it, or put a comma between the elements",
        )
    } else if info.contains("simple key expect") {
        (
            "a key lacks its value",
            "write `key: value`, with a space after the colon, and check the indentation",
        )
    } else if info.contains("did not find expected key") {
        (
            "the indentation fits no mapping above",
            "align keys of one mapping",
        )
    } else if info.contains("recursion limit") {
        ("brackets are nested too deep", "nest less")
    } else {
        return (info.to_owned(), None);
    };
    (message.to_owned(), Some(hint.to_owned()))
}
