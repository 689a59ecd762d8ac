//! Makes the tree of one document from the parser's events: anchors, aliases, merge keys, limits.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::yaml::budget::Budget;
use crate::yaml::scalar::{CORE, Scalar};
use crate::yaml::split::Document;
use crate::yaml::strict::{Source, is_strange_in_flow};
use crate::yaml::{Content, Entry, MAX_DEPTH, Mark, Node, YamlError, explain, key, scalar};

/// What to do with a key that a mapping has twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeated {
    /// An error: one of them is a mistake.
    Refused,
    /// The last one counts, as for kubectl.
    LastWins,
}

/// The node of a document; `None` if it is empty or null.
pub fn document(document: &Document<'_>, repeated: Repeated) -> Result<Option<Node>, YamlError> {
    let mut composer = Composer {
        document,
        repeated,
        parser: Parser::new_from_str(document.text),
        anchors: BTreeMap::new(),
        budget: Budget::new(),
        source: Source::new(document.text),
        brackets: Vec::new(),
    };
    let mut root = None;
    loop {
        let (event, span) = composer.next()?;
        match event {
            Event::StreamEnd => return Ok(root.filter(|node: &Node| !node.is_null())),
            Event::DocumentStart(_) if root.is_some() => {
                return Err(composer.second_document(span));
            }
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => root = Some(composer.node(event, span, 0)?),
        }
    }
}

struct Composer<'t> {
    document: &'t Document<'t>,
    repeated: Repeated,
    parser: Parser<'t, StrInput<'t>>,
    /// By the parser's number; an anchor whose node is not complete yet is missing.
    anchors: BTreeMap<usize, Node>,
    budget: Budget,
    source: Source<'t>,
    /// Where the brackets begin that are open.
    brackets: Vec<Mark>,
}

/// A mapping in the making.
#[derive(Default)]
struct Growing {
    entries: Vec<Entry>,
    /// Key → place in `entries`, and whether the key was written here rather than merged in.
    places: BTreeMap<String, (usize, bool)>,
}

impl<'t> Composer<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let open = self.brackets.last().copied();
                Err(explain::syntax(self.document, &error, open))
            }
            None => Err(YamlError::new(
                self.document.mark_at(self.document.text.len()),
                "the document ends too early",
            )),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let mark = self.mark(span.start);
        self.check_anchor(&event, span)?;
        if depth > MAX_DEPTH {
            let message = format!("the document is nested deeper than {MAX_DEPTH} levels");
            return Err(YamlError::new(mark, message));
        }
        let (anchor, content) = match event {
            Event::Alias(anchor) => return self.alias(anchor, mark),
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = self.scalar(&text, style, tag.as_deref(), mark)?;
                (anchor, Content::Scalar(json(&scalar, &text, mark)?))
            }
            Event::SequenceStart(anchor, _) => {
                (anchor, self.collection(span, depth, Self::sequence)?)
            }
            Event::MappingStart(anchor, _) => {
                (anchor, self.collection(span, depth, Self::mapping)?)
            }
            _ => return Err(YamlError::new(mark, "a value is missing")),
        };
        let node = Node { mark, content };
        if anchor > 0 {
            let copy = self.copy(&node, mark)?;
            self.anchors.insert(anchor, copy);
        }
        Ok(node)
    }

    /// The inside of a collection, in brackets or not.
    fn collection(
        &mut self,
        start: Span,
        depth: usize,
        inside: impl Fn(&mut Self, usize) -> Result<Content, YamlError>,
    ) -> Result<Content, YamlError> {
        if !self.source.is_flow(start) {
            return inside(self, depth);
        }
        self.brackets.push(self.mark(start.start));
        let content = inside(self, depth)?;
        self.brackets.pop();
        Ok(content)
    }

    fn sequence(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::Sequence(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Content, YamlError> {
        let mut mapping = Growing::default();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Content::Mapping(mapping.entries));
            }
            let mark = self.mark(span.start);
            if is_merge(&event) {
                let (event, span) = self.next()?;
                let merged = self.node(event, span, depth + 1)?;
                mapping.merge(merged)?;
                continue;
            }
            self.check_anchor(&event, span)?;
            self.check_key(&event, span)?;
            let key = self.key(event, mark)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            mapping.add(Entry { key, mark, value }, self.repeated)?;
        }
    }

    fn key(&mut self, event: Event<'t>, mark: Mark) -> Result<String, YamlError> {
        let scalar = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = self.scalar(&text, style, tag.as_deref(), mark)?;
                if anchor > 0 {
                    let content = Content::Scalar(json(&scalar, &text, mark)?);
                    self.anchors.insert(anchor, Node { mark, content });
                }
                scalar
            }
            Event::Alias(anchor) => match self.alias(anchor, mark)?.content {
                Content::Scalar(value) => scalar::of_json(value),
                Content::Sequence(_) | Content::Mapping(_) => return Err(no_key(mark)),
            },
            _ => return Err(no_key(mark)),
        };
        key::text(&scalar).map_err(|message| {
            YamlError::new(mark, message).hint("put the key in quotes if it is meant as text")
        })
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        mark: Mark,
    ) -> Result<Scalar, YamlError> {
        let is_plain = style == ScalarStyle::Plain;
        match tag {
            _ if is_plain && !self.brackets.is_empty() && is_strange_in_flow(text) => {
                Err(differs(mark, "this text inside brackets"))
            }
            Some(tag) => {
                let tag = format!("{}{}", tag.handle, tag.suffix);
                scalar::tagged(&tag, text).map_err(|message| YamlError::new(mark, message))
            }
            None if is_plain => Ok(scalar::plain(text)),
            None => Ok(Scalar::Text(text.to_owned())),
        }
    }

    fn check_anchor(&mut self, event: &Event<'t>, span: Span) -> Result<(), YamlError> {
        let has_name = match event {
            Event::Alias(_) => true,
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _) => *anchor > 0,
            _ => false,
        };
        if has_name && self.source.is_strange_anchor(span.start) {
            return Err(differs(self.mark(span.start), "the name of this anchor"));
        }
        Ok(())
    }

    fn check_key(&mut self, event: &Event<'t>, span: Span) -> Result<(), YamlError> {
        let is_plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, _, _));
        if is_plain && !self.brackets.is_empty() && self.source.is_strange_key(span.end) {
            let error = YamlError::new(self.mark(span.end), "a space is missing after the `:`");
            return Err(error.hint("write `key: value`, or put the key in quotes"));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, mark: Mark) -> Result<Node, YamlError> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(YamlError::new(mark, "an alias refers to the node it is in"));
        };
        match self.budget.copy(node) {
            Some(node) => Ok(Node { mark, ..node }),
            None => Err(too_much(mark)),
        }
    }

    fn copy(&mut self, node: &Node, mark: Mark) -> Result<Node, YamlError> {
        self.budget.copy(node).ok_or_else(|| too_much(mark))
    }

    fn second_document(&self, span: Span) -> YamlError {
        YamlError::new(
            self.mark(span.start),
            "a document follows without a line `---`",
        )
        .hint("kubectl would ignore it; separate documents with a line `---`")
    }

    fn mark(&self, marker: Marker) -> Mark {
        explain::mark(self.document, &marker)
    }
}

