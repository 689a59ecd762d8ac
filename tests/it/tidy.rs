//! House rules that the compiler cannot check. A failure names the file, the line, the rule, and what is allowed.

use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms each room may mention, from the ground up. `error` is everybody's.
const FLOORS: [(&str, &[&str]); 21] = [
    ("yaml", &[]),
    ("manifest", &[]),
    ("fields", &[]),
    ("fleet", FLOOR_0),
    ("render", FLOORS_0_TO_1),
    ("policy", FLOORS_0_TO_1),
    ("health", FLOORS_0_TO_1),
    ("record", FLOORS_0_TO_1),
    ("diff", FLOORS_0_TO_1),
    ("apply", FLOORS_0_TO_2),
    ("rollout", FLOORS_0_TO_2),
    ("repo", FLOORS_0_TO_2),
    ("cluster", FLOORS_0_TO_2),
    ("secret", FLOORS_0_TO_2),
    ("probe", FLOORS_0_TO_2),
    ("sim", &["fields"]),
    ("engine", FLOORS_0_TO_3_AND_OUTSIDE),
    ("report", FLOORS_0_TO_3),
    ("gitlab", &[]),
    ("chat", CHAT),
    ("cli", EVERYTHING),
];

const FLOOR_0: &[&str] = &["yaml", "manifest", "fields"];
const FLOORS_0_TO_1: &[&str] = &["yaml", "manifest", "fields", "fleet"];
const FLOORS_0_TO_2: &[&str] = &[
    "yaml", "manifest", "fields", "fleet", "render", "policy", "health", "record", "diff",
];
const FLOORS_0_TO_3: &[&str] = &[
    "yaml", "manifest", "fields", "fleet", "render", "policy", "health", "record", "diff", "apply",
    "rollout",
];
const FLOORS_0_TO_3_AND_OUTSIDE: &[&str] = &[
    "yaml", "manifest", "fields", "fleet", "render", "policy", "health", "record", "diff", "apply",
    "rollout", "repo", "cluster", "secret", "probe", "sim",
];
/// What is said of a rollout is about its events.
const CHAT: &[&str] = &["fleet", "rollout", "gitlab"];
const EVERYTHING: &[&str] = &[
    "yaml", "manifest", "fields", "fleet", "render", "policy", "health", "record", "diff", "apply",
    "rollout", "repo", "cluster", "secret", "probe", "sim", "engine", "report", "gitlab", "chat",
];

/// Words that only the named paths may contain: each package has one owner.
const OWNERS: [(&str, &[&str]); 27] = [
    ("age::", &["secret/"]),
    ("git2::", &["repo/"]),
    ("kube::", &["cluster/", "sim/"]),
    ("k8s_openapi::", &["cluster/", "sim/"]),
    ("tower::", &["cluster/", "probe/", "sim/"]),
    ("saphyr_parser::", &["yaml/"]),
    ("serde_saphyr::", &["yaml/"]),
    ("minijinja::", &["render/"]),
    (
        "rayon::",
        &["apply/", "render/", "fleet/", "sim/", "engine/", "cli/"],
    ),
    ("jsonwebtoken::", &["chat/"]),
    ("quick_junit::", &["report/"]),
    ("reqwest::", &["gitlab/", "chat/", "probe/"]),
    ("similar::", &["diff/"]),
    ("schemars::", &["fleet/"]),
    ("jsonschema::", &["fleet/"]),
    ("comfy_table::", &["cli/"]),
    ("indicatif::", &["cli/"]),
    ("clap::", &["cli/"]),
    ("clap_complete::", &["cli/"]),
    ("clap_mangen::", &["cli/"]),
    ("prometheus_client::", &["cli/"]),
    ("tempfile::", &["cli/"]),
    ("strsim::", &["error.rs"]),
    ("println!", &["cli/ui.rs"]),
    ("print!(", &["cli/ui.rs"]),
    ("std::io::stdout", &["cli/ui.rs"]),
    ("std::io::stderr", &["cli/ui.rs"]),
];

