//! Every source that needs no other program than those of any machine, and what goes wrong with each.

use std::fs;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::age::secrecy::ExposeSecret as _;
use ::age::{Encryptor, x25519};
use base64::Engine as _;

use super::*;
use crate::fleet::config::{Duration, ExecSource};

/// Found in no message, whatever goes wrong.
const VALUE: &str = "canary-4711";

fn program(command: &[&str]) -> ExecSource {
    ExecSource {
        command: command.iter().map(|&part| part.to_owned()).collect(),
        timeout: Duration::from_secs(1),
    }
}

fn reference(text: &str) -> SecretRef {
    let (source, key) = text.split_once('#').unwrap_or((text, ""));
    SecretRef {
        version: "1".to_owned(),
        source: source.to_owned(),
        key: key.to_owned(),
    }
}

fn allowed(folder: &Path) -> config::Secrets {
    let programs = [
        ("print", program(&["cat", "{path}"])),
        ("fail", program(&["false", "{path}"])),
        ("hang", program(&["sleep", "{path}"])),
        ("none", program(&["no-such-program", "{path}"])),
    ];
    config::Secrets {
        env: vec!["CARGO_PKG_*".to_owned(), "NO_SUCH_*".to_owned()],
        files: Some(folder.display().to_string()),
        exec: programs
            .map(|(name, source)| (name.to_owned(), source))
            .into(),
    }
}

fn secrets(folder: &Path) -> Secrets {
    let nothing = |id: &str| Err(anyhow::anyhow!("no object {id}"));
    Secrets::of(allowed(folder), Box::new(nothing))
}

async fn read(secrets: &Secrets, text: &str) -> Result<String, String> {
    let reference = reference(text);
    let values = secrets.read(&BTreeSet::from([reference.clone()])).await?;
    let secret = serde_json::json!({"data": {"it": reference.to_string()}});
    let filled = values.fill(&secret).expect("it was read just above");
    let encoded = filled["data"]["it"].as_str().expect("base64").to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded);
    Ok(String::from_utf8(bytes.expect("base64")).expect("text"))
}

#[tokio::test]
async fn values_come_from_variables_files_and_programs() {
    let folder = tempfile::tempdir().expect("a folder");
    let document = format!("db: {{password: {VALUE}, tls.crt: pem}}\nports: [\"80\"]\n");
    fs::write(folder.path().join("all.yaml"), &document).expect("a file");
    let secrets = secrets(folder.path());
    let there = folder.path().join("all.yaml");
    for (text, value) in [
        ("env:CARGO_PKG_NAME".to_owned(), "escale"),
        ("file:all.yaml".to_owned(), &document),
        ("file:all.yaml#db.password".to_owned(), VALUE),
        ("file:all.yaml#db.tls.crt".to_owned(), "pem"),
        ("file:all.yaml#ports.0".to_owned(), "80"),
        (format!("print:{}#db.password", there.display()), VALUE),
        // The newline that ends it is no part of it.
        (format!("print:{}", there.display()), document.trim_end()),
    ] {
        assert_eq!(read(&secrets, &text).await.as_deref(), Ok(value), "{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_by_name_and_without_what_was_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = tempfile::NamedTempFile::new().expect("a file");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).expect("a link");
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file");
    put("broken.yaml", &format!("a: [{VALUE}\nb: }}{VALUE}"));
    put("numbers.yaml", "pin: 0123\nmany: {a: b}\n");
    let secrets = secrets(folder.path());
    let broken = folder.path().join("broken.yaml");
    for (text, said) in [
        (
            "env:NO_SUCH_VARIABLE",
            "variable `NO_SUCH_VARIABLE` is not set",
        ),
        ("env:HOME", "may not be read"),
        ("file:missing", "file `missing` of `spec.secrets.files`"),
        ("file:link", "leads out of"),
        ("file:broken.yaml#a", "no YAML or JSON document"),
        (
            "file:numbers.yaml#pin",
            "`pin` is no text: put it in quotes",
        ),
        ("file:numbers.yaml#many", "`many` holds several values"),
        ("file:numbers.yaml#other", "it has no key `other`"),
        ("fail:x", "`false` failed with exit status: 1"),
        ("hang:30", "did not answer within 1s"),
        ("none:x", "there is no program `no-such-program`"),
        ("secrets/db.age", "git has no `1` any more"),
        (
            &format!("print:{}#a", broken.display()),
            "no YAML or JSON document",
        ),
    ] {
        let why = read(&secrets, text).await.expect_err(text);
        assert!(
            why.starts_with(&format!("secret `{text}` cannot be read: ")),
            "{why}"
        );
        assert!(why.contains(said), "{text}: {why}");
        assert!(!why.contains(VALUE), "{why}");
    }
}

#[tokio::test]
async fn a_source_is_read_once_and_a_failure_is_not_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let blobs = move |_: &str| {
        counted.fetch_add(1, Ordering::Relaxed);
        Err(anyhow::anyhow!("not now"))
    };
    let secrets = Secrets::of(allowed(folder.path()), Box::new(blobs));
    for times in 1..3 {
        assert!(read(&secrets, "secrets/db.age").await.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), times);
    }
    let file = folder.path().join("db");
    fs::write(&file, "one").expect("a file");
    assert_eq!(read(&secrets, "file:db").await.as_deref(), Ok("one"));
    fs::write(&file, "two").expect("a file");
    assert_eq!(read(&secrets, "file:db").await.as_deref(), Ok("one"));
}

#[test]
fn age_files_open_with_their_key_and_with_no_other() {
    let (key, other) = (x25519::Identity::generate(), x25519::Identity::generate());
    let keys = |key: &x25519::Identity| {
        let text = format!("# made by a test\n{}\n", key.to_string().expose_secret());
        age::keys(&text, "a file").expect("it is a key")
    };
    let recipient = key.to_public();
    let recipients = std::iter::once(&recipient as &dyn ::age::Recipient);
    let encryptor = Encryptor::with_recipients(recipients).expect("one is enough");
    let mut encrypted = Vec::new();
    let mut writer = encryptor.wrap_output(&mut encrypted).expect("memory");
    writer.write_all(VALUE.as_bytes()).expect("memory");
    writer.finish().expect("memory");

    assert_eq!(
        age::decrypt_with(&keys(&key), &encrypted).as_deref(),
        Ok(VALUE.as_bytes())
    );
    assert!(age::decrypt_with(&keys(&other), &encrypted).is_err());
    assert!(age::decrypt_with(&keys(&key), b"no age file").is_err());
    let wrong = age::keys("AGE-SECRET-KEY-1WRONG", "`SOPS_AGE_KEY`");
    let why = wrong.err().expect("it is no key");
    assert_eq!(why, "`SOPS_AGE_KEY` holds no age keys (`AGE-SECRET-KEY-…`)");
}

#[tokio::test]
async fn where_nothing_can_be_read_the_reason_is_told_and_a_simulation_reads_nothing() {
    let why = read(&Secrets::unavailable("there is no fleet here"), "vault:db").await;
    let why = why.expect_err("there is no source");
    assert_eq!(
        why,
        "secret `vault:db` cannot be read: there is no fleet here"
    );
    let word = read(&Secrets::stand_ins(), "vault:db").await;
    assert_eq!(word.as_deref(), Ok("stand-in"));
}
