//! Cuts a stream into documents where `kubectl` cuts it: at lines that begin with `---`.

use crate::yaml::{Mark, YamlError};

/// The text of one document, without its `---` line.
#[derive(Debug, PartialEq)]
pub struct Document<'t> {
    pub text: &'t str,
    /// Lines of the stream before this document.
    pub lines_before: usize,
}

pub fn documents(stream: &str) -> Result<Vec<Document<'_>>, YamlError> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let mut documents = Vec::new();
    let (mut start, mut lines_before, mut position) = (0, 0, 0);
    for (index, line) in stream.split_inclusive('\n').enumerate() {
        if let Some(rest) = line.strip_prefix("---") {
            check_separator(rest, index + 1)?;
            documents.push(Document {
                text: &stream[start..position],
                lines_before,
            });
            start = position + line.len();
            lines_before = index + 1;
        }
        position += line.len();
    }
    documents.push(Document {
        text: &stream[start..],
        lines_before,
    });
    for document in &documents {
        check_characters(document)?;
    }
    Ok(documents)
}

fn check_separator(rest: &str, line: usize) -> Result<(), YamlError> {
    let rest = rest.trim();
    if rest.is_empty() || rest.starts_with('#') {
        return Ok(());
    }
    let message = format!("`{}` stands on the line of a `---`", shortened(rest));
    Err(YamlError::new(Mark { line, column: 4 }, message)
        .hint("put it on a line of its own: a line that begins with `---` separates documents"))
}

/// YAML's printable characters; and no line breaks that only YAML 1.1 knows: what they do to a
/// string depends on who reads it.
fn check_characters(document: &Document<'_>) -> Result<(), YamlError> {
    let text = document.text;
    if text.bytes().all(is_plain_byte) {
        return Ok(());
    }
    let wrong = |(at, character): &(usize, char)| {
        let is_byte_order_mark = *at == 0 && *character == '\u{feff}';
        !is_byte_order_mark && !is_printable(*character)
    };
    let Some((at, character)) = text.char_indices().find(wrong) else {
        return Ok(());
    };
    let message = format!(
        "the character U+{:04X} is not allowed",
        u32::from(character)
    );
    Err(YamlError::new(document.mark_at(at), message).hint(format!(
        "write it inside double quotes as `\\u{:04X}`",
        u32::from(character)
    )))
}

fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)
}

/// Whether a character may stand in YAML as itself, for YAML 1.1 and 1.2 alike.
pub fn is_printable(character: char) -> bool {
    match character {
        '\u{feff}' | '\u{2028}' | '\u{2029}' => false,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => true,
        _ => false,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(20).collect()
}

impl Document<'_> {
    /// The place of a byte of this document in the stream.
    pub fn mark_at(&self, byte: usize) -> Mark {
        let before = &self.text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Mark {
            line: self.lines_before + 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
        }
    }
}
