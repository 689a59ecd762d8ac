//! Certificates with their keys, as Secrets of the type `kubernetes.io/tls` have them: what an ingress controller would
//! refuse, and what browsers would.

use jiff::Timestamp;
use rustls::client::verify_server_name;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use serde_json::Value;

use crate::health::certificate_ends;
use crate::manifest::is_secret;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The type of Secrets that hold a certificate and its key.
const TLS: &str = "kubernetes.io/tls";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// A certificate whose key is the one beside it.
#[derive(Debug)]
pub struct Certificate {
    leaf: CertificateDer<'static>,
    ends: Timestamp,
}

/// The certificate of a Secret whose values are filled in, or what is wrong with it; `None` if it is none for TLS. Never
/// says what it saw.
pub fn of_secret(secret: &Value) -> Option<Result<Certificate, String>> {
    if !is_secret(secret) || secret["type"] != TLS {
        return None;
    }
    let entry = |name: &str| {
        let text = secret["data"][name].as_str();
        let bytes = text.and_then(|text| STANDARD.decode(text).ok());
        bytes.ok_or_else(|| format!("it has no `{name}`"))
    };
    let both = entry(CERTIFICATE).and_then(|certificate| Ok((certificate, entry(KEY)?)));
    Some(both.and_then(|(certificate, key)| pair(&certificate, &key)))
}

/// A certificate, its chain after it, and its key, both as PEM.
fn pair(certificate: &[u8], key: &[u8]) -> Result<Certificate, String> {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.unwrap_or_default();
    let Some(leaf) = chain.first().cloned() else {
        return Err(format!("`{CERTIFICATE}` holds no certificate in PEM"));
    };
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| format!("`{KEY}` holds no private key in PEM"))?;
    let key = any_supported_type(&key)
        .map_err(|_| format!("`{KEY}` is of a kind that TLS does not use"))?;
    let ends =
        certificate_ends(&leaf).ok_or_else(|| format!("`{CERTIFICATE}` holds no certificate"))?;
    match CertifiedKey::new(chain, key).keys_match() {
        Ok(()) => Ok(Certificate { leaf, ends }),
        Err(_) => Err(format!(
            "`{KEY}` is not the key of the first certificate in `{CERTIFICATE}`"
        )),
    }
}

impl Certificate {
    /// When it stops being valid.
    pub fn ends(&self) -> Timestamp {
        self.ends
    }

    /// Whether a browser takes it for a host, as an Ingress spells it: `*` stands for one label.
    pub fn covers(&self, host: &str) -> bool {
        let host = match host.strip_prefix("*.") {
            Some(rest) => format!("any.{rest}"),
            None => host.to_owned(),
        };
        let (Ok(name), Ok(leaf)) = (
            ServerName::try_from(host),
            ParsedCertificate::try_from(&self.leaf),
        ) else {
            return false;
        };
        verify_server_name(&leaf, &name).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use serde_json::json;

    struct Made {
        certificate: String,
        key: String,
    }

    fn made(names: &[&str]) -> Made {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut parameters = CertificateParams::new(names).expect("names");
        parameters.not_after = date_time_ymd(2027, 3, 1);
        let certificate = parameters.self_signed(&key).expect("a certificate");
        Made {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn secret(certificate: &str, key: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "type": TLS,
            "data": {CERTIFICATE: STANDARD.encode(certificate), KEY: STANDARD.encode(key)}})
    }

    fn wrong(certificate: &str, key: &str) -> String {
        let judged = of_secret(&secret(certificate, key)).expect("it is for TLS");
        judged.expect_err("it is wrong")
    }

    #[test]
    fn a_certificate_covers_its_names_until_its_last_day() {
        let made = made(&["acme.example", "*.sites.example"]);
        let judged = of_secret(&secret(&made.certificate, &made.key)).expect("it is for TLS");
        let certificate = judged.expect("key and certificate match");
        assert_eq!(certificate.ends().to_string(), "2027-03-01T00:00:00Z");
        for (host, is_covered) in [
            ("acme.example", true),
            ("a.sites.example", true),
            ("*.sites.example", true),
            ("www.acme.example", false),
            ("a.b.sites.example", false),
        ] {
            assert_eq!(certificate.covers(host), is_covered, "{host}");
        }
    }

    #[test]
    fn what_no_ingress_controller_would_serve_is_told_without_showing_it() {
        let (one, other) = (made(&["acme.example"]), made(&["acme.example"]));
        for (certificate, key, said) in [
            (
                &one.certificate,
                &other.key,
                "is not the key of the first certificate",
            ),
            (&one.key, &one.key, "`tls.crt` holds no certificate in PEM"),
            (
                &one.certificate,
                &one.certificate,
                "`tls.key` holds no private key in PEM",
            ),
            (&String::new(), &one.key, "holds no certificate"),
        ] {
            let why = wrong(certificate, key);
            assert!(why.contains(said), "{why}");
            assert!(
                !why.contains("BEGIN") && !why.contains(&one.key[30..60]),
                "{why}"
            );
        }
        let opaque = json!({"apiVersion": "v1", "kind": "Secret", "data": {}});
        assert!(of_secret(&opaque).is_none());
    }
}
