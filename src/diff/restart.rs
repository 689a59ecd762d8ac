//! Which changes replace running pods.

use serde_json::Value;

use crate::fields::{FieldChange, Path};

/// Whether applying these changes replaces pods of the object itself. Another question is whether
/// pods notice a changed ConfigMap: they do not, unless the template names its content.
pub fn is_caused(
    before: &Value,
    after: &Value,
    changes: &[FieldChange],
    is_made_again: bool,
) -> bool {
    let is_workload = after["apiVersion"] == "apps/v1"
        && ["DaemonSet", "Deployment", "StatefulSet"]
            .iter()
            .any(|kind| after["kind"] == *kind);
    let runs = before.pointer("/spec/replicas") != Some(&0.into());
    let template = Path::of_fields(&["spec", "template"]);
    let changes_pods = changes
        .iter()
        .any(|change| change.path.is_within(&template) || template.is_within(&change.path));
    is_workload && runs && (is_made_again || (changes_pods && !waits_for_people(after)))
}

/// Paused Deployments, and those that replace a pod only when somebody deletes it.
fn waits_for_people(object: &Value) -> bool {
    object.pointer("/spec/paused") == Some(&true.into())
        || object.pointer("/spec/updateStrategy/type") == Some(&"OnDelete".into())
}
