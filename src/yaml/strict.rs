//! Where the parser (YAML 1.2) and kubectl's (YAML 1.1) take the same text differently, we take neither.
//!
//! What differs was found by comparing them on some hundred thousand mutated texts.

use saphyr_parser::{Marker, Span};

/// The text behind the events, read along with them.
pub struct Source<'t> {
    text: &'t str,
    character: usize,
    byte: usize,
}

impl<'t> Source<'t> {
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            character: 0,
            byte: 0,
        }
    }

    /// Whether a collection is written in brackets: then the event that begins it ends with the bracket. What begins a
    /// list that is not indented may stand before the bracket of its first element.
    pub fn is_flow(&mut self, start: Span) -> bool {
        let from = self.byte_at(start.start);
        let to = self.byte_at(start.end);
        self.text[from..to].ends_with(['[', '{'])
    }

    /// kubectl takes letters, digits, `-` and `_` in the name of an anchor, the parser nearly
    /// anything. `start` is where the node or the alias begins.
    pub fn is_strange_anchor(&mut self, start: Marker) -> bool {
        let rest = self.rest(start);
        let Some(name) = rest.strip_prefix(['&', '*']) else {
            // A tag stands before the anchor: nobody writes that.
            return true;
        };
        let mut name = name.chars().take_while(|&character| !ends_word(character));
        name.any(|character| !character.is_ascii_alphanumeric() && !"-_".contains(character))
    }

    /// In `{a:}` kubectl sees a key `a:`, the parser a key `a`. `end` is where the key ends.
    pub fn is_strange_key(&mut self, end: Marker) -> bool {
        let behind = self
            .rest(end)
            .trim_start_matches([' ', '\t'])
            .strip_prefix(':');
        behind.is_some_and(|behind| behind.starts_with([',', '[', ']', '{', '}']))
    }

    fn rest(&mut self, marker: Marker) -> &'t str {
        let byte = self.byte_at(marker);
        &self.text[byte..]
    }

    /// Markers count characters. They come nearly in order, so that walking costs little.
    fn byte_at(&mut self, marker: Marker) -> usize {
        while self.character < marker.index() {
            let Some(next) = self.text[self.byte..].chars().next() else {
                break;
            };
            self.byte += next.len_utf8();
            self.character += 1;
        }
        while self.character > marker.index() {
            let last = self.text[..self.byte].chars().next_back();
            self.byte -= last.map_or(0, char::len_utf8);
            self.character -= 1;
        }
        self.byte
    }
}

/// Where the name of an anchor or a tag ends.
fn ends_word(character: char) -> bool {
    character.is_whitespace() || ",[]{}".contains(character)
}

/// Inside brackets, kubectl ends a plain scalar at `?`, and begins none with these characters.
pub fn is_strange_in_flow(plain: &str) -> bool {
    plain.contains('?') || plain.starts_with([':', '|', '>', '%'])
}
