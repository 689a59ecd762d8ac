//! A folder of rendered files that may be written again: it remembers what is its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::error::UserError;

/// Lists the files that we wrote, one a line. Only those are ever replaced or removed.
const LIST: &str = ".escale-render";

/// New files lie here until all are there: a folder holds one rendering whole, never half of another.
const NEW: &str = ".escale-new";

pub struct RenderedDir {
    root: PathBuf,
    /// Whether the folder was not there before.
    is_ours_alone: bool,
    /// Of the last time.
    old: BTreeSet<String>,
    new: BTreeSet<String>,
    is_finished: bool,
}

impl RenderedDir {
    /// Opens a folder that does not exist, is empty, or was made by us.
    pub fn open(root: &Path) -> anyhow::Result<Self> {
        let shown = root.display();
        let old = match fs::read_to_string(root.join(LIST)) {
            Ok(list) => list.lines().map(str::to_owned).collect(),
            Err(_) if is_free(root)? => BTreeSet::new(),
            Err(_) => {
                let message = format!("folder `{shown}` is not empty, and not made by `render`");
                return Err(UserError::new(message)
                    .hint("name a new folder: what is in this one could be anybody's")
                    .into());
            }
        };
        let is_ours_alone = !root.exists();
        fs::create_dir_all(root.join(NEW))
            .with_context(|| format!("cannot make folder `{shown}`"))?;
        Ok(Self {
            root: root.to_owned(),
            is_ours_alone,
            old,
            new: BTreeSet::new(),
            is_finished: false,
        })
    }

    pub fn add(&mut self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.root.join(NEW).join(name);
        let folder = path.parent().unwrap_or(&self.root);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.with_context(|| format!("cannot write `{}`", path.display()))?;
        self.new.insert(name.to_owned());
        Ok(())
    }

    /// Puts the new files in the place of the old; returns how many there are.
    pub fn finish(mut self) -> anyhow::Result<usize> {
        for name in self.old.difference(&self.new).filter(|name| is_below(name)) {
            self.remove(name)?;
        }
        for name in &self.new {
            let (from, to) = (self.root.join(NEW).join(name), self.root.join(name));
            let folder = to.parent().unwrap_or(&self.root);
            let moved = fs::create_dir_all(folder).and_then(|()| fs::rename(&from, &to));
            moved.with_context(|| format!("cannot write `{}`", to.display()))?;
        }
        let list: String = self.new.iter().flat_map(|name| [name, "\n"]).collect();
        let path = self.root.join(LIST);
        fs::write(&path, list).with_context(|| format!("cannot write `{}`", path.display()))?;
        self.is_finished = true;
        Ok(self.new.len())
    }

    fn remove(&self, name: &str) -> anyhow::Result<()> {
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
        Ok(())
    }
}

/// What was not finished leaves nothing behind.
impl Drop for RenderedDir {
    fn drop(&mut self) {
        let _best_effort = fs::remove_dir_all(self.root.join(NEW));
        if self.is_ours_alone && !self.is_finished {
            let _best_effort = fs::remove_dir(&self.root);
        }
    }
}

/// Whether there is nothing, or only what a run of ours left that was killed.
fn is_free(root: &Path) -> anyhow::Result<bool> {
    if !root.exists() {
        return Ok(true);
    }
    let entries =
        fs::read_dir(root).with_context(|| format!("cannot read folder `{}`", root.display()))?;
    Ok(entries.flatten().all(|entry| entry.file_name() == NEW))
}

/// The list lies in a folder that anybody may edit: nothing outside is removed on its word.
fn is_below(name: &str) -> bool {
    !name.starts_with('/') && name.split('/').all(|step| !step.is_empty() && step != "..")
}