impl Growing {
    fn add(&mut self, entry: Entry, repeated: Repeated) -> Result<(), YamlError> {
        let place = (self.entries.len(), true);
        match self.places.insert(entry.key.clone(), place) {
            None => self.entries.push(entry),
            Some((index, true)) if repeated == Repeated::Refused => {
                return Err(twice(&self.entries[index], &entry));
            }
            Some((index, _)) => {
                self.places.insert(entry.key.clone(), (index, true));
                self.entries[index] = entry;
            }
        }
        Ok(())
    }

    /// Merges a mapping, or a sequence of mappings of which earlier ones win, over what is here
    /// already: go-yaml lets a merge win over keys that stand before it.
    fn merge(&mut self, node: Node) -> Result<(), YamlError> {
        let mark = node.mark;
        match node.content {
            Content::Mapping(entries) => self.overlay(entries),
            Content::Sequence(items) => {
                for item in items.into_iter().rev() {
                    let Content::Mapping(entries) = item.content else {
                        return Err(no_merge(item.mark));
                    };
                    self.overlay(entries);
                }
            }
            Content::Scalar(_) => return Err(no_merge(mark)),
        }
        Ok(())
    }

    fn overlay(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if let Some((index, _)) = self.places.get(&entry.key) {
                self.entries[*index].value = entry.value;
            } else {
                let place = (self.entries.len(), false);
                self.places.insert(entry.key.clone(), place);
                self.entries.push(entry);
            }
        }
    }
}

fn json(scalar: &Scalar, text: &str, mark: Mark) -> Result<serde_json::Value, YamlError> {
    scalar.to_json().ok_or_else(|| {
        YamlError::new(
            mark,
            format!("`{text}` is a number that JSON does not have"),
        )
        .hint("put it in quotes if it is meant as text")
    })
}

fn is_merge(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(text, style, _, None) => text == "<<" && *style == ScalarStyle::Plain,
        Event::Scalar(text, _, _, Some(tag)) => {
            text == "<<" && tag.handle == CORE && tag.suffix == "merge"
        }
        _ => false,
    }
}

fn twice(first: &Entry, second: &Entry) -> YamlError {
    let message = format!(
        "the key `{}` is given twice, first on line {}",
        second.key, first.mark.line
    );
    YamlError::new(second.mark, message)
        .hint("kubectl would silently take the last one; remove one of them")
}

fn differs(mark: Mark, what: &str) -> YamlError {
    YamlError::new(mark, format!("readers of YAML disagree about {what}"))
        .hint("put it in quotes, or spell it with letters and digits only")
}

fn no_key(mark: Mark) -> YamlError {
    YamlError::new(mark, "a key is not a scalar")
        .hint("put text that begins with `{` or `[` in quotes")
}

fn no_merge(mark: Mark) -> YamlError {
    YamlError::new(mark, "`<<` needs a mapping or a list of mappings")
}

fn too_much(mark: Mark) -> YamlError {
    YamlError::new(mark, "aliases copy too much")
}
