//! What the variables of a job say. Source: GitLab `doc/ci/variables/predefined_variables.md`.

use std::path::PathBuf;

/// The token that may write notes: a project or group access token with the scope `api`. The job's own token may not.
pub const TOKEN: &str = "ESCALE_GITLAB_TOKEN";

/// What is needed to write to a merge request.
#[derive(Clone)]
pub struct Job {
    /// `https://gitlab.example.com/api/v4`
    pub api: String,
    pub token: String,
    /// Of the project that has the merge request.
    pub project: String,
    pub merge_request: String,
    /// Of a server with a certificate of its own authority.
    pub ca_file: Option<PathBuf>,
}

/// Why nothing can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    NotInGitlab,
    NoMergeRequest,
    /// Pipelines of forks have none, as protected variables are not for them.
    NoToken,
}

impl Job {
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Missing> {
        let api = variable("CI_API_V4_URL").ok_or(Missing::NotInGitlab)?;
        let merge_request = variable("CI_MERGE_REQUEST_IID").ok_or(Missing::NoMergeRequest)?;
        let project = variable("CI_MERGE_REQUEST_PROJECT_ID").or_else(|| variable("CI_PROJECT_ID"));
        Ok(Self {
            api: api.trim_end_matches('/').to_owned(),
            project: project.ok_or(Missing::NoMergeRequest)?,
            merge_request,
            token: variable(TOKEN).ok_or(Missing::NoToken)?,
            ca_file: variable("CI_SERVER_TLS_CA_FILE").map(PathBuf::from),
        })
    }
}

impl Missing {
    /// For people, with what to do about it.
    pub fn words(self) -> String {
        match self {
            Self::NotInGitlab => "no note: this is not a job of GitLab (`CI_API_V4_URL` is not set)".to_owned(),
            Self::NoMergeRequest => {
                "no note: this pipeline is not of a merge request (`CI_MERGE_REQUEST_IID` is not set)".to_owned()
            }
            Self::NoToken => format!(
                "no note: `{TOKEN}` is not set; a job's own token may not write notes, an access token of the project with the scope \
                 `api` may, as a masked variable (pipelines of forks do not get it)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let of = |set: &[(&str, &str)]| {
            let found = |name: &str| {
                let mut all = set.iter();
                all.find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            Job::of(found)
                .map(|job| (job.api, job.project))
                .map_err(Missing::words)
        };
        let api = ("CI_API_V4_URL", "https://gitlab.example.com/api/v4/");
        let iid = ("CI_MERGE_REQUEST_IID", "7");
        let project = ("CI_PROJECT_ID", "3");
        assert!(of(&[]).unwrap_err().contains("CI_API_V4_URL"));
        assert!(of(&[api]).unwrap_err().contains("CI_MERGE_REQUEST_IID"));
        assert!(
            of(&[api, iid, project])
                .unwrap_err()
                .contains("ESCALE_GITLAB_TOKEN")
        );
        let all = of(&[
            api,
            iid,
            project,
            ("ESCALE_GITLAB_TOKEN", "t"),
            ("CI_MERGE_REQUEST_PROJECT_ID", "4"),
        ]);
        assert_eq!(
            all,
            Ok((
                "https://gitlab.example.com/api/v4".to_owned(),
                "4".to_owned()
            ))
        );
    }
}
