//! The ingress controller of a simulated cluster: what the domains of its Ingresses answer.
//!
//! A host leads to the first path that covers the request, and so to a Service; some pod behind it that is ready answers
//! with 200, nobody with 503, and 404 is said of hosts that no Ingress has. An image says what its pages are:
//! `web:1.2.3-error-page` answers 500, `web:1.2.3-blank-page` nothing at all in 200.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::Value;

use super::SimCluster;
use super::behaviour::images;
use super::object::ObjectId;
use super::state::State;
use super::view::View;

/// Answers requests for pages by their `Host`.
#[derive(Clone)]
pub struct Ingress {
    cluster: SimCluster,
    hosts: Arc<Mutex<Hosts>>,
}

/// Which Ingress has which host, up to a version of the cluster.
#[derive(Default)]
struct Hosts {
    known: BTreeMap<String, ObjectId>,
    version: u64,
}

impl SimCluster {
    /// What stands before its pages.
    pub fn ingress(&self) -> Ingress {
        Ingress {
            cluster: self.clone(),
            hosts: Arc::default(),
        }
    }
}

impl tower::Service<Request<Bytes>> for Ingress {
    type Response = Response<Bytes>;
    type Error = io::Error;
    type Future = Ready<io::Result<Response<Bytes>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        ready(self.answer(&request))
    }
}

impl Ingress {
    pub(super) fn answer(&self, request: &Request<Bytes>) -> io::Result<Response<Bytes>> {
        let now = self.cluster.now();
        let state = self.cluster.state(now);
        if !state.faults.has_ingress(now) {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        }
        let host = request.headers().get(http::header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
        let (status, body) = match self.backend(&state, host, request.uri().path()) {
            Some((namespace, service)) => page(&state, &namespace, &service, host),
            None => (StatusCode::NOT_FOUND, String::new()),
        };
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        Ok(response)
    }

    /// The Service that answers for a path of a host, and its namespace.
    fn backend(&self, state: &State, host: &str, path: &str) -> Option<(String, String)> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.bring_up(state);
        let id = hosts.known.get(host)?;
        let ingress = state.value(id)?;
        let rules = ingress["spec"]["rules"].as_array()?.iter();
        let mut paths = rules
            .filter(|rule| rule["host"] == host)
            .flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten());
        let covers = |entry: &&Value| {
            entry["path"]
                .as_str()
                .is_none_or(|begin| path.starts_with(begin))
        };
        let service = &paths.find(covers)?["backend"]["service"]["name"];
        Some((id.namespace()?.to_owned(), service.as_str()?.to_owned()))
    }
}

impl Hosts {
    /// Reads what was written since.
    fn bring_up(&mut self, state: &State) {
        let version = state.store.revision();
        let kind = state.built_in("ingresses.networking.k8s.io");
        let written = state.store.list(kind, None);
        let written = written.filter(|(_, stored)| self.version < stored.head.revision);
        for (id, stored) in written {
            let ingress = stored.value(state.kinds.of(kind));
            self.known.retain(|_, known| known != id);
            let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
            let hosts = rules.filter_map(|rule| rule["host"].as_str());
            self.known
                .extend(hosts.map(|host| (host.to_owned(), id.clone())));
        }
        self.version = version;
    }
}

/// What the pods behind a Service answer.
fn page(state: &State, namespace: &str, service: &str, host: &str) -> (StatusCode, String) {
    let id = ObjectId::new(state.built_in("services"), Some(namespace), service);
    let service = state.value(&id);
    let selector = service.as_ref().map(|service| &service["spec"]["selector"]);
    let Some(selector) = selector.and_then(Value::as_object) else {
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    };
    let mut pods = state.store.list(state.built_in("pods"), Some(namespace));
    let ready = pods.find(|(_, stored)| {
        let head = &stored.head;
        let mut labels = selector.iter();
        head.is_ready() && labels.all(|(key, value)| head.label(key) == value.as_str())
    });
    match ready.and_then(|(id, _)| state.view(id)) {
        Some(pod) => told(&pod, host),
        None => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
    }
}

fn told(pod: &View, host: &str) -> (StatusCode, String) {
    let has = |word: &str| images(pod).any(|image| image.contains(word));
    if has("-error-page") {
        (StatusCode::INTERNAL_SERVER_ERROR, String::new())
    } else if has("-blank-page") {
        (StatusCode::OK, String::new())
    } else {
        (StatusCode::OK, format!("Welcome to {host}\n"))
    }
}
