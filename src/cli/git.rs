//! Git as the engine asks it: how releases follow each other, and what changes between them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cli::Common;
use crate::repo::{self, Kinship, Repo};

/// The repository of one environment's fleet. It answers one question at a time.
pub struct Git {
    repo: Mutex<Repo>,
    environment: String,
}

impl Git {
    pub fn open(common: &Common, environment: &str) -> anyhow::Result<Self> {
        Ok(Self {
            repo: Mutex::new(Repo::open(&common.directory)?),
            environment: environment.to_owned(),
        })
    }

    /// How one release stands to another.
    pub fn kinship(&self, one: &str, other: &str) -> Kinship {
        self.repo().kinship(one, other)
    }

    /// The files of the environment that differ between two commits, or why that cannot be told.
    pub fn changed(&self, from: &str, to: &str) -> Result<Vec<String>, String> {
        let changed = self.repo().changed_paths(from, to);
        let mut paths = changed.map_err(|error| error.to_string())?;
        paths.retain(|path| repo::is_of(&self.environment, path));
        Ok(paths)
    }

    fn repo(&self) -> MutexGuard<'_, Repo> {
        self.repo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
