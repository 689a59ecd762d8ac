//! What a certificate says of itself.

use jiff::Timestamp;

/// When a certificate in DER stops being valid; `None` if it is none.
pub fn certificate_ends(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}