/// The rooms of floors 0 to 3, which the world cannot make fail, and the words by which the world comes in.
const PURE: [&str; 11] = [
    "yaml", "manifest", "fields", "fleet", "render", "policy", "health", "record", "diff", "apply",
    "rollout",
];
const WORLD: [&str; 9] = [
    "async ",
    "tokio::",
    "tracing::",
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "std::thread",
    "rand::",
];

/// What would make two runs from one seed differ; the clocks of the program are the one exception. tokio's `Instant` may stay:
/// tests pause it.
const CHANCE: [&str; 6] = [
    "HashMap",
    "HashSet",
    "SystemTime::now",
    "std::time::Instant",
    "Timestamp::now",
    "Zoned::now",
];
const CLOCKS: [&str; 2] = ["engine/clock.rs", "cli/clock.rs"];

/// Ways to import that would hide from this test which room looks at which.
const HIDING: [&str; 2] = ["use crate::{", "super::super"];

const MAX_LINES: usize = 500;

#[test]
fn floors_only_look_down() {
    check_sources(|file| {
        let Some((room, allowed)) = FLOORS.iter().find(|(room, _)| file.room() == *room) else {
            return Vec::new();
        };
        FLOORS
            .iter()
            .map(|(other, _)| *other)
            .filter(|other| other != room && !allowed.contains(other))
            .flat_map(|other| file.lines_with(&format!("crate::{other}")))
            .map(|line| format!("{line}: `{room}` may only look at {allowed:?}"))
            .collect()
    });
}

#[test]
fn every_room_has_a_floor() {
    check_sources(|file| {
        let known = FLOORS.iter().any(|(room, _)| file.room() == *room);
        let ground = ["main.rs", "lib.rs", "error.rs"].contains(&file.room());
        if known || ground {
            return Vec::new();
        }
        vec![format!(
            "src/{}: `{}` is no room of the house",
            file.name,
            file.room()
        )]
    });
}

#[test]
fn every_package_has_one_owner() {
    check_sources(|file| {
        let strangers = OWNERS
            .iter()
            .filter(|(_, owners)| !owners.iter().any(|owner| file.name.starts_with(owner)));
        strangers
            .flat_map(|(word, owners)| {
                let lines = file.lines_with(word).into_iter();
                lines.map(move |line| format!("{line}: only {owners:?} may use `{word}`"))
            })
            .collect()
    });
}

#[test]
fn pure_rooms_do_not_touch_the_world() {
    check_sources(|file| {
        if !PURE.contains(&file.room()) {
            return Vec::new();
        }
        file.lines_with_any(&WORLD, "the rooms of floors 0 to 3 are pure")
    });
}

#[test]
fn nothing_is_left_to_chance() {
    check_sources(|file| {
        if CLOCKS.contains(&file.name.as_str()) {
            return Vec::new();
        }
        file.lines_with_any(&CHANCE, "a rollout must replay from a seed")
    });
}

#[test]
fn imports_show_who_looks_at_whom() {
    check_sources(|file| file.lines_with_any(&HIDING, "name the room: `use crate::room::Thing`"));
}

#[test]
fn files_are_short_and_introduce_themselves() {
    check_sources(|file| {
        let mut problems = Vec::new();
        if !file.code.starts_with("//!") {
            problems.push(format!(
                "src/{}:1: say what this file is for with `//!`",
                file.name
            ));
        }
        let length = file.code.lines().count();
        if length > MAX_LINES {
            problems.push(format!(
                "src/{}: {length} lines, split it (at most {MAX_LINES})",
                file.name
            ));
        }
        problems
    });
}

