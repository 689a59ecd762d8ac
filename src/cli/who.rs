//! On whose word a command acts: the person, the process, the reason.

use crate::engine::Who;

/// Who, and why.
#[derive(Clone, Debug, clap::Args)]
pub struct WhoArgs {
    /// Who wants it; default: the GitLab user of the job, else the user of this machine
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why, for the records and for others
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl WhoArgs {
    /// `why` is said where no reason was given.
    pub fn who(&self, why: &str) -> Who {
        let name = self
            .by
            .clone()
            .or_else(|| variable("GITLAB_USER_LOGIN"))
            .or_else(|| variable("USER"));
        let name = name.unwrap_or_else(|| "somebody".to_owned());
        let place = variable("CI_JOB_URL")
            .or_else(|| variable("HOSTNAME"))
            .unwrap_or_else(|| "this machine".to_owned());
        Who {
            holder: format!("{name}, {place}, process {}", std::process::id()),
            name,
            why: self.reason.clone().unwrap_or_else(|| why.to_owned()),
        }
    }
}

/// A variable of this process, if there is something in it.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
