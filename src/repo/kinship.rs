//! Which of two commits comes after the other, and whether one is on a branch.

use git2::{BranchType, Oid, Repository};

use super::{Repo, advice};

/// How a commit stands to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kinship {
    Same,
    /// It has everything that the other has, and more.
    Newer,
    Older,
    /// Neither has all of the other: a branch, or a history that was rewritten.
    Apart,
    /// It cannot be told from this clone.
    Unknown {
        why: String,
    },
}

impl Repo {
    /// How one commit stands to another. A clone that lacks one of them, or the history between them, cannot tell.
    pub fn kinship(&self, one: &str, other: &str) -> Kinship {
        if one == other {
            return Kinship::Same;
        }
        let unknown = |why: String| Kinship::Unknown { why };
        let Some(git) = &self.git else {
            return unknown("this folder is not in a git repository".to_owned());
        };
        let found = [one, other].map(|commit| find(git, commit));
        let [Some(ours), Some(theirs)] = found else {
            return unknown(advice::lacks(
                git,
                if found[0].is_none() { one } else { other },
            ));
        };
        match (is_after(git, ours, theirs), is_after(git, theirs, ours)) {
            (true, _) => Kinship::Newer,
            (_, true) => Kinship::Older,
            // In a shallow clone the history may end before the answer.
            _ if git.is_shallow() => unknown(advice::lacks(git, other)),
            _ => Kinship::Apart,
        }
    }

    /// Fails unless a commit is on a branch, here or at a remote.
    pub fn ensure_on_branch(&self, branch: &str, commit: &str) -> anyhow::Result<()> {
        let git = self.git()?;
        let commit = self.find_commit(git, commit)?.id();
        let tips = tips(git, branch);
        if tips
            .iter()
            .any(|tip| *tip == commit || is_after(git, *tip, commit))
        {
            return Ok(());
        }
        Err(advice::not_on_branch(
            git,
            &self.root,
            branch,
            &commit.to_string(),
            tips.is_empty(),
        )
        .into())
    }
}

fn find(git: &Repository, commit: &str) -> Option<Oid> {
    let found = git.revparse_single(commit).ok()?;
    Some(found.peel_to_commit().ok()?.id())
}

fn is_after(git: &Repository, later: Oid, earlier: Oid) -> bool {
    git.graph_descendant_of(later, earlier).unwrap_or(false)
}

/// Where a branch is, as far as this clone knows: its own, and those of its remotes.
fn tips(git: &Repository, branch: &str) -> Vec<Oid> {
    let remotes = git.remotes();
    let named = remotes.iter().flat_map(|remotes| {
        let names: Vec<String> = remotes
            .iter()
            .flatten()
            .flatten()
            .map(|remote| format!("{remote}/{branch}"))
            .collect();
        names
    });
    let far = named.filter_map(|name| git.find_branch(&name, BranchType::Remote).ok());
    let near = git.find_branch(branch, BranchType::Local).ok();
    far.chain(near)
        .filter_map(|branch| Some(branch.get().peel_to_commit().ok()?.id()))
        .collect()
}
