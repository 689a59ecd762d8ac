//! One request to an API server: bounded, in time and in number, and sent again when that is safe.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::Limits;
use super::kind::Kinds;
use super::trouble::{CallError, is_passing};

/// First pause before a retry; doubled each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
pub(super) const JSON: &str = "application/json";

/// Sends requests of one cluster.
pub(super) struct Caller {
    client: kube::Client,
    limits: Limits,
    permits: Semaphore,
    /// Whether the cluster answered the last call. One that never did, or was given up, is not
    /// waited for as long as one that just vanished.
    answers: AtomicBool,
    /// Counts retries, so that each takes another pause.
    turn: AtomicU64,
    reads: AtomicU64,
    dry_runs: AtomicU64,
    writes: AtomicU64,
    /// Replaced as a whole when kinds are asked for anew.
    kinds: Mutex<Arc<OnceCell<Arc<Kinds>>>>,
}

/// Requests sent, every attempt counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    pub reads: u64,
    pub dry_runs: u64,
    pub writes: u64,
}

/// One request. Every request that we make may be sent twice: reads; applies; creates under a name
/// of ours; replaces that carry a resourceVersion; deletes that carry a uid.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) accept: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    /// The caller's own limit for the whole call, if it is shorter than ours.
    pub(super) within: Option<Duration>,
}

/// One attempt that was not a success.
struct Failure {
    error: CallError,
    again: bool,
    retry_after: Option<Duration>,
}

impl Call {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            accept: JSON,
            content_type: JSON,
            body: Bytes::new(),
            within: None,
        }
    }

    pub(super) fn with_body(method: Method, path: impl Into<String>, body: &Value) -> Self {
        Self {
            method,
            body: body.to_string().into(),
            ..Self::get(path)
        }
    }

    pub(super) fn query(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    fn uri(&self) -> String {
        let pairs = self
            .query
            .iter()
            .map(|(key, value)| format!("{key}={}", escape(value)));
        match pairs.collect::<Vec<_>>().join("&") {
            query if query.is_empty() => self.path.clone(),
            query => format!("{}?{query}", self.path),
        }
    }

    fn is_dry_run(&self) -> bool {
        self.query.iter().any(|(key, _)| *key == "dryRun")
    }
}

impl Caller {
    pub(super) fn new(client: kube::Client, limits: Limits) -> Self {
        Self {
            client,
            limits,
            permits: Semaphore::new(limits.max_requests.max(1)),
            answers: AtomicBool::new(false),
            turn: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            dry_runs: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            kinds: Mutex::default(),
        }
    }

