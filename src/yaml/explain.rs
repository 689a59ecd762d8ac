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

/// A syntax error; `open` is where the innermost bracket begins that is open.
pub fn syntax(document: &Document<'_>, error: &ScanError, open: Option<Mark>) -> YamlError {
    let mark = mark(document, error.marker());
    let line = document
        .text
        .lines()
        .nth(error.marker().line().saturating_sub(1))
        .unwrap_or_default();
    let (message, hint) = words(error.info(), line);
    let mut hint = match (hint, open) {
        (Some(hint), Some(open)) => Some(format!("{hint}; the bracket of {open} is still open")),
        (hint, _) => hint,
    };
    if error.info().contains("mapping values") {
        hint = without_space(document, error.marker().line()).or(hint);
    }
    YamlError {
        message,
        mark,
        hint,
    }
}

/// `a:b` alone on the line before looks like a key to people, and is a text to YAML.
fn without_space(document: &Document<'_>, line: usize) -> Option<String> {
    let before = document.text.lines().nth(line.checked_sub(2)?)?;
    let (key, value) = before.trim().trim_start_matches("- ").split_once(':')?;
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_glued = !value.is_empty() && !value.starts_with([' ', '/']);
    (is_key && is_glued)
        .then(|| format!("put a space after the colon of `{key}:` on the line before"))
}

fn words(info: &str, line: &str) -> (String, Option<String>) {
    let mut leading = line
        .chars()
        .take_while(|character| character.is_whitespace());
    if leading.any(|character| character == '\t') {
        let message = "a tab is used for indentation".to_owned();
        return (message, Some("indent with spaces".to_owned()));
    }
    match COMPLAINTS.iter().find(|(part, _, _)| info.contains(part)) {
        Some((_, message, hint)) => ((*message).to_owned(), Some((*hint).to_owned())),
        None => (info.to_owned(), None),
    }
}

/// A part of what the parser says, what it means, and what to do. The first one that fits counts.
const COMPLAINTS: &[(&str, &str, &str)] = &[
    (
        "unknown anchor",
        "an alias has no anchor before it in its document",
        "put text that begins with `*` in quotes",
    ),
    (
        "mapping values are not allowed",
        "a `:` stands where no key is possible",
        "put text that contains `: ` in quotes, and check the indentation",
    ),
    (
        "unexpected character",
        "a text begins with a character that YAML reserves",
        "put it in quotes",
    ),
    (
        "unknown escape",
        "double quotes hold an escape that YAML does not know",
        "write `\\\\` for a backslash, or use single quotes",
    ),
    (
        "unexpected end of stream",
        "a quote is not closed",
        "add the missing quote",
    ),
    (
        "found unexpected document indicator",
        "a quote is not closed before the document ends",
        "add the missing quote",
    ),
    (
        "invalid indentation in quoted scalar",
        "a quote is not closed, or what it holds is indented too little",
        "add the missing quote, or indent the lines further than their key",
    ),
    (
        "invalid trailing content after",
        "text follows a closing quote",
        "put the whole value in quotes; inside double quotes write `\\\"`, inside single ones `''`",
    ),
    (
        "expected ',' or",
        "a `[` or `{` is not closed, or a comma is missing",
        "close it, or put a comma between the elements",
    ),
    (
        "illegal placement of ':'",
        "a `:` stands where no key is possible",
        "close the `[` or `{` before it, or put the text in quotes",
    ),
    (
        "misplaced bracket",
        "a bracket is closed that was not opened",
        "remove it, or put the text in quotes",
    ),
    (
        "invalid indentation",
        "a line is indented too little for where it stands",
        "indent what stands in brackets, and lines that go on, further than their key",
    ),
    (
        "recursion limit",
        "brackets are nested too deep",
        "nest less",
    ),
    (
        "comments must be separated",
        "a `#` stands right behind other text",
        "put a space before a comment, or the text in quotes",
    ),
    (
        "comment intercepting",
        "a comment interrupts a text of several lines",
        "move the comment, and check that every key has its `: `",
    ),
    (
        "cannot start with '-'",
        "a `-` stands alone in brackets",
        "put it in quotes",
    ),
    (
        "block sequence entries are not allowed",
        "a list begins where none is possible",
        "put it on a line of its own",
    ),
    (
        "simple key expect",
        "a key lacks its value",
        "write `key: value`, with a space after the colon, and check the indentation",
    ),
    (
        "expected key",
        "the indentation fits no mapping above",
        "align the keys of one mapping",
    ),
    (
        "expected '-' indicator",
        "the indentation fits no list above",
        "align the dashes of one list",
    ),
    (
        "expected <document start>",
        "text follows after the end of the document's value",
        "check the indentation of this line and of the one before it",
    ),
];
