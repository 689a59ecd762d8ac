//! The way over the network: every name leads to one address.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use super::certificates::Certificates;
use super::{LARGEST, location};
use crate::health::{Answer, Page, Question};

const USER_AGENT: &str = concat!("escale/", env!("CARGO_PKG_VERSION"), " (health probe)");

/// A connection that takes longer, with its TLS, does not come about: one packet that was lost is sent again by then.
const CONNECTED: Duration = Duration::from_secs(2);

/// What goes wrong once there is a connection: in its TLS.
const AFTER_CONNECTING: [ErrorKind; 4] = [
    ErrorKind::InvalidData,
    ErrorKind::UnexpectedEof,
    ErrorKind::ConnectionReset,
    ErrorKind::BrokenPipe,
];

/// A client that asks one address for every domain.
pub struct Way {
    client: Client,
    certificates: Arc<Certificates>,
}

/// Where all names lead: a host and a port.
struct Address(String, u16);

impl Way {
    pub fn to(address: (&str, u16), certificates: Certificates) -> anyhow::Result<Self> {
        let certificates = Arc::new(certificates);
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .tls_backend_preconfigured(certificates.config()?)
            .dns_resolver(Arc::new(Address(address.0.to_owned(), address.1)))
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .connect_timeout(CONNECTED)
            .build()?;
        Ok(Self {
            client,
            certificates,
        })
    }

    pub async fn ask(&self, question: &Question) -> Answer {
        match self.client.get(question.url()).send().await {
            Ok(response) => self.read(question, response).await,
            Err(error) => nothing(&error),
        }
    }

    async fn read(&self, question: &Question, mut response: Response) -> Answer {
        let status = response.status().as_u16();
        let location = location(response.headers());
        let mut body = Vec::new();
        while body.len() < LARGEST {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return nothing(&error),
            }
        }
        body.truncate(LARGEST);
        Answer::Page(Page {
            status,
            took: SignedDuration::ZERO,
            body: String::from_utf8_lossy(&body).into_owned(),
            location,
            certificate: self.certificates.of(&question.domain),
        })
    }
}

/// The innermost reason says what happened. Who takes a connection and speaks no TLS that we know is there all the same.
fn nothing(error: &reqwest::Error) -> Answer {
    let mut innermost: &dyn Error = error;
    let mut is_refused_later = false;
    while let Some(source) = innermost.source() {
        innermost = source;
        is_refused_later |= innermost.downcast_ref().is_some_and(is_after_connecting);
    }
    let why = innermost.to_string();
    if error.is_connect() && !is_refused_later {
        Answer::Unreachable { why }
    } else {
        Answer::Silent { why }
    }
}

/// Errors of input and output hide what they wrap from those who ask for their source.
fn is_after_connecting(error: &io::Error) -> bool {
    let wrapped = error.get_ref().and_then(|inner| inner.downcast_ref());
    AFTER_CONNECTING.contains(&error.kind()) || wrapped.is_some_and(is_after_connecting)
}

impl Resolve for Address {
    fn resolve(&self, _: Name) -> Resolving {
        let (host, port) = (self.0.clone(), self.1);
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            let found: Vec<_> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
