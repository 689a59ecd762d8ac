//! Git: trees at a revision, changed paths. The only user of git2, and the only reader of a fleet's folder.
//!
//! Everything is read locally: nothing is checked out, fetched or written. What a clone lacks (shallow, partial,
//! owned by somebody else) is told with the words to type.

mod advice;
mod commit;
mod folder;
mod kinship;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use git2::{ErrorCode, ObjectType, Repository, StatusOptions, TreeWalkMode, TreeWalkResult};

use crate::error::UserError;

pub use commit::Commit;
pub use kinship::Kinship;

/// The folders of a repository that matter to us.
const FOLDERS: [&str; 3] = ["environments", "templates", "secrets"];
/// Larger files are a mistake, and nothing that one could review.
const LARGEST: usize = 4 * 1024 * 1024;

/// A fleet's folder, and the git repository that it is in, if it is in one.
pub struct Repo {
    root: PathBuf,
    git: Option<Repository>,
}

/// The files of a fleet at one revision, or as they lie in the folder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// The texts of YAML files and templates, by path below the fleet's folder.
    pub files: BTreeMap<String, String>,
    /// The git ids of files in folders named `secrets`, which are not read.
    pub blobs: BTreeMap<String, String>,
    /// The commit; for the working tree, the one that is checked out.
    pub commit: Option<Commit>,
    /// Whether the files may differ from the commit's.
    pub is_dirty: bool,
}

impl Repo {
    /// Opens the fleet that `directory` is in: the nearest folder upwards with `environments/`.
    pub fn open(directory: &Path) -> anyhow::Result<Self> {
        let directory = directory.canonicalize().map_err(|error| {
            UserError::new(format!(
                "cannot open folder `{}`: {error}",
                directory.display()
            ))
        })?;
        let git = match Repository::discover(&directory) {
            Ok(git) => Some(git),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(error) => return Err(advice::cannot_open(&directory, &error)),
        };
        let mut ancestors = directory.ancestors();
        let root = ancestors.find(|folder| folder.join("environments").is_dir());
        Ok(Self {
            root: root.unwrap_or(&directory).to_owned(),
            git,
        })
    }

    /// The folder that paths are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The files as they lie in the folder.
    pub fn working_tree(&self) -> anyhow::Result<Tree> {
        let mut tree = folder::read(&self.root)?;
        if let Some(git) = &self.git {
            tree.commit = git
                .head()
                .ok()
                .and_then(|head| Commit::of(&head.peel_to_commit().ok()?));
            tree.is_dirty = tree.commit.is_none() || self.has_changes(git)?;
        } else {
            tree.is_dirty = true;
        }
        Ok(tree)
    }

    /// The files at a revision, as `git show` knows it: a commit, a branch, a tag, `HEAD~1`.
    pub fn tree_at(&self, revision: &str) -> anyhow::Result<Tree> {
        let git = self.git()?;
        let commit = self.find_commit(git, revision)?;
        let mut tree = Tree {
            commit: Commit::of(&commit),
            ..Tree::default()
        };
        let root = commit
            .tree()
            .map_err(|error| advice::missing(self, revision, &error))?;
        for folder in FOLDERS {
            let path = self.prefix(git).join(folder);
            let Ok(entry) = root.get_path(&path) else {
                continue;
            };
            let Ok(subtree) = git.find_tree(entry.id()) else {
                continue;
            };
            self.read_subtree(git, folder, &subtree, &mut tree)
                .with_context(|| format!("cannot read `{revision}`"))?;
        }
        if tree.files.is_empty() {
            return Err(
                UserError::new(format!("there is no `environments/` at `{revision}`"))
                    .hint("run in the repository of the fleet, or name it with `-C DIR`")
                    .into(),
            );
        }
        Ok(tree)
    }

    /// A file by its git id, as it was committed.
    pub fn blob(&self, id: &str) -> anyhow::Result<Vec<u8>> {
        let blob = self.git()?.find_blob(git2::Oid::from_str(id)?)?;
        Ok(blob.content().to_vec())
    }

    /// The commit that a revision names.
    pub fn commit(&self, revision: &str) -> anyhow::Result<Commit> {
        let commit = self.find_commit(self.git()?, revision)?;
        Commit::of(&commit).ok_or_else(|| anyhow!("commit `{revision}` has no time"))
    }

    /// Whether `ancestor` is `descendant` or comes before it. Needs the history between them.
    pub fn is_ancestor(&self, ancestor: &str, descendant: &str) -> anyhow::Result<bool> {
        let git = self.git()?;
        let ancestor = self.find_commit(git, ancestor)?.id();
        let descendant = self.find_commit(git, descendant)?.id();
        if ancestor == descendant || git.graph_descendant_of(descendant, ancestor)? {
            return Ok(true);
        }
        // In a shallow clone "no" may only mean that the history ends before the answer.
        if git.is_shallow() {
            return Err(advice::too_shallow(&self.root));
        }
        Ok(false)
    }

