//! Requests to sites, and what they answer: straight to the address of a cluster's ingress, by the name of each domain,
//! so that no public DNS is asked.

mod certificates;
#[cfg(test)]
mod tests;
mod way;

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::header::{HOST, HeaderMap, LOCATION};
use jiff::SignedDuration;
use tokio::time::{Instant, timeout};
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::health::{Answer, Page, Question};
use certificates::Certificates;
use way::Way;

/// As much of a page as is read.
const LARGEST: usize = 64 * 1024;

/// The ingress of one cluster.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

enum Inner {
    /// Made when somebody asks.
    Network((String, u16), OnceLock<Result<Way, String>>),
    Simulated(Service),
}

type Service = BoxCloneSyncService<http::Request<Bytes>, http::Response<Bytes>, io::Error>;

impl Door {
    /// The door at an address: a host and a port.
    pub fn at(address: (String, u16)) -> Self {
        Self(Arc::new(Inner::Network(address, OnceLock::new())))
    }

    /// The door of a simulated cluster, where there is no TLS.
    pub fn simulated<S>(ingress: S) -> Self
    where
        S: tower::Service<
                http::Request<Bytes>,
                Response = http::Response<Bytes>,
                Error = io::Error,
            > + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        Self(Arc::new(Inner::Simulated(Service::new(ingress))))
    }

    /// Asks once, and waits no longer than the question allows.
    pub async fn ask(&self, question: &Question) -> Answer {
        let within = question.probe.within.to_std();
        let began = Instant::now();
        let asking = async {
            match &*self.0 {
                Inner::Network((host, port), way) => {
                    let made = || Way::to((host, *port), Certificates::trusting(Vec::new()));
                    match way.get_or_init(|| made().map_err(|error| error.to_string())) {
                        Ok(way) => way.ask(question).await,
                        Err(why) => Answer::Silent { why: why.clone() },
                    }
                }
                Inner::Simulated(service) => ask_simulated(service.clone(), question).await,
            }
        };
        let Ok(answer) = timeout(within, asking).await else {
            return Answer::Silent {
                why: format!("nothing whole within {}", question.probe.within),
            };
        };
        let took = SignedDuration::try_from(began.elapsed()).unwrap_or(SignedDuration::MAX);
        match answer {
            Answer::Page(page) => Answer::Page(Page { took, ..page }),
            other => other,
        }
    }
}

async fn ask_simulated(service: Service, question: &Question) -> Answer {
    let request = http::Request::get(&question.probe.path)
        .header(HOST, &question.domain)
        .body(Bytes::new());
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            let why = error.to_string();
            return Answer::Silent { why };
        }
    };
    match service.oneshot(request).await {
        Ok(response) => Answer::Page(Page {
            status: response.status().as_u16(),
            took: SignedDuration::ZERO,
            location: location(response.headers()),
            body: String::from_utf8_lossy(response.body()).into_owned(),
            certificate: None,
        }),
        Err(error) => Answer::Unreachable {
            why: error.to_string(),
        },
    }
}

fn location(headers: &HeaderMap) -> Option<String> {
    let location = headers.get(LOCATION)?;
    Some(location.to_str().ok()?.to_owned())
}
