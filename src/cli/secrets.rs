//! Where a command gets secret values from: what the environment allows, read on this machine.

use crate::cli::Common;
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
