//! The working tree: files as they lie in the folder, committed or not.

use std::fs;
use std::path::Path;

use anyhow::Context;
use git2::{ObjectType, Oid};

use crate::error::UserError;
use crate::repo::{FOLDERS, Tree, is_read, is_secret, symlink, text};

pub fn read(root: &Path) -> anyhow::Result<Tree> {
    let mut tree = Tree::default();
    for folder in FOLDERS {
        if root.join(folder).is_dir() {
            walk(root, folder, &mut tree)?;
        }
    }
    if tree.files.is_empty() {
        return Err(UserError::new(format!("there is no fleet in `{}`", root.display()))
            .hint("a fleet is a folder with `environments/` and `templates/`: name it with `-C DIR`")
            .into());
    }
    Ok(tree)
}

fn walk(root: &Path, folder: &str, tree: &mut Tree) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read folder `{folder}`");
    for entry in fs::read_dir(root.join(folder)).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let path = format!("{folder}/{name}");
        let kind = entry.file_type().with_context(unreadable)?;
        if kind.is_dir() {
            walk(root, &path, tree)?;
        } else if is_secret(&path) {
            let id = Oid::hash_file(ObjectType::Blob, entry.path());
            tree.blobs
                .insert(path, id.with_context(unreadable)?.to_string());
        } else if is_read(&path) {
            if kind.is_symlink() {
                return Err(symlink(&path));
            }
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read `{path}`"))?;
            tree.files.insert(path.clone(), text(&path, bytes)?);
        }
    }
    Ok(())
}
