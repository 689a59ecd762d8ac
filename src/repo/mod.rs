//! Git: trees at a revision, changed paths. The only user of git2.
