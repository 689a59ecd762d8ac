//! Values as they lie in git, and as a Secret has them.

use std::io::Write as _;

use age::{Encryptor, x25519};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What only that key opens.
pub fn with_age(key: &x25519::Identity, value: &str) -> Vec<u8> {
    let recipient = key.to_public();
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).expect("one is enough");
    let mut encrypted = Vec::new();
    let mut writer = encryptor.wrap_output(&mut encrypted).expect("memory");
    writer.write_all(value.as_bytes()).expect("memory");
    writer.finish().expect("memory");
    encrypted
}

/// An entry of a Secret, as pods would see it.
pub fn decoded(entry: &str) -> String {
    let value = STANDARD.decode(entry).expect("base64");
    String::from_utf8(value).expect("text")
}
