//! A copy of the production fleet in a git repository of its own, which a test may change and commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The waves of `normal` in the repository.
const NORMAL: &str = "
    - {name: canary, role: canary, select: {ring: canary}, soak: 2s, onBreach: rollback}
    - {name: early, select: {ring: early}, soak: 1s, onBreach: rollback}
    - {name: rest, soak: 1s, onBreach: pause}
";
/// Those of tests that are not about waves.
const HASTY: &str = "
    - {name: canary, role: canary, select: {ring: canary}, soak: 0s, onBreach: rollback}
    - {name: rest, soak: 0s, onBreach: pause}
";
/// As `normal` in the repository, at the pace of a test; its waves come last.
pub const STRATEGY: &str = "\
apiVersion: escale.dev/v1alpha1
kind: Strategy
metadata: {name: normal}
spec:
  tenant: {minHealthyTime: 1s, progressDeadline: 60s, onFailure: rollback}
  limits:
    maxConcurrency: {all: 200, cluster: 40}
    maxUnavailable: {all: 100%, cluster: 100%}
    maxFailures: {all: 10%, cluster: 50%, mode: soft}
  rollback: {maxConcurrency: {all: 100%, cluster: 80}, scope: wave}
  brake: {deletes: 50, ofTenant: 30%, ofTenants: 100%}
  waves:";

pub struct Fleet {
    folder: TempDir,
    environment: String,
}

impl Fleet {
    /// The production fleet of this repository, as its first commit.
    pub fn production() -> Self {
        Self::with_waves(NORMAL)
    }

    /// The same with as few waves as there can be, and no soak.
    pub fn in_a_hurry() -> Self {
        Self::with_waves(HASTY)
    }

    fn with_waves(waves: &str) -> Self {
        let fleet = Self::without_files("production");
        for part in ["environments", "templates"] {
            fleet.take(part, part);
        }
        let strategy = format!("{STRATEGY}{waves}");
        fleet.write("environments/production/strategy.yaml", &strategy);
        fleet.begin();
        fleet
    }

    pub fn without_files(environment: &str) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            environment: environment.to_owned(),
        }
    }

    /// Copies a folder of this repository.
    pub fn take(&self, from: &str, to: &str) {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&project.join(from), &self.folder.path().join(to));
    }

    /// Makes its files the first commit.
    pub fn begin(&self) {
        self.git(&["init", "--quiet", "--initial-branch", "main"]);
        self.commit("The fleet");
    }

    pub fn environment(&self) -> &str {
        &self.environment
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn read(&self, file: &str) -> String {
        let path = self.folder.path().join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("folders can be made");
        fs::write(path, text).expect("the fleet can be written");
    }

    /// Gives a component another tag: what a release changes, and all that it changes.
    pub fn release(&self, component: &str, tag: &str) -> String {
        self.release_that(component, tag, &format!("{component} {tag}"))
    }

    pub fn release_that(&self, component: &str, tag: &str, message: &str) -> String {
        let file = format!("environments/{}/versions.yaml", self.environment);
        let line_of = |line: &&str| line.trim_start().starts_with(&format!("{component}:"));
        let versions = self.read(&file);
        let line = versions
            .lines()
            .find(line_of)
            .expect("a component of the fleet");
        let (image, _) = line.rsplit_once(':').expect("an image has a tag");
        self.write(&file, &versions.replace(line, &format!("{image}:{tag}")));
        self.commit(message)
    }

    pub fn remove(&self, file: &str) {
        fs::remove_file(self.folder.path().join(file)).expect("a file of the fleet");
    }

    /// Commits everything and returns the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.head()
    }

    /// Goes on on a branch of its own; returns the commit that it begins at.
    pub fn branch(&self, name: &str) -> String {
        self.git(&["checkout", "--quiet", "-b", name]);
        self.head()
    }

    /// Merges a branch into `main`, as a merge request does, and returns the commit.
    pub fn merge(&self, name: &str) -> String {
        self.git(&["checkout", "--quiet", "main"]);
        self.git(&["merge", "--quiet", "--no-ff", "--no-edit", name]);
        self.head()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .expect("git starts");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("git prints UTF-8")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folders can be made");
    for entry in fs::read_dir(from).expect("folders can be read") {
        let path: PathBuf = entry.expect("folders can be read").path();
        let target = to.join(path.file_name().expect("entries have names"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("files can be copied");
        }
    }
}
