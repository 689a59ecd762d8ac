//! A real API server takes every manifest of this repository's environments, strictly.

use std::fs;
use std::path::{Path, PathBuf};

use crate::binary::escale;
use crate::clusters::{CLUSTERS, clean, kubectl};
use crate::fleet::Fleet;
use crate::turns::alone;

#[test]
fn every_manifest_of_the_fleet_is_valid_on_a_real_server() {
    are_valid("production", CLUSTERS);
}

#[test]
fn every_manifest_of_the_cooperative_is_valid_on_a_real_server() {
    are_valid("cooperative", ["home-alder", "home-birch", "home-cedar"]);
}

/// Clusters of an environment have a real one each.
fn are_valid(environment: &str, names: [&str; 3]) {
    let _turn = alone();
    clean();
    let fleet = Fleet::production();
    let rendered = fleet.folder().join("rendered");
    let folder = rendered.to_str().expect("a plain path");
    let render = ["render", "-e", environment, "--output-dir", folder];
    escale(fleet.folder(), &render).ends_with(0);
    for file in files(&rendered) {
        put_values_in(&file);
    }
    for (name, cluster) in names.into_iter().zip(CLUSTERS) {
        is_valid_on(cluster, &rendered.join(name));
    }
    clean();
}

fn is_valid_on(cluster: &str, folder: &Path) {
    // A dry-run of what lives in a namespace needs the namespace.
    for namespace in namespaces(folder) {
        kubectl(cluster, &["apply", "--server-side", "-f", &namespace]);
    }
    let checked = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "-R",
        "-f",
        folder.to_str().expect("a plain path"),
    ];
    let answers = kubectl(cluster, &checked);
    let objects = files(folder).len();
    assert_ne!(objects, 0, "{cluster}");
    assert_eq!(answers.lines().count(), objects, "{cluster}: {answers}");
}

/// What is rendered has references to secrets. A server wants values, in base64: any will do.
fn put_values_in(file: &Path) {
    const MARK: &str = "escale-secret:";
    let text = fs::read_to_string(file).expect("rendered files can be read");
    if !text.contains(MARK) {
        return;
    }
    let value = |line: &str| match line.split_once(MARK) {
        Some((key, _)) => format!("{key}c3RhbmQtaW4=\n"),
        None => format!("{line}\n"),
    };
    let filled: String = text.lines().map(value).collect();
    fs::write(file, filled).expect("rendered files can be written");
}

fn namespaces(folder: &Path) -> Vec<String> {
    let all = files(folder)
        .into_iter()
        .map(|path| path.display().to_string());
    all.filter(|path| path.contains("-namespace-")).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("rendered folders can be read") {
        let path = entry.expect("rendered folders can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
