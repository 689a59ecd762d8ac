//! Lines that are at most as wide as people can read.

use std::fmt::Write as _;

/// Broken between words, the lines after the first indented.
pub fn wrapped(line: &str, width: usize) -> String {
    const INDENT: &str = "  ";
    let mut out = String::new();
    let mut column = 0;
    for word in line.split_whitespace() {
        let length = word.chars().count();
        if 0 < column && width < column + 1 + length {
            let _ = write!(out, "\n{INDENT}{word}");
            column = INDENT.len() + length;
        } else {
            let gap = if column == 0 { "" } else { " " };
            let _ = write!(out, "{gap}{word}");
            column += gap.len() + length;
        }
    }
    out + "\n"
}
