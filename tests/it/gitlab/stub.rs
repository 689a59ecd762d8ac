//! A GitLab API server that knows notes, users and pipelines' merge requests, and complains of every request that is not
//! as GitLab's documentation says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

/// GitLab takes no longer note.
const LONGEST: usize = 1_000_000;

/// A server for as long as this is there.
pub struct Stub {
    pub address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    /// `(id, author, body)`, oldest first.
    pub notes: Vec<(u64, u64, String)>,
    /// `METHOD path`, in order.
    pub requests: Vec<String>,
    /// What was not as documented.
    pub complaints: Vec<String>,
    /// Answers instead, for requests that begin so.
    pub refuses: Option<(&'static str, u16)>,
    /// `(environment, sha, status)`, by id from 1.
    pub deployments: Vec<(String, String, String)>,
    /// What a webhook of a chat beside it was told.
    pub told: Vec<String>,
    /// With which it signs tokens.
    pub keys: Value,
}

/// Whose token it is.
pub const BOT: u64 = 42;
pub const TOKEN: &str = "glpat-planted-token";
/// What a job has without anybody's doing.
pub const JOB_TOKEN: &str = "glcbt-planted-token";

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Stub {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!(
            "http://{}/api/v4",
            listener.local_addr().expect("an address")
        );
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    /// Where it is, without the path of its API.
    pub fn root(&self) -> &str {
        self.address.trim_end_matches("/api/v4")
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a job of merge request 7 of project 3 knows.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("GITLAB_CI", "true".to_owned()),
            ("CI_API_V4_URL", self.address.clone()),
            ("CI_PROJECT_ID", "3".to_owned()),
            ("CI_MERGE_REQUEST_PROJECT_ID", "3".to_owned()),
            ("CI_MERGE_REQUEST_IID", "7".to_owned()),
            ("ESCALE_GITLAB_TOKEN", TOKEN.to_owned()),
            ("CI_JOB_TOKEN", JOB_TOKEN.to_owned()),
        ]
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    while let Some(request) = read(&mut reader) {
        let (status, body) = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.answer(&request)
        };
        let body = body.to_string();
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream
            .write_all(format!("{head}{body}").as_bytes())
            .is_err()
        {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = (path.to_owned(), query.to_owned());
    Some(Request {
        method,
        path,
        query,
        headers,
        body,
    })
}

impl State {
    fn answer(&mut self, request: &Request) -> (u16, Value) {
        let told = format!("{} {}", request.method, request.path);
        self.requests.push(told.clone());
        if told == "GET /oauth/discovery/keys" {
            return (200, self.keys.clone());
        }
        if told == "POST /hooks/planted-hook" {
            let sent: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            self.told
                .push(sent["text"].as_str().unwrap_or_default().to_owned());
            return (200, json!("ok"));
        }
        if let Some(rest) = request.path.strip_prefix("/api/v4/projects/3/deployments") {
            return match request.header("job-token") {
                Some(JOB_TOKEN) => self.deploy(request, rest),
                _ => (401, json!({"message": "401 Unauthorized"})),
            };
        }
        let token = request.header("private-token");
        if token != Some(TOKEN) {
            return (401, json!({"message": "401 Unauthorized"}));
        }
        if let Some((_, status)) = self
            .refuses
            .filter(|(refused, _)| told.starts_with(refused))
        {
            return (status, json!({"message": "no"}));
        }
        let notes = "/api/v4/projects/3/merge_requests/7/notes";
        match (request.method.as_str(), request.path.strip_prefix(notes)) {
            ("GET", Some("")) => self.list(request),
            ("POST", Some("")) => self.write(request, None),
            ("PUT", Some(id)) => match id.trim_start_matches('/').parse() {
                Ok(id) => self.write(request, Some(id)),
                Err(_) => (404, json!({"message": "404 Not found"})),
            },
            ("GET", None) if request.path == "/api/v4/user" => {
                (200, json!({"id": BOT, "username": "bot"}))
            }
            _ => {
                self.complaints.push(format!("there is no {told}"));
                (404, json!({"message": "404 Not found"}))
            }
        }
    }

    /// As `doc/api/deployments.md` says: a list with filters, a new one with all its attributes, another status.
    fn deploy(&mut self, request: &Request, rest: &str) -> (u16, Value) {
        let sent: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = |name: &str| sent[name].as_str().map(str::to_owned);
        let status = text("status").filter(|status| {
            ["running", "success", "failed", "canceled"].contains(&status.as_str())
        });
        let id = rest.trim_start_matches('/').parse::<usize>().ok();
        match (request.method.as_str(), id, status) {
            ("GET", None, _) => self.running(request),
            ("POST", None, Some(status)) => {
                let (environment, sha) = (text("environment"), text("sha"));
                let is_whole = text("ref").is_some() && sent["tag"].is_boolean();
                let (Some(environment), Some(sha), true) = (environment, sha, is_whole) else {
                    self.complaints.push(format!("a deployment of {sent}"));
                    return (400, json!({"error": "is missing"}));
                };
                self.deployments.push((environment, sha.clone(), status));
                (201, json!({"id": self.deployments.len(), "sha": sha}))
            }
            ("PUT", Some(id), Some(status)) if (1..=self.deployments.len()).contains(&id) => {
                self.deployments[id - 1].2 = status;
                (200, json!({"id": id, "sha": self.deployments[id - 1].1}))
            }
            _ => {
                self.complaints
                    .push(format!("a deployment by {} {rest}", request.method));
                (404, json!({"message": "404 Not found"}))
            }
        }
    }

    /// The newest first.
    fn running(&mut self, request: &Request) -> (u16, Value) {
        let wanted = "&status=running&order_by=id&sort=desc&per_page=20";
        let environment = request.query.strip_prefix("environment=");
        let environment = environment.and_then(|rest| rest.strip_suffix(wanted));
        let Some(environment) = environment.map(|name| name.replace("%2F", "/")) else {
            self.complaints
                .push(format!("deployments of `{}`", request.query));
            return (400, json!({"error": "is not documented"}));
        };
        let all = self.deployments.iter().enumerate().rev();
        let found = all.filter(|(_, (at, _, status))| *at == environment && status == "running");
        let found = found.map(|(at, (_, sha, _))| json!({"id": at + 1, "sha": sha}));
        (200, Value::Array(found.collect()))
    }

    /// Pages as documented: `page` from 1, `per_page` up to 100.
    fn list(&mut self, request: &Request) -> (u16, Value) {
        let number = |name: &str, default: usize| {
            let mut pairs = request
                .query
                .split('&')
                .filter_map(|pair| pair.split_once('='));
            pairs
                .find(|(key, _)| *key == name)
                .map_or(Some(default), |(_, value)| value.parse().ok())
        };
        let (Some(page), Some(size @ 1..=100)) = (number("page", 1), number("per_page", 20)) else {
            self.complaints
                .push(format!("pages of `{}`", request.query));
            return (
                400,
                json!({"error": "per_page does not have a valid value"}),
            );
        };
        let notes = self.notes.iter().skip((page - 1) * size).take(size);
        let notes = notes.map(|(id, author, body)| {
            json!({"id": id, "body": body, "system": false, "author": {"id": author, "username": "x"}})
        });
        (200, Value::Array(notes.collect()))
    }

    fn write(&mut self, request: &Request, id: Option<u64>) -> (u16, Value) {
        let sent: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let is_json = request.header("content-type") == Some("application/json");
        let body = sent["body"].as_str().map(str::to_owned);
        let Some(body) = body
            .filter(|body| is_json && !body.trim().is_empty() && body.chars().count() <= LONGEST)
        else {
            self.complaints
                .push(format!("a note of {} bytes", request.body.len()));
            return (400, json!({"error": "body is missing or too long"}));
        };
        if let Some(action) = quick_action(&body) {
            self.complaints.push(format!("a quick action: {action}"));
        }
        match id {
            None => {
                let id = 100 + self.notes.len() as u64;
                self.notes.push((id, BOT, body));
                (201, json!({"id": id}))
            }
            Some(id) => match self.notes.iter_mut().find(|(known, _, _)| *known == id) {
                Some((_, BOT, known)) => {
                    *known = body;
                    (200, json!({"id": id}))
                }
                Some(_) => (403, json!({"message": "403 Forbidden"})),
                None => (404, json!({"message": "404 Not found"})),
            },
        }
    }
}

/// A line that GitLab would act on: it begins with a slash and a word, outside of fences.
fn quick_action(body: &str) -> Option<&str> {
    let mut fence: Option<&str> = None;
    for line in body.lines() {
        let start = line.trim_start();
        let ticks = start.len() - start.trim_start_matches('`').len();
        let acts = start.starts_with('/')
            && start[1..].starts_with(|first: char| first.is_ascii_alphabetic());
        match fence {
            Some(open) if start.trim_end() == open => fence = None,
            None if ticks >= 3 => fence = Some(&start[..ticks]),
            None if acts => return Some(line),
            Some(_) | None => {}
        }
    }
    None
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}