/// What is written on one machine's disk means nothing on another.
#[test]
fn nothing_names_a_folder_of_one_machine() {
    // In two halves, so that this file does not name them either.
    let folders = ["/ro|ot/", "/wo|rk/", "/tm|p/w/", "/tm|p/t/", "/ho|me/"]
        .map(|folder| folder.replace('|', ""));
    let mut problems = Vec::new();
    for path in files_of_the_project() {
        let Ok(text) = fs::read_to_string(&path) else {
            continue; // Not text.
        };
        for (index, line) in text.lines().enumerate() {
            if folders.iter().any(|folder| line.contains(folder.as_str())) {
                problems.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// One source file, its inline tests cut off.
struct SourceFile {
    /// Path below `src/`, with `/` between folders.
    name: String,
    code: String,
}

impl SourceFile {
    fn room(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// `path:line` of every line of code that has `word` in it.
    fn lines_with(&self, word: &str) -> Vec<String> {
        self.code
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//") && has_word(line, word))
            .map(|(index, _)| format!("src/{}:{}", self.name, index + 1))
            .collect()
    }

    fn lines_with_any(&self, words: &[&str], rule: &str) -> Vec<String> {
        words
            .iter()
            .flat_map(|word| {
                let lines = self.lines_with(word).into_iter();
                lines.map(move |line| format!("{line}: `{}`: {rule}", word.trim()))
            })
            .collect()
    }
}

/// Whether `line` has `word` in it, not as the end of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(index, _)| {
        let before = line[..index].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

fn check_sources(rule: impl Fn(&SourceFile) -> Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let paths: Vec<PathBuf> = walk(&root)
        .into_iter()
        .filter(|path| has_extension(path, "rs"))
        .collect();
    let tests: Vec<PathBuf> = paths
        .iter()
        .flat_map(|path| modules_of_tests(path))
        .collect();
    let is_test = |path: &Path| {
        tests
            .iter()
            .any(|test| path.starts_with(test) || path == test.with_extension("rs"))
    };
    let problems: Vec<String> = paths
        .iter()
        .filter(|path| !is_test(path))
        .flat_map(|path| rule(&read(&root, path)))
        .collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The modules that a file declares for tests alone (`#[cfg(test)] mod tests;`), as paths without extension.
fn modules_of_tests(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(path).expect("source files are UTF-8");
    let is_root = path.ends_with("mod.rs") || path.ends_with("lib.rs") || path.ends_with("main.rs");
    let folder = if is_root {
        path.parent().expect("a file lies in a folder").to_owned()
    } else {
        path.with_extension("")
    };
    let declared = text.split("#[cfg(test)]\nmod ").skip(1);
    let names = declared.filter_map(|rest| rest.lines().next()?.strip_suffix(';'));
    names.map(|name| folder.join(name)).collect()
}

fn read(root: &Path, path: &Path) -> SourceFile {
    let text = fs::read_to_string(path).expect("source files are UTF-8");
    let name = path.strip_prefix(root).expect("walked below src");
    SourceFile {
        name: name.display().to_string().replace('\\', "/"),
        code: without_tests(&text),
    }
}

/// Tests come last in a file; `#[cfg(test)] mod tests;` hides nothing after it.
fn without_tests(text: &str) -> String {
    let inline = text.find("#[cfg(test)]\nmod tests {");
    text[..inline.unwrap_or(text.len())].to_owned()
}

/// Every file that a clone of the project would have, and what is about to become one.
fn files_of_the_project() -> impl Iterator<Item = PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = std::process::Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root)
        .output()
        .expect("git is installed");
    assert!(listed.status.success(), "git ls-files: {listed:?}");
    let names = String::from_utf8(listed.stdout).expect("our file names are UTF-8");
    let paths: Vec<PathBuf> = names
        .split_terminator('\0')
        .map(|name| root.join(name))
        .collect();
    paths.into_iter().filter(|path| path.is_file())
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).expect("folders of the source can be read") {
        let path = entry.expect("folders of the source can be read").path();
        if path.is_dir() {
            paths.extend(walk(&path));
        } else {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
