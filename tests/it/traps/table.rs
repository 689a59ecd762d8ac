//! The table of traps tells the truth: each has a row, and every test that it names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What a row calls a test: a name in backticks, after the way to it.
fn tests_named(cell: &str) -> Vec<&str> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted
        .map(|path| path.rsplit("::").next().unwrap_or(path))
        .collect()
}

/// Number of the trap, what it is, what shows that it is none here.
fn rows() -> BTreeMap<u32, (String, String)> {
    let text = read("docs/traps.md");
    let lines = text.lines().filter(|line| line.starts_with("| T"));
    let rows: Vec<(u32, (String, String))> = lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [number, what, shown] = cells[..] else {
                panic!("a row has three cells: {line}")
            };
            let number = number[1..].parse().expect("a trap has a number");
            (number, (what.to_owned(), shown.to_owned()))
        })
        .collect();
    let count = rows.len();
    let by_number: BTreeMap<u32, (String, String)> = rows.into_iter().collect();
    assert_eq!(by_number.len(), count, "each trap has one row");
    by_number
}

#[test]
fn every_trap_has_a_row() {
    let rows = rows();
    let numbers: Vec<u32> = rows.keys().copied().collect();
    assert_eq!(numbers, (1..=31).collect::<Vec<u32>>());
    for (number, (what, shown)) in rows {
        let says_why_not = ["None: ", "Not yet: "]
            .iter()
            .any(|word| shown.starts_with(word));
        assert!(!what.is_empty(), "T{number} says what it is");
        assert!(
            says_why_not != tests_named(&shown).iter().any(|name| name.contains('_')),
            "T{number} names a test, or says why there is none: {shown}"
        );
    }
}

#[test]
fn every_test_that_a_row_names_is_there_and_every_test_of_a_trap_has_its_row() {
    let known = tests_in(&["src", "tests/it"]);
    let rows = rows();
    for (number, (_, shown)) in &rows {
        for name in tests_named(shown)
            .into_iter()
            .filter(|name| name.contains('_'))
        {
            assert!(known.contains(name), "T{number}: there is no test `{name}`");
        }
    }
    for name in tests_in(&["tests/it/traps"]) {
        let number = name.get(1..3).and_then(|digits| digits.parse::<u32>().ok());
        if let Some(number) = number {
            let (_, shown) = &rows[&number];
            assert!(
                tests_named(shown).contains(&name.as_str()),
                "T{number} does not name `{name}`"
            );
        }
    }
}

/// The names of all test functions below these folders.
fn tests_in(folders: &[&str]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in folders
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
    {
        let text = fs::read_to_string(path).expect("source files are UTF-8");
        for after in text.split("#[test]").skip(1) {
            let name = after
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("folders of the source can be read");
    let paths = entries.map(|entry| entry.expect("folders of the source can be read").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false if path.extension().is_some_and(|end| end == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect("the page is there")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
