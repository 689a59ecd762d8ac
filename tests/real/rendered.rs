//! A real API server takes every manifest of the production fleet, strictly.

use std::path::{Path, PathBuf};

use crate::binary::escale;
use crate::clusters::{CLUSTERS, clean, kubectl};
use crate::fleet::Fleet;
use crate::turns::alone;

#[test]
fn every_manifest_of_the_fleet_is_valid_on_a_real_server() {
    let _turn = alone();
    clean();
    let fleet = Fleet::production();
    let rendered = fleet.folder().join("rendered");
    let folder = rendered.to_str().expect("a plain path");
    escale(
        fleet.folder(),
        &["render", "-e", "production", "--output-dir", folder],
    )
    .ends_with(0);
    for cluster in CLUSTERS {
        let folder = rendered.join(cluster);
        // A dry-run of what lives in a namespace needs the namespace.
        for namespace in namespaces(&folder) {
            kubectl(cluster, &["apply", "--server-side", "-f", &namespace]);
        }
        let folder = folder.to_str().expect("a plain path");
        let checked = [
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "-R",
            "-f",
            folder,
        ];
        let answers = kubectl(cluster, &checked);
        let objects = files(Path::new(folder)).len();
        assert_eq!(answers.lines().count(), objects, "{cluster}: {answers}");
    }
    clean();
}

fn namespaces(folder: &Path) -> Vec<String> {
    let all = files(folder)
        .into_iter()
        .map(|path| path.display().to_string());
    all.filter(|path| path.contains("-namespace-")).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("rendered folders can be read") {
        let path = entry.expect("rendered folders can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
