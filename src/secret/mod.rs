//! Secret values: read where references lead, when they are needed, and kept no longer than the process.
//!
//! Nothing here writes, logs or shows a value: what goes wrong is told without them. Values go from here into the
//! request that applies a Secret, and nowhere else.

mod age;
mod certificate;
mod document;
mod program;
mod sops;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OnceCell, Semaphore};

use crate::fleet::SecretSource;
use crate::fleet::config;
use crate::manifest::{SecretRef, SecretValues};

pub use certificate::{Certificate, of_secret as certificate_of};

/// Programs that run side by side: each may decrypt with a key service far away.
const PROGRAMS: usize = 8;
/// What stands for a value where none is read.
const STAND_IN: &[u8] = b"stand-in";

/// Reads a file out of git by its id.
pub type Blobs = dyn Fn(&str) -> anyhow::Result<Vec<u8>> + Send + Sync;

/// Where values come from. Clones share what was read.
#[derive(Clone)]
pub struct Secrets(Arc<Kind>);

enum Kind {
    StandIns,
    /// Nothing can be read, because…
    Unavailable(String),
    Sources(Sources),
}

struct Sources {
    allowed: config::Secrets,
    blobs: Box<Blobs>,
    programs: Semaphore,
    /// By version and source.
    contents: Mutex<BTreeMap<(String, String), Content>>,
}

/// What a source holds: read once, whoever asks first.
type Content = Arc<OnceCell<Vec<u8>>>;

impl Secrets {
    /// For simulated clusters: every value is the same word, and nothing is read.
    pub fn stand_ins() -> Self {
        Self(Arc::new(Kind::StandIns))
    }

    /// For a place from which no source can be reached; whoever needs a value is told why.
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self(Arc::new(Kind::Unavailable(why.into())))
    }

    /// Those that an environment allows. `blobs` reads files of git.
    pub fn of(allowed: config::Secrets, blobs: Box<Blobs>) -> Self {
        Self(Arc::new(Kind::Sources(Sources {
            allowed,
            blobs,
            programs: Semaphore::new(PROGRAMS),
            contents: Mutex::default(),
        })))
    }

    /// Whether what is read is what a source holds.
    pub fn are_real(&self) -> bool {
        match &*self.0 {
            Kind::StandIns => false,
            Kind::Unavailable(_) | Kind::Sources(_) => true,
        }
    }

    /// The values of these references, or what is wrong with the first of those that cannot be read.
    pub async fn read(&self, refs: &BTreeSet<SecretRef>) -> Result<SecretValues, String> {
        let mut values = SecretValues::default();
        let mut wrong = Vec::new();
        for reference in refs {
            let value = match &*self.0 {
                Kind::StandIns => Ok(STAND_IN.to_vec()),
                Kind::Unavailable(why) => Err(why.clone()),
                Kind::Sources(sources) => sources.value(reference).await,
            };
            match value {
                Ok(value) => values.insert(reference.clone(), value),
                Err(why) => {
                    wrong.push(format!(
                        "secret `{}` cannot be read: {why}",
                        reference.name()
                    ));
                }
            }
        }
        match wrong.as_slice() {
            [] => Ok(values),
            [only] => Err(only.clone()),
            [first, others @ ..] => Err(format!("{first}; and {} more", others.len())),
        }
    }
}

impl Sources {
    async fn value(&self, reference: &SecretRef) -> Result<Vec<u8>, String> {
        let cell = self.cell(reference);
        // A failure is not kept: whoever comes next tries again.
        let content = cell.get_or_try_init(|| self.content(reference)).await?;
        document::value(content, &reference.key)
    }

    fn cell(&self, reference: &SecretRef) -> Content {
        let known = self.contents.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let key = (reference.version.clone(), reference.source.clone());
        Arc::clone(known.entry(key).or_default())
    }

    /// Everything that a source holds, decrypted.
    async fn content(&self, reference: &SecretRef) -> Result<Vec<u8>, String> {
        match SecretSource::of(&reference.source, &self.allowed)? {
            SecretSource::Sops(path) => {
                let encrypted = self.blob(reference)?;
                let _turn = self.turn().await?;
                sops::decrypt(path, encrypted).await
            }
            SecretSource::Age(_) => age::decrypt(&self.blob(reference)?),
            SecretSource::Variable(name) => variable(name),
            SecretSource::File { folder, path } => file(folder, path),
            SecretSource::Program { source, path } => {
                let _turn = self.turn().await?;
                program::answer(source, path).await
            }
        }
    }

    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, String> {
        self.programs.acquire().await.map_err(|why| why.to_string())
    }

    fn blob(&self, reference: &SecretRef) -> Result<Vec<u8>, String> {
        (self.blobs)(&reference.version).map_err(|error| {
            format!(
                "git has no `{}` any more or cannot read it here: {error:#}",
                reference.version
            )
        })
    }
}

fn variable(name: &str) -> Result<Vec<u8>, String> {
    match std::env::var_os(name) {
        Some(value) => Ok(value.into_encoded_bytes()),
        None => Err(format!("variable `{name}` is not set")),
    }
}

fn file(folder: &str, path: &str) -> Result<Vec<u8>, String> {
    let folder = Path::new(folder);
    let told = |error: std::io::Error| format!("file `{path}` of `spec.secrets.files`: {error}");
    // A link may lead anywhere: what counts is where it ends.
    let found = folder.join(path).canonicalize().map_err(told)?;
    if !found.starts_with(folder.canonicalize().map_err(told)?) {
        return Err(format!("file `{path}` leads out of `spec.secrets.files`"));
    }
    std::fs::read(found).map_err(told)
}

#[cfg(test)]
mod tests;
