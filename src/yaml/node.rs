//! A YAML document as a tree that knows where each part was written.

use std::fmt;

use serde_json::{Map, Value};

/// A place in a text: line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub line: usize,
    pub column: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub mark: Mark,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Null, Bool, Number or String.
    Scalar(Value),
    Sequence(Vec<Node>),
    /// In the order of the text; keys are unique.
    Mapping(Vec<Entry>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    /// Where the key is.
    pub mark: Mark,
    pub value: Node,
}

impl Node {
    /// The tree without places.
    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::Sequence(items) => items.iter().map(Self::to_value).collect(),
            Content::Mapping(entries) => {
                let pairs = entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_value()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    pub fn is_null(&self) -> bool {
        self.content == Content::Scalar(Value::Null)
    }

    /// The entry of a key, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            Content::Scalar(_) | Content::Sequence(_) => None,
        }
    }

    /// The node at a JSON pointer (RFC 6901): `/spec/containers/0/image`; `""` is the node itself.
    pub fn at(&self, json_pointer: &str) -> Option<&Self> {
        steps(json_pointer)?.try_fold(self, |node, step| node.child(&step))
    }

    /// Where the last key of a JSON pointer is written: what "unknown field" messages point at.
    /// For an element of a sequence, where the element begins.
    pub fn key_mark(&self, json_pointer: &str) -> Option<Mark> {
        let (parent, last) = json_pointer.rsplit_once('/')?;
        let parent = self.at(parent)?;
        match parent.entry(&unescaped(last)) {
            Some(entry) => Some(entry.mark),
            None => parent.child(last).map(|node| node.mark),
        }
    }

    fn child(&self, step: &str) -> Option<&Self> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::Sequence(items) => items.get(step.parse::<usize>().ok()?),
            Content::Mapping(_) => self.entry(step).map(|entry| &entry.value),
        }
    }
}

fn steps(json_pointer: &str) -> Option<impl Iterator<Item = String>> {
    let is_valid = json_pointer.is_empty() || json_pointer.starts_with('/');
    is_valid.then(|| json_pointer.split('/').skip(1).map(unescaped))
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}
