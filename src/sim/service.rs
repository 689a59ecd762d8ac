//! The door: HTTP in, HTTP out, and everything that can go wrong on the way.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, header};
use http_body_util::{BodyExt, Full};
use kube::client::Body;

use super::SimCluster;
use super::discovery;
use super::faults::Fate;
use super::log::{LoggedRequest, Lost, Verb};
use super::refusal::Refusal;
use super::request::Request;

/// What a [`kube::Client`] talks to.
#[derive(Clone)]
pub struct ApiServer(pub SimCluster);

/// A body and its status code.
pub struct Answer {
    pub code: u16,
    pub body: Vec<u8>,
    retry_after: Option<u32>,
}

impl tower::Service<http::Request<Body>> for ApiServer {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let cluster = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            cluster
                .answer(&parts, body)
                .await
                .map(Answer::into_response)
        })
    }
}

impl SimCluster {
    async fn answer(&self, parts: &Parts, body: Bytes) -> Result<Answer, io::Error> {
        let (latency, fate) = self.fate(parts);
        let limit = server_timeout(parts).filter(|limit| *limit < latency);
        let wait = limit.unwrap_or(latency);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        if self.locked().faults.is_unreachable(self.now()) {
            return Err(self.lose(parts, body, Lost::Unreachable));
        }
        if limit.is_some() {
            return Ok(self.refuse(parts, body, &timed_out()));
        }
        match fate {
            Fate::Cut => Err(self.lose(parts, body, Lost::CutBeforeLanding)),
            Fate::TooMany => Ok(self.refuse(parts, body, &too_many())),
            Fate::Internal => Ok(self.refuse(parts, body, &internal())),
            Fate::Unavailable => Ok(self.refuse(parts, body, &unavailable())),
            Fate::Lost => {
                self.process(parts, &body);
                Err(self.lose(parts, body, Lost::CutAfterLanding))
            }
            Fate::Answered => {
                let answer = self.process(parts, &body);
                self.note(parts, body, Ok(answer.code));
                Ok(answer)
            }
        }
    }

    fn fate(&self, parts: &Parts) -> (Duration, Fate) {
        let mut state = self.locked();
        let seed = state.seed;
        let request = format!("{} {}", parts.method, parts.uri);
        state.faults.fate(seed, &request)
    }

    fn process(&self, parts: &Parts, body: &Bytes) -> Answer {
        let now = self.now();
        let mut state = self.state(now);
        if state.faults.is_unauthorized() {
            return Answer::refusal(&Refusal::new(401, "Unauthorized", "Unauthorized"));
        }
        if parts.method == Method::GET
            && let Some(answer) = discovery::answer(&state, parts)
        {
            return answer;
        }
        let request = Request::parse(parts, body.clone(), &state.kinds);
        let answer = request.and_then(|request| state.handle(&request, now));
        answer.unwrap_or_else(|refusal| Answer::refusal(&refusal))
    }

    fn refuse(&self, parts: &Parts, body: Bytes, refusal: &Refusal) -> Answer {
        self.note(parts, body, Ok(refusal.code));
        Answer::refusal(refusal)
    }

    fn lose(&self, parts: &Parts, body: Bytes, lost: Lost) -> io::Error {
        self.note(parts, body, Err(lost));
        match lost {
            Lost::Unreachable => io::Error::new(
                io::ErrorKind::ConnectionRefused,
                "connection refused: the cluster is unreachable",
            ),
            Lost::CutBeforeLanding | Lost::CutAfterLanding => {
                io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer")
            }
        }
    }

    fn note(&self, parts: &Parts, body: Bytes, answer: Result<u16, Lost>) {
        let at = self.now();
        let mut state = self.locked();
        let logged = match Request::parse(parts, body, &state.kinds) {
            Ok(request) => LoggedRequest {
                at,
                verb: request.verb,
                resource: state.kinds.of(request.kind).resource(),
                dry_run: request.is_dry_run(),
                manager: request.query.get("fieldManager").map(str::to_owned),
                namespace: request.namespace,
                name: Some(request.name).filter(|name| !name.is_empty()),
                answer,
            },
            Err(_) => LoggedRequest {
                at,
                verb: Verb::Discover,
                resource: parts.uri.path().to_owned(),
                namespace: None,
                name: None,
                dry_run: false,
                manager: None,
                answer,
            },
        };
        state.log.push(logged);
    }
}

impl Answer {
    pub fn ok(body: Vec<u8>) -> Self {
        Self::with(200, body)
    }

    pub fn with(code: u16, body: Vec<u8>) -> Self {
        Self {
            code,
            body,
            retry_after: None,
        }
    }

    pub fn refusal(refusal: &Refusal) -> Self {
        let body = if refusal.is_bare_text() {
            refusal.message.clone()
        } else {
            refusal.status().to_string()
        };
        Self {
            code: refusal.code,
            body: body.into_bytes(),
            retry_after: refusal.retry_after,
        }
    }

    fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::builder()
            .status(self.code)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(seconds) = self.retry_after {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        let body = Full::new(self.body.into());
        response.body(body).expect("status and headers are valid")
    }
}

/// What the client asks the server to give up after.
fn server_timeout(parts: &Parts) -> Option<Duration> {
    let query = parts.uri.query()?;
    let text = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("timeout="))?;
    let seconds = text.strip_suffix('s').unwrap_or(text).parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn timed_out() -> Refusal {
    Refusal::new(
        504,
        "Timeout",
        "Timeout: request did not complete within requested timeout - context deadline exceeded",
    )
}

fn too_many() -> Refusal {
    Refusal {
        retry_after: Some(1),
        ..Refusal::new(
            429,
            "TooManyRequests",
            "The server has received too many requests and has asked us to try again later",
        )
    }
}

fn internal() -> Refusal {
    Refusal::new(
        500,
        "InternalError",
        "Internal error occurred: etcdserver: leader changed",
    )
}

fn unavailable() -> Refusal {
    Refusal::new(
        503,
        "ServiceUnavailable",
        "the server is currently unable to handle the request",
    )
}
