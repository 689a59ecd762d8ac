//! Tables for people: no lines, no colour, as kubectl prints them.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with a heading and nothing else; columns keep their width, also in a narrow terminal
/// and in a CI log, so that a line can be searched for.
pub fn plain(heading: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(heading);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// `succeededWithExceptions` → `succeeded with exceptions`.
pub fn words(camel: &str) -> String {
    let mut words = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_uppercase() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
