//! What says that it is a hook is one.

use crate::fleet::Finding;
use crate::manifest::{Hook, Manifest};
use crate::policy::place;

pub fn check(manifest: &Manifest) -> Option<Finding> {
    let mistake = Hook::of(manifest)?.err()?;
    let message = format!("`{}`: {mistake}", manifest.object());
    Some(Finding::error(place(manifest), message))
}
