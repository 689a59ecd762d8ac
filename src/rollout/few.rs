//! Many names in few words, and a long one in a short: what a record or a line says must not grow with the fleet.

/// As many names as a reason gives that is kept in a record.
pub(super) const NAMED: usize = 10;

/// A commit by the digits that people recognise.
pub fn short_commit(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

/// The first of many, and how many more there are.
pub fn few_of(things: &[impl AsRef<str>], few: usize) -> String {
    let named: Vec<&str> = things.iter().take(few).map(AsRef::as_ref).collect();
    match things.len() - named.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
