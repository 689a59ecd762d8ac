//! Against repositories made by git itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::error::UserError;
use crate::repo::{Kinship, Repo, Tree};

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=Ada",
            "-c",
            "user.email=ada@example.com",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Two commits; the second changes the versions.
fn repository() -> TempDir {
    let folder = TempDir::new().unwrap();
    git(folder.path(), &["init", "-q"]);
    write(
        folder.path(),
        "environments/production/versions.yaml",
        "one",
    );
    write(folder.path(), "templates/platform/web.yaml.j2", "web");
    write(folder.path(), "templates/platform/README.md", "for people");
    write(folder.path(), "secrets/db.sops.yaml", "encrypted");
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-qm", "first\n\nmore"]);
    write(
        folder.path(),
        "environments/production/versions.yaml",
        "two",
    );
    git(folder.path(), &["commit", "-qam", "second"]);
    folder
}

fn told(error: &anyhow::Error, folder: &Path) -> String {
    let user = error
        .downcast_ref::<UserError>()
        .unwrap_or_else(|| panic!("{error:?}"));
    let folder = folder.canonicalize().unwrap().display().to_string();
    format!("{user}; {}", user.hints().join("; ")).replace(&folder, "DIR")
}

fn names(tree: &Tree) -> Vec<&str> {
    tree.files.keys().map(String::as_str).collect()
}

#[test]
fn a_revision_is_read_without_a_checkout() {
    let folder = repository();
    let repo = Repo::open(&folder.path().join("environments/production")).unwrap();
    let (old, new) = (
        repo.tree_at("HEAD~1").unwrap(),
        repo.tree_at("main").unwrap(),
    );
    assert_eq!(
        names(&old),
        [
            "environments/production/versions.yaml",
            "templates/platform/web.yaml.j2"
        ]
    );
    assert_eq!(old.files["environments/production/versions.yaml"], "one");
    assert_eq!(new.files["environments/production/versions.yaml"], "two");
    assert!(!new.is_dirty);
    let commit = old.commit.unwrap();
    assert_eq!(
        (commit.author.as_str(), commit.subject.as_str()),
        ("Ada", "first")
    );
    let id = git(folder.path(), &["rev-parse", "HEAD:secrets/db.sops.yaml"]);
    assert_eq!(new.blobs["secrets/db.sops.yaml"], id);
    assert_eq!(repo.working_tree().unwrap(), new);
    assert!(
        repo.is_ancestor("HEAD~1", "HEAD").unwrap() && !repo.is_ancestor("HEAD", "HEAD~1").unwrap()
    );
    assert_eq!(
        repo.changed_paths("HEAD~1", "HEAD").unwrap(),
        ["environments/production/versions.yaml"]
    );
}

#[test]
fn a_changed_or_new_file_makes_the_working_tree_dirty() {
    let folder = repository();
    let repo = Repo::open(folder.path()).unwrap();
    write(folder.path(), "notes.txt", "not ours");
    assert!(!repo.working_tree().unwrap().is_dirty);
    write(
        folder.path(),
        "environments/production/tenants/a.yaml",
        "new",
    );
    let tree = repo.working_tree().unwrap();
    assert!(tree.is_dirty);
    assert_eq!(tree.commit.unwrap().subject, "second");
    assert_eq!(tree.files["environments/production/tenants/a.yaml"], "new");
}

#[test]
fn a_fleet_may_live_below_the_top_of_its_repository() {
    let folder = TempDir::new().unwrap();
    git(folder.path(), &["init", "-q"]);
    write(
        folder.path(),
        "deploy/environments/production/environment.yaml",
        "one",
    );
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-qm", "first"]);
    let repo = Repo::open(&folder.path().join("deploy")).unwrap();
    assert_eq!(
        names(&repo.tree_at("HEAD").unwrap()),
        ["environments/production/environment.yaml"]
    );
    assert!(!repo.working_tree().unwrap().is_dirty);
}

#[test]
fn a_folder_without_git_is_read_as_it_lies() {
    let folder = TempDir::new().unwrap();
    write(
        folder.path(),
        "environments/production/environment.yaml",
        "one",
    );
    let repo = Repo::open(folder.path()).unwrap();
    let tree = repo.working_tree().unwrap();
    assert_eq!(
        (tree.commit, tree.is_dirty, tree.files.len()),
        (None, true, 1)
    );
    assert_eq!(
        told(&repo.tree_at("HEAD").unwrap_err(), folder.path()),
        "`DIR` is not in a git repository; only the working tree can be read here: leave `--ref` out"
    );
}

