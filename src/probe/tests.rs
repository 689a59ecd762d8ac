//! Doors over a real network.

mod server;

use std::io::Write as _;
use std::net::TcpListener;

use server::{Signed, serve, signed};

use super::*;
use crate::fleet::config::{self, Ingress, Probe};
use crate::health::{CertificateFault, judge_site};

const WELCOME: &str = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nWelcome";

fn question(domain: &str) -> Question {
    Question {
        platform: "acme".to_owned(),
        domain: domain.to_owned(),
        alias_of: None,
        has_own_certificate: false,
        probe: Probe {
            within: config::Duration::from_secs(5),
            ..Probe::default()
        },
    }
}

/// An address as a cluster's file has it.
fn at(address: &str) -> (String, u16) {
    let ingress = Ingress {
        address: address.to_owned(),
    };
    ingress.host_and_port()
}

/// Asks the address for a domain, trusting whoever signed.
async fn ask(address: &str, signed: &Signed, domain: &str) -> Page {
    let certificates = Certificates::trusting(vec![signed.root.clone()]);
    let (host, port) = at(address);
    let way = Way::to((&host, port), certificates).expect("a client");
    match way.ask(&question(domain)).await {
        Answer::Page(page) => page,
        other => panic!("{other:?}"),
    }
}

fn fault(page: &Page) -> Option<&CertificateFault> {
    page.certificate
        .as_ref()
        .expect("there is TLS")
        .fault
        .as_ref()
}

#[tokio::test]
async fn a_domain_is_asked_at_the_address_of_the_ingress_by_its_name() {
    let signed = signed(&["acme.example"], 2100);
    let page = ask(
        &serve(&signed, |_| WELCOME.to_owned()),
        &signed,
        "acme.example",
    )
    .await;
    assert_eq!((page.status, page.body.as_str()), (200, "Welcome"));
    assert_eq!(fault(&page), None);
    let ends = page.certificate.and_then(|shown| shown.ends);
    assert_eq!(ends.expect("a date").to_string(), "2100-03-01T00:00:00Z");
}

#[tokio::test]
async fn a_page_behind_a_bad_certificate_is_seen_and_the_certificate_told() {
    let good = signed(&["acme.example"], 2100);
    let address = serve(&good, |_| WELCOME.to_owned());
    let page = ask(&address, &good, "other.example").await;
    assert_eq!(page.status, 200);
    assert_eq!(fault(&page), Some(&CertificateFault::NotForDomain));

    let stranger = signed(&["acme.example"], 2100);
    let page = ask(&address, &stranger, "acme.example").await;
    assert!(matches!(
        fault(&page),
        Some(CertificateFault::Untrusted { .. })
    ));

    let old = signed(&["acme.example"], 2020);
    let page = ask(&serve(&old, |_| WELCOME.to_owned()), &old, "acme.example").await;
    assert_eq!(fault(&page), Some(&CertificateFault::Expired));
}

#[tokio::test]
async fn a_redirection_is_told_and_not_followed() {
    let signed = signed(&["acme.example"], 2100);
    let answer = "HTTP/1.1 301 Moved\r\nlocation: https://home.example/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let page = ask(
        &serve(&signed, |_| answer.to_owned()),
        &signed,
        "acme.example",
    )
    .await;
    assert_eq!(page.status, 301);
    assert_eq!(page.location.as_deref(), Some("https://home.example/"));
}

#[tokio::test]
async fn nobody_at_the_address_is_no_answer_and_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    drop(listener);
    let answer = Door::at(at(&address)).ask(&question("acme.example")).await;
    let Answer::Unreachable { why } = answer else {
        panic!("{answer:?}");
    };
    assert!(why.contains("refused"), "{why}");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_there_and_answers_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let _ = socket.expect("a connection").write_all(b"SSH-2.0-none\r\n");
        }
    });
    let answer = Door::at(at(&address)).ask(&question("acme.example")).await;
    assert!(matches!(answer, Answer::Silent { .. }), "{answer:?}");
}

#[tokio::test]
async fn nobody_waits_longer_than_a_good_answer_may_take() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    let probe = Probe {
        within: config::Duration::from_secs(1),
        ..Probe::default()
    };
    let question = Question {
        probe,
        ..question("acme.example")
    };
    let answer = Door::at(at(&address)).ask(&question).await;
    drop(listener);
    let health = judge_site(&question, &answer, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(
        health.fault.as_deref(),
        Some("https://acme.example/ does not answer: nothing whole within 1s")
    );
}

/// A firewall that drops what is sent: nobody waits for it page by page.
#[tokio::test]
async fn where_no_connection_comes_about_nobody_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    let answer = Door::at(at(&address)).ask(&question("acme.example")).await;
    drop(listener);
    assert!(matches!(answer, Answer::Unreachable { .. }), "{answer:?}");
}
