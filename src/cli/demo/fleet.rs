//! The production fleet of this repository, as it was when escale was built.

use include_dir::{Dir, include_dir};

use crate::fleet::Files;

static ENVIRONMENT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/environments/production");
static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// The environment that the demo rolls out.
pub const NAME: &str = "production";
const TENANTS: &str = "environments/production/tenants/";
const VERSIONS: &str = "environments/production/versions.yaml";

/// The files of the fleet, with as many tenants as asked for.
pub fn files(tenants: Option<usize>) -> Files {
    let mut files = Files::new();
    collect(&mut files, &ENVIRONMENT, "environments/production");
    collect(&mut files, &TEMPLATES, "templates");
    if let Some(wanted) = tenants {
        enlarge(&mut files, wanted);
    }
    files
}

/// The same fleet after a release bot changed one image in `versions.yaml`.
pub fn with_version(files: &Files, image: &str, version: &str) -> Files {
    let mut changed = files.clone();
    if let Some(text) = changed.get_mut(VERSIONS) {
        let lines = text
            .lines()
            .map(|line| match line.trim_start().strip_prefix(image) {
                Some(rest) if rest.starts_with(": ") => bumped(line, version),
                _ => line.to_owned(),
            });
        *text = lines.collect::<Vec<_>>().join("\n") + "\n";
    }
    changed
}

/// The line with another tag: what comes after the last colon.
fn bumped(line: &str, version: &str) -> String {
    let image = line.rsplit_once(':').map_or(line, |(image, _)| image);
    format!("{image}:{version}")
}

fn collect(files: &mut Files, folder: &Dir<'_>, below: &str) {
    for file in folder.files() {
        if let Some(text) = file.contents_utf8() {
            files.insert(
                format!("{below}/{}", file.path().display()),
                text.to_owned(),
            );
        }
    }
    for inner in folder.dirs() {
        collect(files, inner, below);
    }
}

/// Copies vault tenants, which are one file each, under new names and domains.
fn enlarge(files: &mut Files, wanted: usize) {
    let models: Vec<(String, String)> = files
        .range(TENANTS.to_owned()..)
        .take_while(|(path, _)| path.starts_with(TENANTS))
        .filter(|(path, text)| !path[TENANTS.len()..].contains('/') && !text.contains("group:"))
        .map(|(path, text)| {
            (
                path[TENANTS.len()..].trim_end_matches(".yaml").to_owned(),
                text.clone(),
            )
        })
        .collect();
    let present = count(files);
    for (number, (name, text)) in (present..wanted).zip(models.iter().cycle()) {
        let copy = format!("{name}-{number:05}");
        files.insert(
            format!("{TENANTS}{copy}.yaml"),
            renamed(text, name, &copy, number),
        );
    }
}

/// Tenants are files, or folders with a `tenant.yaml`.
fn count(files: &Files) -> usize {
    let names = files.keys().filter_map(|path| path.strip_prefix(TENANTS));
    names
        .filter(|name| !name.contains('/') || name.ends_with("/tenant.yaml"))
        .count()
}

/// The copy has its own name, namespace and domains; it is no canary.
fn renamed(text: &str, name: &str, copy: &str, number: usize) -> String {
    let prefix = format!("t{number:05}-");
    let lines = text.lines().map(|line| {
        let is_domain = line.contains("domain:") || line.contains("aliases:");
        let line = line
            .replace(name, copy)
            .replace("ring: canary", "ring: standard")
            .replace("ring: early", "ring: standard");
        if is_domain {
            with_prefixed_domains(&line, &prefix)
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn with_prefixed_domains(line: &str, prefix: &str) -> String {
    let mut out = String::with_capacity(line.len() + prefix.len());
    for word in line.split_inclusive([' ', '[', ',', '{', '"']) {
        let is_domain = word
            .trim_end_matches([' ', ',', ']', '}', '"', '[', '{'])
            .contains('.');
        if is_domain {
            out.push_str(prefix);
        }
        out.push_str(word);
    }
    out
}
