//! A copy of this project's fleet that a test may edit, and the real binary run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with `environments/` and `templates/`.
pub struct Project {
    folder: TempDir,
}

/// What a run of the binary said, and how it ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Project {
    /// The fleet of this repository, as it is.
    pub fn production() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["environments", "templates"] {
            copy(&source.join(part), &folder.path().join(part));
        }
        Self { folder }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("made a folder");
        fs::write(path, text).expect("wrote a file");
    }

    /// Replaces a text that must be there exactly once.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).expect("a file to edit");
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {path}");
        self.write(path, &text.replace(from, to));
    }

    /// The texts of all files, by path: what `load` and `Renderer` take.
    pub fn files(&self) -> BTreeMap<String, String> {
        let path = |path: PathBuf| path.to_str().expect("a path in ASCII").to_owned();
        let text = |bytes| String::from_utf8(bytes).expect("text in UTF-8");
        let files = tree(self.folder.path()).into_iter();
        files
            .map(|(name, bytes)| (path(name), text(bytes)))
            .collect()
    }

    /// Everything as it is now, in a git repository.
    pub fn commit(&self) {
        if !self.path(".git").exists() {
            self.git(&["init", "-q", "-b", "main"]);
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "As it was"]);
    }

    /// The commit that was made last.
    pub fn head(&self) -> String {
        let mut command = Command::new("git");
        let output = command
            .args(["rev-parse", "HEAD"])
            .current_dir(self.folder.path())
            .output();
        let id = String::from_utf8(output.expect("git starts").stdout);
        id.expect("a commit").trim().to_owned()
    }

    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
        let status = Command::new("git")
            .current_dir(self.folder.path())
            .args(identity)
            .args(arguments)
            .status()
            .expect("git is needed to make a repository");
        assert!(status.success(), "git {arguments:?}");
    }

    pub fn escale(&self, arguments: &[&str]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_escale"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("KUBECONFIG")
            .output()
            .expect("the binary starts");
        Ran::from(output)
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("ended by itself"),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

/// All files below a folder, by their path in it.
pub fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    collect(folder, folder, &mut files);
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path.strip_prefix(root).expect("below the root").to_owned();
            files.insert(name, fs::read(&path).expect("a file"));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for (name, bytes) in tree(from) {
        let target = to.join(name);
        fs::create_dir_all(target.parent().expect("a file is in a folder")).expect("made a folder");
        fs::write(target, bytes).expect("wrote a file");
    }
}
