//! Values of Secrets: read before the first write that needs them, put in right before the request.

use serde_json::Value;

use super::{Halt, Job, Open};
use crate::apply::TenantSteps;
use crate::cluster::CallError;
use crate::manifest::SecretValues;
use crate::secret;

/// Reads every value that these steps need. Nothing of a tenant is written if one is missing.
pub(super) async fn read(job: &Job, steps: &TenantSteps) -> Result<SecretValues, Halt> {
    let refs = steps.secret_refs();
    if refs.is_empty() {
        return Ok(SecretValues::default());
    }
    let values = job.terms.secrets.read(&refs).await;
    let values = values.map_err(Halt::Refused)?;
    if job.terms.secrets.are_real() {
        refuse_wrong_pairs(steps, &values)?;
    }
    Ok(values)
}

/// A certificate beside the key of another one would take a site down as soon as it is there.
fn refuse_wrong_pairs(steps: &TenantSteps, values: &SecretValues) -> Result<(), Halt> {
    for manifest in steps.manifests() {
        let Ok(filled) = values.fill(manifest) else {
            continue; // Told when it is sent.
        };
        if let Some(Err(why)) = secret::certificate_of(&filled) {
            let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
            return Err(Halt::Refused(format!("Secret/{name}: {why}")));
        }
    }
    Ok(())
}

/// What goes into the request.
pub(super) fn filled(open: &Open, manifest: &Value) -> Result<Value, CallError> {
    open.values.fill(manifest).map_err(|missing| {
        let why = format!("the value of `{}` was not read", missing.name());
        CallError::Invalid(why)
    })
}
