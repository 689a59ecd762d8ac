//! A folder of rendered files that may be written again: it remembers what is its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::error::UserError;

/// Lists the files that we wrote, one a line. Only those are ever replaced or removed.
const LIST: &str = ".escale-render";

pub struct RenderedDir {
    root: PathBuf,
    /// Of the last time.
    old: BTreeSet<String>,
    new: BTreeSet<String>,
}

impl RenderedDir {
    /// Opens a folder that does not exist, is empty, or was made by us.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let shown = root.display();
        fs::create_dir_all(root).with_context(|| format!("cannot make folder `{shown}`"))?;
        let mut entries =
            fs::read_dir(root).with_context(|| format!("cannot read folder `{shown}`"))?;
        let old = match fs::read_to_string(root.join(LIST)) {
            Ok(list) => list.lines().map(str::to_owned).collect(),
            Err(_) if entries.next().is_none() => BTreeSet::new(),
            Err(_) => {
                return Err(UserError::new(format!(
                    "folder `{shown}` is not empty, and not made by `render`"
                ))
                .hint("name a new folder: what is in this one could be anybody's")
                .into());
            }
        };
        Ok(Self {
            root: root.to_owned(),
            old,
            new: BTreeSet::new(),
        })
    }

    pub fn add(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.root.join(name);
        let folder = path.parent().unwrap_or(&self.root);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.with_context(|| format!("cannot write `{}`", path.display()))?;
        self.new.insert(name.to_owned());
        Ok(())
    }

    /// Removes what was rendered the last time and is no more; returns how many files there are.
    pub fn finish(self) -> anyhow::Result<usize> {
        for name in self.old.difference(&self.new).filter(|name| is_below(name)) {
            let path = self.root.join(name);
            if path.exists() {
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove `{}`", path.display()))?;
            }
            // Only succeeds for folders that are empty now, from the tenant's up to the cluster's.
            let emptied = path.ancestors().skip(1).take(2);
            let _kept = emptied
                .map(fs::remove_dir)
                .take_while(Result::is_ok)
                .count();
        }
        let list: String = self.new.iter().flat_map(|name| [name, "\n"]).collect();
        let path = self.root.join(LIST);
        fs::write(&path, list).with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(self.new.len())
    }
}

/// The list lies in a folder that anybody may edit: nothing outside is removed on its word.
fn is_below(name: &str) -> bool {
    !name.starts_with('/') && name.split('/').all(|step| !step.is_empty() && step != "..")
}
