//! Secret references lead only where the environment allows.

use crate::fleet::config::Secrets;
use crate::fleet::{Finding, SecretSource};
use crate::manifest::{Manifest, secret_refs};
use crate::policy::place;

pub fn check(allowed: &Secrets, manifest: &Manifest) -> Vec<Finding> {
    let refs = secret_refs(manifest.value()).into_iter();
    let refused = refs.filter_map(|reference| SecretSource::of(&reference.source, allowed).err());
    let told = refused.map(|why| {
        let message = format!("`{}`: {why}", manifest.object());
        Finding::error(place(manifest), message)
    });
    told.collect()
}