    pub(super) fn requests(&self) -> Requests {
        Requests {
            reads: self.reads.load(Ordering::Relaxed),
            dry_runs: self.dry_runs.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }

    /// Where the kinds are kept once they were asked for.
    pub(super) fn kinds(&self) -> Arc<OnceCell<Arc<Kinds>>> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&kinds)
    }

    /// Forgets the kinds: a definition was just installed.
    pub(super) fn forget_kinds(&self) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        *kinds = Arc::default();
    }

    /// Sends a request until it succeeds, fails for good, or its time is over. Waiting for its
    /// turn counts only against the caller's own limit.
    pub(super) async fn call(&self, call: &Call) -> Result<Bytes, CallError> {
        match call.within {
            None => self.call_until(call, self.limits.call).await,
            Some(within) => {
                let limited = timeout(within, self.call_until(call, within)).await;
                limited.unwrap_or_else(|_| Err(CallError::Unreachable(no_answer(within))))
            }
        }
    }

    async fn call_until(&self, call: &Call, longest: Duration) -> Result<Bytes, CallError> {
        let mut began = None;
        let mut attempts = 0;
        loop {
            let permit = self.permits.acquire().await;
            let began = *began.get_or_insert_with(Instant::now);
            let end = began + longest.min(self.limits.call);
            let outcome = self.attempt(call, end).await;
            drop(permit);
            let failure = match outcome {
                Ok(body) => {
                    self.answers.store(true, Ordering::Relaxed);
                    return Ok(body);
                }
                Err(failure) => failure,
            };
            // Who says no, or when to come back, is there.
            if !failure.again || failure.retry_after.is_some() {
                self.answers.store(true, Ordering::Relaxed);
            }
            if !failure.again {
                return Err(failure.error);
            }
            attempts += 1;
            let pause = self.pause(attempts, failure.retry_after);
            if self.patience(began, end) <= Instant::now() + pause {
                self.answers.store(false, Ordering::Relaxed);
                return Err(failure.error);
            }
            sleep(pause).await;
        }
    }

    /// Until when a call is sent again.
    fn patience(&self, began: Instant, end: Instant) -> Instant {
        if self.answers.load(Ordering::Relaxed) {
            end
        } else {
            end.min(began + self.limits.first_answer)
        }
    }

    /// Calls, and reads the answer as JSON.
    pub(super) async fn json(&self, call: &Call) -> Result<Value, CallError> {
        read_json(&self.call(call).await?)
    }

    async fn attempt(&self, call: &Call, end: Instant) -> Result<Bytes, Failure> {
        let left = end.saturating_duration_since(Instant::now());
        let limit = self.limits.attempt.min(left);
        match timeout(limit, self.send(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::cut(no_answer(limit))),
        }
    }

    async fn send(&self, call: &Call) -> Result<Bytes, Failure> {
        self.count(call);
        let request = Request::builder()
            .method(call.method.clone())
            .uri(call.uri())
            .header(ACCEPT, call.accept)
            .header(CONTENT_TYPE, call.content_type)
            .body(call.body.to_vec().into())
            .map_err(|error| Failure::never(CallError::Invalid(error.to_string())))?;
        let response = self
            .client
            .send(request)
            .await
            .map_err(|error| Failure::of_client(&error))?;
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| Failure::cut(error.to_string()))?
            .to_bytes();
        if parts.status.is_success() {
            Ok(body)
        } else {
            Err(Failure::of_answer(parts.status, &parts.headers, &body))
        }
    }

    fn count(&self, call: &Call) {
        let counter = match call.method {
            Method::GET => &self.reads,
            _ if call.is_dry_run() => &self.dry_runs,
            _ => &self.writes,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What the server asks for, up to a limit; else exponential, between half and all of it.
    fn pause(&self, attempts: u32, retry_after: Option<Duration>) -> Duration {
        let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts - 1));
        let pause = retry_after.unwrap_or(doubled).min(LONGEST_PAUSE);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let jitter = mix(self.limits.seed.wrapping_add(turn)) % 500;
        match retry_after {
            Some(_) => pause + Duration::from_millis(jitter / 5),
            None => pause / 2 + pause.saturating_mul(u32::try_from(jitter).unwrap_or(0)) / 1000,
        }
    }
}

impl Failure {
    fn never(error: CallError) -> Self {
        Self {
            error,
            again: false,
            retry_after: None,
        }
    }

    /// The connection broke, or nobody answered: the request may have been carried out.
    fn cut(message: String) -> Self {
        Self {
            error: CallError::Unreachable(message),
            again: true,
            retry_after: None,
        }
    }

    fn of_client(error: &kube::Error) -> Self {
        let message = root_cause(error);
        match error {
            kube::Error::Auth(_) => Self::never(CallError::Unauthenticated(message)),
            _ => Self::cut(message),
        }
    }

    fn of_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let seconds = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            error: CallError::of(status, body),
            again: is_passing(status, body),
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

pub(super) fn read_json(body: &[u8]) -> Result<Value, CallError> {
    serde_json::from_slice(body)
        .map_err(|error| CallError::Unreachable(format!("its answer is no JSON: {error}")))
}

/// The innermost cause says it best: `connection refused`, `certificate has expired`.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Percent-encodes what has a meaning in a query.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => {
                escaped.push('%');
                escaped.extend([byte >> 4, byte & 15].map(hex_digit));
            }
        }
    }
    escaped
}

fn hex_digit(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble)])
}

fn no_answer(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs_f32().ceil())
}

/// A good mixture of the bits of a number (`SplitMix64`).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
