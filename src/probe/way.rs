//! The way over the network: every name leads to one address.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use super::LARGEST;
use super::certificates::Certificates;
use crate::health::{Answer, Page, Question};

const HTTPS: u16 = 443;
const USER_AGENT: &str = concat!("escale/", env!("CARGO_PKG_VERSION"), " (health probe)");

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

/// Where all names lead.
struct Address {
    host: String,
    port: u16,
}

impl Way {
    pub fn to(address: &str) -> anyhow::Result<Self> {
        Self::with(address, Certificates::trusting(Vec::new()))
    }

    pub fn with(address: &str, certificates: Certificates) -> anyhow::Result<Self> {
        let certificates = Arc::new(certificates);
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .tls_backend_preconfigured(certificates.config()?)
            .dns_resolver(Arc::new(Address::read(address)))
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            certificates,
        })
    }

    pub async fn ask(&self, question: &Question, within: Duration) -> Answer {
        let request = self.client.get(question.url()).timeout(within);
        match request.send().await {
            Ok(response) => self.read(question, response).await,
            Err(error) => nothing(&error),
        }
    }

    async fn read(&self, question: &Question, mut response: Response) -> Answer {
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|to| Some(to.to_str().ok()?.to_owned()));
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

impl Address {
    /// Reads `203.0.113.10`, `[2001:db8::1]:8443` or `ingress.example.com:8443`.
    fn read(text: &str) -> Self {
        let is_bare = text.parse::<IpAddr>().is_ok();
        let with_port = text.rsplit_once(':').filter(|_| !is_bare);
        let (host, port) = match with_port.and_then(|(host, port)| Some((host, port.parse().ok()?)))
        {
            Some((host, port)) => (host, port),
            None => (text, HTTPS),
        };
        Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
        }
    }
}

impl Resolve for Address {
    fn resolve(&self, _: Name) -> Resolving {
        let (host, port) = (self.host.clone(), self.port);
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            let found: Vec<_> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
