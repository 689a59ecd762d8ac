//! Files that a pipeline keeps: reports that GitLab shows beside a merge request or a job, metrics that somebody collects.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::error::UserError;

/// Whoever reads the file is another user.
const MODE: u32 = 0o644;

/// Writes a file in one step: nobody ever sees half of it.
pub fn write(path: &Path, text: &str) -> Result<(), UserError> {
    replace(path, text).map_err(|error| {
        let path = path.display();
        UserError::new(format!("could not write `{path}`: {error}"))
            .hint("its folder must be there, and yours to write to")
    })
}

pub fn write_json(path: &Path, report: &Value) -> Result<(), UserError> {
    write(path, &format!("{report:#}\n"))
}

fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let is_named = |folder: &&Path| !folder.as_os_str().is_empty();
    let folder = file.parent().filter(is_named).unwrap_or(Path::new("."));
    let mut begun = tempfile::Builder::new()
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    begun.write_all(text.as_bytes())?;
    begun.persist(file)?;
    Ok(())
}