    /// Paths below the fleet's folder that differ between two revisions.
    pub fn changed_paths(&self, from: &str, to: &str) -> anyhow::Result<Vec<String>> {
        let git = self.git()?;
        let (from, to) = (
            self.find_commit(git, from)?.tree()?,
            self.find_commit(git, to)?.tree()?,
        );
        let diff = git.diff_tree_to_tree(Some(&from), Some(&to), None)?;
        let prefix = self.prefix(git);
        let paths = diff
            .deltas()
            .flat_map(|delta| [delta.old_file().path(), delta.new_file().path()]);
        let mut paths: Vec<String> = paths
            .flatten()
            .filter_map(|path| Some(path.strip_prefix(&prefix).ok()?.to_str()?.to_owned()))
            .collect();
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    fn git(&self) -> anyhow::Result<&Repository> {
        self.git.as_ref().ok_or_else(|| {
            UserError::new(format!(
                "`{}` is not in a git repository",
                self.root.display()
            ))
            .hint("only the working tree can be read here: leave `--ref` out")
            .into()
        })
    }

    fn find_commit<'git>(
        &self,
        git: &'git Repository,
        revision: &str,
    ) -> anyhow::Result<git2::Commit<'git>> {
        let found = git
            .revparse_single(revision)
            .and_then(|object| object.peel_to_commit());
        found.map_err(|error| advice::unknown_revision(&self.root, git, revision, &error))
    }

    /// The fleet's folder within the repository.
    fn prefix(&self, git: &Repository) -> PathBuf {
        let top = git.workdir().and_then(|top| top.canonicalize().ok());
        let below = top.and_then(|top| self.root.strip_prefix(top).ok().map(Path::to_owned));
        below.unwrap_or_default()
    }

    fn read_subtree(
        &self,
        git: &Repository,
        folder: &str,
        subtree: &git2::Tree<'_>,
        tree: &mut Tree,
    ) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        subtree
            .walk(TreeWalkMode::PreOrder, |parent, entry| {
                let Some((parent, name)) = Some(parent).zip(entry.name().ok()) else {
                    return TreeWalkResult::Ok;
                };
                if name.starts_with('.') {
                    return TreeWalkResult::Skip;
                }
                let path = format!("{folder}/{parent}{name}");
                let read = match entry.kind() {
                    Some(ObjectType::Blob) => self.read_blob(git, entry, path, tree),
                    _ => Ok(()),
                };
                match read {
                    Ok(()) => TreeWalkResult::Ok,
                    Err(error) => {
                        outcome = Err(error);
                        TreeWalkResult::Abort
                    }
                }
            })
            .or_else(|error| if outcome.is_err() { Ok(()) } else { Err(error) })?;
        outcome
    }

    fn read_blob(
        &self,
        git: &Repository,
        entry: &git2::TreeEntry<'_>,
        path: String,
        tree: &mut Tree,
    ) -> anyhow::Result<()> {
        const SYMLINK: i32 = 0o120_000;
        if is_secret(&path) {
            tree.blobs.insert(path, entry.id().to_string());
            return Ok(());
        }
        if !is_read(&path) {
            return Ok(());
        }
        if entry.filemode() == SYMLINK {
            return Err(symlink(&path));
        }
        let blob = git
            .find_blob(entry.id())
            .map_err(|error| advice::missing(self, &path, &error))?;
        tree.files
            .insert(path.clone(), text(&path, blob.content().to_vec())?);
        Ok(())
    }

    fn has_changes(&self, git: &Repository) -> anyhow::Result<bool> {
        let mut options = StatusOptions::new();
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .disable_pathspec_match(false);
        for folder in FOLDERS {
            options.pathspec(self.prefix(git).join(folder));
        }
        let statuses = git
            .statuses(Some(&mut options))
            .context("cannot compare the files with git")?;
        Ok(!statuses.is_empty())
    }
}

/// Whether a path, below the fleet's folder, is of a file that says what an environment runs.
pub fn is_of(environment: &str, path: &str) -> bool {
    let is_there = match path.split_once('/') {
        Some(("environments", below)) => {
            let below = below.strip_prefix(environment);
            below.is_some_and(|below| below.starts_with('/'))
        }
        Some((folder, _)) => FOLDERS.contains(&folder),
        None => false,
    };
    is_there && (is_read(path) || is_secret(path))
}

/// YAML files and templates; what else lies there is for people.
fn is_read(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    let is_yaml = path
        .strip_suffix(".yaml")
        .or_else(|| path.strip_suffix(".yml"))
        .is_some();
    !is_secret(path) && (is_yaml || (path.starts_with("templates/") && file.contains(".j2")))
}

/// Encrypted files: only their ids matter here.
fn is_secret(path: &str) -> bool {
    path.starts_with("secrets/") || path.contains("/secrets/")
}

fn text(path: &str, bytes: Vec<u8>) -> anyhow::Result<String> {
    if bytes.len() > LARGEST {
        let size = LARGEST / 1024 / 1024;
        return Err(UserError::new(format!("`{path}` is larger than {size} MiB")).into());
    }
    String::from_utf8(bytes)
        .map_err(|_| UserError::new(format!("`{path}` is not UTF-8 text")).into())
}

fn symlink(path: &str) -> anyhow::Error {
    UserError::new(format!("`{path}` is a symbolic link"))
        .hint("git keeps only where it points: put the file itself there")
        .into()
}

#[cfg(test)]
mod tests;
