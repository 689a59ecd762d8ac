//! What git cannot give us, with the words to type.

use std::path::Path;

use anyhow::anyhow;
use git2::{ErrorCode, Repository};

use crate::error::UserError;
use crate::repo::Repo;

pub fn cannot_open(directory: &Path, error: &git2::Error) -> anyhow::Error {
    let mut ancestors = directory.ancestors();
    let top = ancestors.find(|folder| folder.join(".git").exists());
    let shown = top.unwrap_or(directory).display();
    if error.code() == ErrorCode::Owner {
        return UserError::new(format!(
            "the git repository at `{shown}` belongs to another user"
        ))
        .hint(format!(
            "if you trust it: git config --global --add safe.directory {shown}"
        ))
        .into();
    }
    UserError::new(format!(
        "cannot open the git repository at `{shown}`: {}",
        error.message()
    ))
    .hint(format!("does git itself read it? git -C {shown} status"))
    .into()
}

pub fn unknown_revision(
    root: &Path,
    git: &Repository,
    revision: &str,
    error: &git2::Error,
) -> anyhow::Error {
    let shown = root.display();
    let unknown = UserError::new(format!("git knows no revision `{revision}`"));
    match error.code() {
        ErrorCode::Ambiguous => UserError::new(format!("`{revision}` names several commits"))
            .hint("write more digits")
            .into(),
        _ if git.is_shallow() => unknown
            .hint(format!(
                "this clone is shallow: git -C {shown} fetch --unshallow, or git -C {shown} fetch --depth=1 origin {}",
                fetchable(revision)
            ))
            .into(),
        _ => unknown
            .hint(format!("is it fetched? git -C {shown} fetch origin {}", fetchable(revision)))
            .into(),
    }
}

/// What a remote calls `origin/main~2`: `main`.
fn fetchable(revision: &str) -> &str {
    let name = revision.strip_prefix("origin/").unwrap_or(revision);
    let name = name.split(['~', '^', '@', ':']).next().unwrap_or(name);
    if name == "HEAD" || name.is_empty() {
        "main"
    } else {
        name
    }
}

pub fn too_shallow(root: &Path) -> anyhow::Error {
    UserError::new("this clone is shallow: it does not hold the history that is asked for")
        .hint(format!("git -C {} fetch --unshallow", root.display()))
        .into()
}

/// Why two commits cannot be compared.
pub fn lacks(git: &Repository, commit: &str) -> String {
    let short = commit.get(..10).unwrap_or(commit);
    if git.is_shallow() {
        return format!(
            "this clone is shallow and lacks the history to {short} (git fetch --unshallow; in GitLab CI, GIT_DEPTH: 0)"
        );
    }
    format!("this clone lacks commit {short} (git fetch)")
}

pub fn not_on_branch(
    git: &Repository,
    root: &Path,
    branch: &str,
    commit: &str,
    is_branch_unknown: bool,
) -> UserError {
    let shown = root.display();
    let short = commit.get(..10).unwrap_or(commit);
    if is_branch_unknown {
        let why =
            format!("this clone has no branch `{branch}`, and only its commits are rolled out");
        return UserError::new(why)
            .hint(format!(
                "git -C {shown} fetch origin {branch}:refs/remotes/origin/{branch}"
            ))
            .hint("another branch is named by `source.branch` in environment.yaml");
    }
    let error = UserError::new(format!(
        "commit {short} is not on branch `{branch}`, and only its commits are rolled out"
    ));
    if git.is_shallow() {
        error.hint(format!(
            "this clone is shallow: git -C {shown} fetch --unshallow"
        ))
    } else {
        error.hint(format!(
            "merge it first; is `{branch}` of this clone up to date? git -C {shown} fetch origin"
        ))
    }
}

/// An object that the commit names and the clone lacks: a partial clone fetches it only for git itself.
pub fn missing(repo: &Repo, what: &str, error: &git2::Error) -> anyhow::Error {
    let is_partial = repo.git.as_ref().is_some_and(is_partial);
    if error.code() != ErrorCode::NotFound || !is_partial {
        return anyhow!("cannot read `{what}` from git: {}", error.message());
    }
    let shown = repo.root.display();
    UserError::new(format!(
        "this clone is partial: the content of `{what}` is not in it"
    ))
    .hint(format!(
        "git -C {shown} fetch --refetch --no-filter origin, once"
    ))
    .hint("in GitLab CI, clone without `--filter=blob:none` (GIT_CLONE_EXTRA_FLAGS)")
    .into()
}

fn is_partial(git: &Repository) -> bool {
    let Ok(config) = git.config() else {
        return false;
    };
    let has_promisor = config
        .entries(Some("remote\\..*\\.promisor"))
        .is_ok_and(|mut entries| entries.next().is_some());
    has_promisor || config.get_string("extensions.partialclone").is_ok()
}