#[test]
fn a_shallow_clone_says_what_to_fetch() {
    let folder = repository();
    let clone = TempDir::new().unwrap();
    let source = format!("file://{}", folder.path().display());
    git(clone.path(), &["clone", "-q", "--depth=1", &source, "."]);
    let repo = Repo::open(clone.path()).unwrap();
    assert_eq!(repo.tree_at("HEAD").unwrap().files.len(), 2);
    assert_eq!(
        told(&repo.tree_at("HEAD~1").unwrap_err(), clone.path()),
        "git knows no revision `HEAD~1`; this clone is shallow: git -C DIR fetch --unshallow, \
         or git -C DIR fetch --depth=1 origin main"
    );
    git(clone.path(), &["fetch", "-q", "--unshallow"]);
    assert_eq!(
        Repo::open(clone.path())
            .unwrap()
            .tree_at("HEAD~1")
            .unwrap()
            .files
            .len(),
        2
    );
}

#[test]
fn a_partial_clone_says_what_to_fetch_and_that_helps() {
    let folder = repository();
    git(folder.path(), &["config", "uploadpack.allowFilter", "true"]);
    let clone = TempDir::new().unwrap();
    let source = format!("file://{}", folder.path().display());
    git(
        clone.path(),
        &[
            "clone",
            "-q",
            "--no-checkout",
            "--filter=blob:none",
            &source,
            ".",
        ],
    );
    let repo = Repo::open(clone.path()).unwrap();
    let error = repo.tree_at("HEAD").unwrap_err();
    let cause = error.chain().find(|cause| cause.is::<UserError>()).unwrap();
    assert_eq!(
        cause.to_string(),
        "this clone is partial: the content of `environments/production/versions.yaml` is not in it"
    );
    git(
        clone.path(),
        &["fetch", "-q", "--refetch", "--no-filter", "origin"],
    );
    assert_eq!(
        Repo::open(clone.path())
            .unwrap()
            .tree_at("HEAD")
            .unwrap()
            .files
            .len(),
        2
    );
}

#[test]
fn what_is_no_text_or_no_file_is_refused() {
    let folder = repository();
    let path = folder.path().join("templates/platform/b.yaml.j2");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    let repo = Repo::open(folder.path()).unwrap();
    assert_eq!(
        told(&repo.working_tree().unwrap_err(), folder.path()),
        "`templates/platform/b.yaml.j2` is not UTF-8 text; "
    );
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("web.yaml.j2", &path).unwrap();
    let told_symlink = "`templates/platform/b.yaml.j2` is a symbolic link; git keeps only where it points: put the file itself there";
    assert_eq!(
        told(&repo.working_tree().unwrap_err(), folder.path()),
        told_symlink
    );
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-qm", "link"]);
    let error = repo.tree_at("HEAD").unwrap_err();
    assert!(
        error
            .chain()
            .any(|cause| cause.to_string() == "`templates/platform/b.yaml.j2` is a symbolic link")
    );
}

#[test]
fn git_tells_which_of_two_commits_is_newer_and_what_a_shallow_clone_cannot_tell() {
    let folder = repository();
    let [first, second] = ["HEAD~1", "HEAD"].map(|rev| git(folder.path(), &["rev-parse", rev]));
    git(folder.path(), &["checkout", "-qb", "side", "HEAD~1"]);
    git(
        folder.path(),
        &["commit", "-q", "--allow-empty", "-m", "side"],
    );
    let side = git(folder.path(), &["rev-parse", "HEAD"]);
    let repo = Repo::open(folder.path()).unwrap();
    assert_eq!(repo.kinship(&second, &second), Kinship::Same);
    assert_eq!(repo.kinship(&second, &first), Kinship::Newer);
    assert_eq!(repo.kinship(&first, &second), Kinship::Older);
    assert_eq!(repo.kinship(&side, &second), Kinship::Apart);
    repo.ensure_on_branch("main", &first).unwrap();
    let refused = repo.ensure_on_branch("main", &side).unwrap_err();
    let refused = told(&refused, folder.path());
    assert!(refused.contains("is not on branch `main`"), "{refused}");

    let clone = TempDir::new().unwrap();
    let source = format!("file://{}", folder.path().display());
    git(
        clone.path(),
        &["clone", "-q", "--depth=1", "-b", "main", &source, "."],
    );
    let shallow = Repo::open(clone.path()).unwrap();
    let Kinship::Unknown { why } = shallow.kinship(&second, &first) else {
        panic!("it cannot know")
    };
    assert!(why.contains("GIT_DEPTH: 0"), "{why}");
    shallow.ensure_on_branch("main", &second).unwrap();
}
