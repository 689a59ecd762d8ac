//! What says that it is a hook is one, and of a platform that there is.

use crate::error::did_you_mean;
use crate::fleet::{Finding, Tenant};
use crate::manifest::{Hook, Manifest, PLATFORM};
use crate::policy::place;

pub fn check(tenant: &Tenant, manifest: &Manifest) -> Option<Finding> {
    let error = |mistake: &str| {
        let message = format!("`{}`: {mistake}", manifest.object());
        Finding::error(place(manifest), message)
    };
    let platform = match Hook::of(manifest)? {
        Ok(hook) => hook.platform?,
        Err(mistake) => return Some(error(&mistake)),
    };
    let known = tenant.platforms.keys().map(String::as_str);
    if tenant.platforms.contains_key(&platform) {
        return None;
    }
    let near = did_you_mean(&platform, known).map(|near| format!("did you mean `{near}`?"));
    Some(
        error(&format!(
            "`{PLATFORM}` is {platform:?}: the tenant has no such platform"
        ))
        .hint(near),
    )
}
