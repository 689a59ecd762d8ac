//! Files that SOPS encrypted, decrypted by the `sops` program: it knows age, PGP and the key services of the clouds.

use std::time::Duration;

use super::program;

/// A key service far away may take its time.
const PATIENCE: Duration = Duration::from_secs(30);
/// Lines of what `sops` complains of: the first say what is wrong.
const LINES: usize = 4;

/// The document as JSON; of a binary file the bytes.
pub async fn decrypt(path: &str, encrypted: Vec<u8>) -> Result<Vec<u8>, String> {
    let (input, output) = types(path);
    let command = [
        "sops",
        "--decrypt",
        "--input-type",
        input,
        "--output-type",
        output,
        "/dev/stdin",
    ]
    .map(str::to_owned);
    let answer = program::run(&command, &encrypted, PATIENCE).await?;
    if answer.has_succeeded {
        return Ok(answer.stdout);
    }
    Err(complaint(&answer.stderr))
}

/// By the ending, as `sops` itself does.
fn types(path: &str) -> (&'static str, &'static str) {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "yaml" | "yml" => ("yaml", "json"),
        "json" => ("json", "json"),
        "env" => ("dotenv", "json"),
        "ini" => ("ini", "json"),
        _ => ("binary", "binary"),
    }
}

/// What `sops` says of keys and formats. Of a file that somebody changed it prints hashes of the plain text: those stay here.
fn complaint(stderr: &str) -> String {
    if stderr.contains("MAC mismatch") {
        return "the file was changed after it was encrypted (MAC mismatch)".to_owned();
    }
    let lines = stderr.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).take(LINES).collect();
    format!("sops: {}", lines.join(" "))
}
