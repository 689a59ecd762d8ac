//! Files that age encrypted. Keys are found where `sops` finds them, so that one set-up serves both.

use std::io::Read as _;
use std::path::PathBuf;

use age::armor::ArmoredReader;
use age::{Decryptor, Identity, IdentityFile};

/// The keys themselves, one a line.
const KEYS: &str = "SOPS_AGE_KEY";
/// A file with keys.
const KEY_FILE: &str = "SOPS_AGE_KEY_FILE";
/// Where a person's keys are, below the folder for settings.
const USUAL_FILE: &str = "sops/age/keys.txt";

pub(super) type Keys = Vec<Box<dyn Identity + Send + Sync>>;

/// Decrypts a file, armored or not, with the keys of this machine.
pub fn decrypt(encrypted: &[u8]) -> Result<Vec<u8>, String> {
    let (text, place) = written_keys()?;
    decrypt_with(&keys(&text, &place)?, encrypted)
}

pub(super) fn decrypt_with(keys: &Keys, encrypted: &[u8]) -> Result<Vec<u8>, String> {
    let decryptor = Decryptor::new(ArmoredReader::new(encrypted))
        .map_err(|error| format!("it is no age file: {error}"))?;
    let keys = keys.iter().map(|key| &**key as &dyn Identity);
    let mut reader = decryptor
        .decrypt(keys)
        .map_err(|error| format!("age: {error}"))?;
    let mut content = Vec::new();
    reader
        .read_to_end(&mut content)
        .map_err(|error| format!("age: {error}"))?;
    Ok(content)
}

/// Reads keys as they are written: one a line.
pub(super) fn keys(text: &str, place: &str) -> Result<Keys, String> {
    // Whatever is wrong with a key is not told: the message would show it.
    let wrong = || format!("{place} holds no age keys (`AGE-SECRET-KEY-…`)");
    let file = IdentityFile::from_buffer(text.as_bytes()).map_err(|_| wrong())?;
    let keys = file.into_identities().map_err(|_| wrong())?;
    if keys.is_empty() {
        return Err(wrong());
    }
    Ok(keys)
}

/// The keys as text, and where they were.
fn written_keys() -> Result<(String, String), String> {
    if let Ok(keys) = std::env::var(KEYS) {
        return Ok((keys, format!("`{KEYS}`")));
    }
    let file = std::env::var_os(KEY_FILE)
        .map(PathBuf::from)
        .or_else(usual_file)
        .ok_or_else(|| format!("no age key: set `{KEYS}` or `{KEY_FILE}`"))?;
    let text = std::fs::read_to_string(&file).map_err(|error| {
        format!(
            "no age key: `{}`: {error}; set `{KEYS}` or `{KEY_FILE}`",
            file.display()
        )
    })?;
    Ok((text, format!("`{}`", file.display())))
}

fn usual_file() -> Option<PathBuf> {
    let settings = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
    Some(settings.or_else(home)?.join(USUAL_FILE))
}
