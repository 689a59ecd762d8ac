//! Where a secret reference leads, and whether an environment allows it.

use crate::fleet::config::{ExecSource, Secrets};
use crate::fleet::finding::Finding;
use crate::fleet::glob;
use crate::fleet::names::is_name;
use crate::fleet::parts::Parts;

/// What stands for the path of a reference in a command.
const PATH: &str = "{path}";
/// Schemes that are ours.
const ENV: &str = "env";
const FILE: &str = "file";

/// The source of a reference, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource<'a> {
    /// A file in git that SOPS encrypted.
    Sops(&'a str),
    /// A file in git that age encrypted.
    Age(&'a str),
    /// An environment variable.
    Variable(&'a str),
    /// A file below a folder of the machine that rolls out.
    File { folder: &'a str, path: &'a str },
    /// What a program answers.
    Program {
        source: &'a ExecSource,
        path: &'a str,
    },
}

impl<'a> SecretSource<'a> {
    /// Understands the source of a reference, or says why it is refused.
    pub fn of(source: &'a str, allowed: &'a Secrets) -> Result<Self, String> {
        let Some((scheme, path)) = source.split_once(':') else {
            return in_git(source);
        };
        match scheme {
            ENV => variable(path, allowed),
            FILE => file(path, allowed),
            _ => program(scheme, path, allowed),
        }
    }
}

fn in_git(path: &str) -> Result<SecretSource<'_>, String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    if is_age(name) {
        return Ok(SecretSource::Age(path));
    }
    if name.contains(".sops.") {
        return Ok(SecretSource::Sops(path));
    }
    Err(format!(
        "secret file `{path}` does not say how it is encrypted: name it `….sops.yaml` or `….age`"
    ))
}

fn is_age(name: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "age")
}

fn variable<'a>(name: &'a str, allowed: &Secrets) -> Result<SecretSource<'a>, String> {
    let mut patterns = allowed.env.iter();
    if patterns.any(|pattern| glob::matches(pattern, name)) {
        return Ok(SecretSource::Variable(name));
    }
    Err(format!(
        "variable `{name}` may not be read: `spec.secrets.env` does not name it"
    ))
}

fn file<'a>(path: &'a str, allowed: &'a Secrets) -> Result<SecretSource<'a>, String> {
    let Some(folder) = &allowed.files else {
        return Err("`file:` needs a folder: set `spec.secrets.files`".to_owned());
    };
    if !is_below(path) {
        return Err(format!(
            "`file:{path}` is not below the folder of `spec.secrets.files`"
        ));
    }
    Ok(SecretSource::File { folder, path })
}

/// Plain steps downwards only.
fn is_below(path: &str) -> bool {
    let is_step = |step: &str| !step.is_empty() && step != "." && step != "..";
    !path.contains('\\') && path.split('/').all(is_step)
}

fn program<'a>(
    scheme: &str,
    path: &'a str,
    allowed: &'a Secrets,
) -> Result<SecretSource<'a>, String> {
    let Some(source) = allowed.exec.get(scheme) else {
        return Err(format!(
            "there is no secret source `{scheme}`: `spec.secrets.exec` does not name it"
        ));
    };
    // A path that begins with a dash would be taken for an option.
    let is_plain = |letter: char| !letter.is_whitespace() && !letter.is_control();
    if path.is_empty() || path.starts_with('-') || !path.chars().all(is_plain) {
        return Err(format!(
            "`{scheme}:{path}` is no path: it is empty, begins with `-`, or has spaces"
        ));
    }
    Ok(SecretSource::Program { source, path })
}

impl ExecSource {
    /// The program and its arguments for a path.
    pub fn command_for(&self, path: &str) -> Vec<String> {
        let parts = self.command.iter();
        parts.map(|part| part.replace(PATH, path)).collect()
    }
}

/// Mistakes in `spec.secrets`.
pub fn all(parts: &Parts) -> Vec<Finding> {
    let Some(environment) = &parts.environment else {
        return Vec::new();
    };
    let mistake = |pointer: &str, message: String| {
        Finding::error(
            environment.place(&format!("/spec/secrets{pointer}")),
            message,
        )
    };
    let secrets = &environment.spec().secrets;
    let mut findings = Vec::new();
    if secrets.files.as_deref() == Some("") {
        findings.push(mistake("/files", "`files` is empty".to_owned()));
    }
    for (name, source) in &secrets.exec {
        let pointer = format!("/exec/{name}");
        if !is_name(name) || [ENV, FILE].contains(&name.as_str()) {
            let message = format!("`{name}` cannot be a secret source");
            findings.push(mistake(&pointer, message).hint(
                "a name of lower case letters, digits and `-`, not `env` or `file`".to_owned(),
            ));
        }
        let asks = source.command.iter().skip(1);
        if source.command.is_empty() || !asks.clone().any(|part| part.contains(PATH)) {
            let message = format!("the command of `{name}` is never told what is asked for");
            findings.push(
                mistake(&format!("{pointer}/command"), message)
                    .hint(format!("name a program, and put `{PATH}` into an argument")),
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::config::Duration;

    fn allowed() -> Secrets {
        let vault = ExecSource {
            command: ["vault", "kv", "get", "-format=json", "secret/{path}"]
                .map(str::to_owned)
                .to_vec(),
            timeout: Duration::from_secs(20),
        };
        Secrets {
            env: vec!["PLATFORM_*".to_owned()],
            files: Some("/run/secrets".to_owned()),
            exec: [("vault".to_owned(), vault)].into(),
        }
    }

    #[test]
    fn a_reference_says_by_its_spelling_where_it_leads() {
        let allowed = allowed();
        let of = |source| SecretSource::of(source, &allowed).unwrap();
        assert_eq!(
            of("secrets/db.sops.yaml"),
            SecretSource::Sops("secrets/db.sops.yaml")
        );
        assert_eq!(
            of("secrets/tls.key.age"),
            SecretSource::Age("secrets/tls.key.age")
        );
        assert_eq!(
            of("env:PLATFORM_KEY"),
            SecretSource::Variable("PLATFORM_KEY")
        );
        let SecretSource::Program { source, path } = of("vault:db/carbone") else {
            panic!("`vault` is a program");
        };
        assert_eq!(source.command_for(path)[4], "secret/db/carbone");
    }

    #[test]
    fn what_no_environment_allows_is_refused_with_a_reason() {
        let allowed = allowed();
        let why = |source| SecretSource::of(source, &allowed).unwrap_err();
        for (source, said) in [
            ("env:CI_JOB_TOKEN", "may not be read"),
            ("file:../etc/shadow", "not below"),
            ("file:/etc/shadow", "not below"),
            ("vault:-output=x", "begins with `-`"),
            ("consul:db", "no secret source `consul`"),
            ("secrets/db.yaml", "does not say how it is encrypted"),
        ] {
            assert!(why(source).contains(said), "{source}: {}", why(source));
        }
        let none = Secrets::default();
        assert!(SecretSource::of("file:db", &none).is_err());
    }
}
