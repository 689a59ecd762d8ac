//! The only door for YAML, in and out.
//!
//! Reads as `kubectl` reads (the rules of go-yaml v2, that is YAML 1.1: `on` is true, `0644` is 420), so that
//! what we compare and digest is what the API server gets. Stricter in what nobody wants:
//! duplicate keys, documents deeper than [`MAX_DEPTH`], and alias bombs are errors.
//! Writes so that `kubectl` reads back the same values. `docs/decisions/0001-yaml.md` has the why.

mod budget;
mod compose;
mod explain;
mod key;
mod node;
mod scalar;
mod split;
mod strict;
mod write;

use std::borrow::Cow;
use std::fmt;

use compose::Repeated;
pub use node::{Content, Entry, Mark, Node};
pub use write::write;

/// Deeper nesting than this is a mistake or an attack; Kubernetes' deepest schemas need about 20.
pub const MAX_DEPTH: usize = 128;

/// Why a text is not YAML that we read: in plain words, with a place and, where we can, advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    pub message: String,
    pub mark: Mark,
    pub hint: Option<String>,
}

/// Reads all documents of a text; empty and null documents are dropped.
pub fn read(text: &str) -> Result<Vec<Node>, YamlError> {
    documents(text, Repeated::Refused)
}

/// Reads what was found somewhere, not what somebody means: of a key that is there twice the
/// last one counts, as for kubectl.
pub fn read_as_found(text: &str) -> Result<Vec<Node>, YamlError> {
    documents(text, Repeated::LastWins)
}

fn documents(text: &str, repeated: Repeated) -> Result<Vec<Node>, YamlError> {
    let mut nodes = Vec::new();
    let text = with_plain_line_ends(text);
    for document in split::documents(&text)? {
        nodes.extend(compose::document(&document, repeated)?);
    }
    Ok(nodes)
}

/// kubectl takes lines apart before it reads YAML: CRLF becomes LF, and the last line ends too,
/// which decides how a block scalar ends.
fn with_plain_line_ends(text: &str) -> Cow<'_, str> {
    let is_plain = text.ends_with('\n') && !text.contains("\r\n");
    if is_plain {
        return Cow::Borrowed(text);
    }
    let mut text = text.replace("\r\n", "\n");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Cow::Owned(text)
}

impl YamlError {
    fn new(mark: Mark, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            mark,
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `line 3, column 7: …`; the hint is for whoever shows the error.
impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mark, self.message)
    }
}

impl std::error::Error for YamlError {}

#[cfg(test)]
mod tests;
