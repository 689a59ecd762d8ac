//! Requests to GitLab's API. Source: GitLab `doc/api/notes.md`, `doc/api/users.md`, `doc/api/rest/index.md` (pages).

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::Job;

/// Nobody waits longer for a note.
const PATIENCE: Duration = Duration::from_secs(20);
const PAGE: usize = 100;
/// A merge request with more notes is one that nobody reads.
const PAGES: usize = 50;

/// What went wrong. It never has the token in it.
#[derive(Debug)]
pub enum Trouble {
    /// This is not for us to do.
    Forbidden(String),
    Other(String),
}

#[derive(Deserialize)]
pub struct User {
    pub id: u64,
}

/// A note of a merge request.
#[derive(Deserialize)]
pub struct Note {
    pub id: u64,
    pub body: String,
    pub author: User,
    #[serde(default)]
    pub system: bool,
}

pub struct Gitlab {
    client: Client,
    token: String,
    api: String,
    /// Where the notes of the merge request are.
    notes: String,
}

impl Gitlab {
    pub fn new(job: &Job) -> Result<Self, Trouble> {
        Ok(Self {
            client: client(job.ca_file.as_deref())?,
            token: job.token.clone(),
            api: job.api.clone(),
            notes: format!(
                "{}/projects/{}/merge_requests/{}/notes",
                job.api, job.project, job.merge_request
            ),
        })
    }

    /// Whose token it is.
    pub async fn user(&self) -> Result<User, Trouble> {
        let request = self.client.get(format!("{}/user", self.api));
        read(self.send(request).await?).await
    }

    /// The notes of the merge request, oldest first.
    pub async fn notes(&self) -> Result<Vec<Note>, Trouble> {
        let mut notes = Vec::new();
        for page in 1..=PAGES {
            let request = self.client.get(&self.notes).query(&[
                ("per_page", PAGE.to_string()),
                ("page", page.to_string()),
                ("sort", "asc".to_owned()),
                ("order_by", "created_at".to_owned()),
            ]);
            let some: Vec<Note> = read(self.send(request).await?).await?;
            let is_last = some.len() < PAGE;
            notes.extend(some);
            if is_last {
                break;
            }
        }
        Ok(notes)
    }

    pub async fn create(&self, body: &str) -> Result<(), Trouble> {
        let request = self.client.post(&self.notes).json(&json!({"body": body}));
        self.send(request).await.map(|_| ())
    }

    pub async fn update(&self, note: u64, body: &str) -> Result<(), Trouble> {
        let address = format!("{}/{note}", self.notes);
        let request = self.client.put(address).json(&json!({"body": body}));
        self.send(request).await.map(|_| ())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Trouble> {
        checked(request.header("PRIVATE-TOKEN", &self.token)).await
    }
}

/// Sends a request that has its token; whatever is no success is a trouble.
pub async fn checked(request: RequestBuilder) -> Result<Response, Trouble> {
    let answer = request.send().await.map_err(|error| told(&error))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    // What a server says may repeat what was sent: the status is enough.
    let why = format!("GitLab answered {status}");
    Err(match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Trouble::Forbidden(why),
        _ => Trouble::Other(why),
    })
}

/// What an address of a GitLab answers to anybody, without a token.
pub async fn get_json<T: serde::de::DeserializeOwned>(address: &str) -> Result<T, String> {
    let own = std::env::var_os("CI_SERVER_TLS_CA_FILE").map(PathBuf::from);
    let client = client(own.as_deref()).map_err(|trouble| trouble.to_string())?;
    let answer = client.get(address).send().await;
    let answer = answer.and_then(Response::error_for_status);
    let read = match answer {
        Ok(answer) => answer.json().await,
        Err(error) => Err(error),
    };
    read.map_err(|error| told(&error).to_string())
}

pub fn client(ca_file: Option<&Path>) -> Result<Client, Trouble> {
    let mut builder = Client::builder().timeout(PATIENCE);
    if let Some(path) = ca_file {
        let read = std::fs::read(path);
        let read =
            read.map_err(|error| Trouble::Other(format!("`{}`: {error}", path.display())))?;
        let own = Certificate::from_pem_bundle(&read).map_err(|error| told(&error))?;
        builder = builder.tls_certs_merge(own);
    }
    builder.build().map_err(|error| told(&error))
}

pub async fn read<T: serde::de::DeserializeOwned>(answer: Response) -> Result<T, Trouble> {
    answer.json().await.map_err(|error| told(&error))
}

/// The innermost reason; addresses of requests are not repeated.
fn told(error: &reqwest::Error) -> Trouble {
    let mut source: &dyn std::error::Error = error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    Trouble::Other(format!("GitLab cannot be asked: {source}"))
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(why) | Self::Other(why) => f.write_str(why),
        }
    }
}
