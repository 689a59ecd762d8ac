//! Deployments: what GitLab shows of a rollout, one for each part of the fleet, never one for each tenant.
//!
//! Source: GitLab `doc/api/deployments.md`. A job's own token may write them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::json;

use super::client::{Trouble, checked, client, read};

/// A pipeline has no more deployments than this by default (`ci_pipeline_deployments`).
const MOST: usize = 500;
/// Of the running ones of an environment, so many are looked at.
const LATEST: &str = "20";

/// The job that deploys, and what it deploys.
#[derive(Clone)]
pub struct Deployer {
    /// `https://gitlab.example.com/api/v4`
    pub api: String,
    pub project: String,
    /// The job's own.
    pub token: String,
    /// The branch or tag of the pipeline.
    pub reference: String,
    pub is_tag: bool,
    /// The commit that is rolled out.
    pub commit: String,
    /// Of a server with a certificate of its own authority.
    pub ca_file: Option<PathBuf>,
}

/// How a deployment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentStatus {
    Success,
    Failed,
    /// Nothing of it was attempted.
    Canceled,
}

/// Deployments that run, by environment.
pub struct Deployments {
    deployer: Deployer,
    client: Client,
    running: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Deployment {
    id: u64,
    sha: String,
}

impl Deployer {
    /// What the variables of a job say; or which one is missing.
    pub fn of(
        commit: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, &'static str> {
        let needed = |name: &'static str| variable(name).ok_or(name);
        Ok(Self {
            api: needed("CI_API_V4_URL")?.trim_end_matches('/').to_owned(),
            project: needed("CI_PROJECT_ID")?,
            token: needed("CI_JOB_TOKEN")?,
            reference: needed("CI_COMMIT_REF_NAME")?,
            is_tag: variable("CI_COMMIT_TAG").is_some(),
            commit: commit.to_owned(),
            ca_file: variable("CI_SERVER_TLS_CA_FILE").map(PathBuf::from),
        })
    }
}

impl Deployments {
    pub fn new(deployer: Deployer) -> Result<Self, String> {
        let client = client(deployer.ca_file.as_deref()).map_err(|trouble| trouble.to_string())?;
        Ok(Self {
            deployer,
            client,
            running: BTreeMap::new(),
        })
    }

    /// Begins one in each of these environments, or goes on with the one that a job before has begun. The first trouble
    /// ends it: nothing hangs on it.
    pub async fn begin(&mut self, environments: &[String]) -> Result<(), String> {
        if environments.len() > MOST {
            let count = environments.len();
            return Err(format!(
                "{count} environments are more than GitLab takes ({MOST})"
            ));
        }
        for environment in environments {
            let id = self
                .one(environment)
                .await
                .map_err(|trouble| trouble.to_string())?;
            self.running.insert(environment.clone(), id);
        }
        Ok(())
    }

    /// Ends those that were begun.
    pub async fn end(
        &mut self,
        statuses: &BTreeMap<String, DeploymentStatus>,
    ) -> Result<(), String> {
        for (environment, status) in statuses {
            let Some(id) = self.running.remove(environment) else {
                continue;
            };
            let address = format!("{}/{id}", self.address());
            let request = self
                .client
                .put(address)
                .json(&json!({"status": status.as_str()}));
            self.send(request)
                .await
                .map_err(|trouble| trouble.to_string())?;
        }
        Ok(())
    }

    async fn one(&self, environment: &str) -> Result<u64, Trouble> {
        let running = self.client.get(self.address()).query(&[
            ("environment", environment),
            ("status", "running"),
            ("order_by", "id"),
            ("sort", "desc"),
            ("per_page", LATEST),
        ]);
        let running: Vec<Deployment> = read(self.send(running).await?).await?;
        let commit = &self.deployer.commit;
        if let Some(begun) = running.iter().find(|one| one.sha == *commit) {
            return Ok(begun.id);
        }
        let request = self.client.post(self.address()).json(&json!({
            "environment": environment,
            "sha": commit,
            "ref": self.deployer.reference,
            "tag": self.deployer.is_tag,
            "status": "running",
        }));
        let begun: Deployment = read(self.send(request).await?).await?;
        Ok(begun.id)
    }

    fn address(&self) -> String {
        format!(
            "{}/projects/{}/deployments",
            self.deployer.api, self.deployer.project
        )
    }

    async fn send(&self, request: RequestBuilder) -> Result<reqwest::Response, Trouble> {
        checked(request.header("JOB-TOKEN", &self.deployer.token)).await
    }
}

impl DeploymentStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }
}
