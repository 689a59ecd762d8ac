//! Values of Secrets: read before the first write that needs them, put in right before the request.

use serde_json::Value;

use super::{Halt, Job, Open};
use crate::apply::TenantSteps;
use crate::cluster::CallError;
use crate::manifest::SecretValues;

/// Reads every value that these steps need. Nothing of a tenant is written if one is missing.
pub(super) async fn read(job: &Job, steps: &TenantSteps) -> Result<SecretValues, Halt> {
    let refs = steps.secret_refs();
    if refs.is_empty() {
        return Ok(SecretValues::default());
    }
    let values = job.terms.secrets.read(&refs).await;
    values.map_err(Halt::Refused)
}

/// What goes into the request.
pub(super) fn filled(open: &Open, manifest: &Value) -> Result<Value, CallError> {
    open.values.fill(manifest).map_err(|missing| {
        let why = format!("the value of `{}` was not read", missing.name());
        CallError::Invalid(why)
    })
}
