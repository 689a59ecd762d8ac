//! Takes every certificate, and remembers what a browser would have said of it: a page behind a bad certificate is still
//! seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::health::{Certificate, CertificateFault, certificate_ends};

/// What was seen, by name.
#[derive(Debug)]
pub struct Certificates {
    /// Trusts whom this machine trusts; or why there is nobody.
    verifier: Result<Verifier, String>,
    provider: Arc<CryptoProvider>,
    seen: Mutex<BTreeMap<String, Certificate>>,
}

impl Certificates {
    /// Trusts these besides whom the machine trusts.
    pub fn trusting(more: Vec<CertificateDer<'static>>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new_with_extra_roots(more, Arc::clone(&provider))
            .map_err(|error| error.to_string());
        Self {
            verifier,
            provider,
            seen: Mutex::default(),
        }
    }

    /// TLS for a client whose every connection shows its certificate: none is resumed.
    pub fn config(self: &Arc<Self>) -> anyhow::Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_safe_default_protocol_versions()?;
        let verifier = Arc::clone(self) as Arc<dyn ServerCertVerifier>;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(config)
    }

    /// The certificate that was last shown for a name.
    pub fn of(&self, name: &str) -> Option<Certificate> {
        self.seen().get(name).cloned()
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, Certificate>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerCertVerifier for Certificates {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let fault = match &self.verifier {
            Ok(verifier) => verifier
                .verify_server_cert(leaf, chain, name, ocsp, now)
                .err()
                .map(fault),
            Err(why) => Some(CertificateFault::Untrusted { why: why.clone() }),
        };
        let certificate = Certificate {
            ends: certificate_ends(leaf),
            fault,
        };
        self.seen().insert(name.to_str().into_owned(), certificate);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn fault(error: Error) -> CertificateFault {
    match error {
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => CertificateFault::Expired,
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => CertificateFault::NotForDomain,
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => CertificateFault::Untrusted {
            why: "nobody known signed it".to_owned(),
        },
        other => CertificateFault::Untrusted {
            why: other.to_string(),
        },
    }
}
