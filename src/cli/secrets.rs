//! Where a command gets secret values from: what the environment allows, read on this machine.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::cli::Common;
use crate::cli::source::Source;
use crate::cli::stage::StageArgs;
use crate::fleet::Fleet;
use crate::repo::Repo;
use crate::secret::Secrets;

/// The sources of a fleet. Simulated clusters get stand-ins: nothing is read for them.
pub fn of(common: &Common, stage: &StageArgs, fleet: Option<&Fleet>) -> Secrets {
    if stage.sim {
        return Secrets::stand_ins();
    }
    let Some(fleet) = fleet else {
        return Secrets::unavailable(
            "there is no fleet here that says where values are: run in its repository, or name it with `-C DIR`",
        );
    };
    let directory = common.directory.clone();
    let allowed = fleet.environment.spec.secrets.clone();
    // Opened anew for each file: git's handle cannot be shared between threads, and few files are read.
    let blobs = move |id: &str| Repo::open(&directory)?.blob(id);
    Secrets::of(allowed, Box::new(blobs))
}

/// The sources of what was read from a folder or a commit: files that nobody has committed yet count as they lie there.
pub fn of_source(common: &Common, source: &Source) -> anyhow::Result<Secrets> {
    let repo = Repo::open(&common.directory)?;
    let root = repo.root().to_owned();
    let paths = source.tree.blobs.iter();
    let paths: BTreeMap<String, String> =
        paths.map(|(path, id)| (id.clone(), path.clone())).collect();
    let directory = common.directory.clone();
    let blobs = move |id: &str| {
        Repo::open(&directory)?.blob(id).or_else(|error| {
            let path = paths.get(id).ok_or(error)?;
            std::fs::read(root.join(path)).with_context(|| format!("could not read `{path}`"))
        })
    };
    let allowed = source.fleet.environment.spec.secrets.clone();
    Ok(Secrets::of(allowed, Box::new(blobs)))
}
