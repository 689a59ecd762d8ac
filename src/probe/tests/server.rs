//! A TLS server in a thread, with a certificate that somebody signed. The tests on real clusters use it too.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{CertificateParams, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};

/// Who signs, and a server's certificate and key.
pub struct Signed {
    pub root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// For these names, until March of a year.
pub fn signed(names: &[&str], year: i32) -> Signed {
    let mut root = CertificateParams::default();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().expect("a key");
    let root_der = root.self_signed(&root_key).expect("a certificate");
    let issuer = Issuer::new(root, root_key);
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut leaf = CertificateParams::new(names).expect("names");
    leaf.not_after = date_time_ymd(year, 3, 1);
    let key = KeyPair::generate().expect("a key");
    Signed {
        root: root_der.der().clone(),
        leaf: leaf
            .signed_by(&key, &issuer)
            .expect("a certificate")
            .der()
            .clone(),
        key: PrivateKeyDer::try_from(key.serialize_der()).expect("a key in DER"),
    }
}

/// Answers every request by its text, and says where.
pub fn serve(signed: &Signed, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth()
        .with_single_cert(vec![signed.leaf.clone()], signed.key.clone_key())
        .expect("they match");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens").to_string();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let (config, answer) = (config.clone(), answer.clone());
            std::thread::spawn(move || {
                let mut socket = socket.expect("a connection");
                let mut connection = ServerConnection::new(config).expect("a server");
                let mut stream = Stream::new(&mut connection, &mut socket);
                let mut request = [0; 4096];
                if let Ok(length) = stream.read(&mut request) {
                    let answer = answer(&String::from_utf8_lossy(&request[..length]));
                    let _ = stream.write_all(answer.as_bytes());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            });
        }
    });
    address
}
