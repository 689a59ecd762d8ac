//! Changes that the API server would refuse because a field cannot change in place. A change that
//! this table misses is refused by the server, with the same message to the user.

use serde_json::Value;

use crate::fields::quantity;
use crate::manifest::ObjectRef;

/// Fields of a kind that stay as they were created.
fn immutable_fields(object: &ObjectRef) -> &'static [&'static str] {
    match (object.group(), object.kind.as_str()) {
        ("apps", "Deployment" | "DaemonSet") => &["/spec/selector"],
        ("apps", "StatefulSet") => &[
            "/spec/selector",
            "/spec/serviceName",
            "/spec/podManagementPolicy",
            "/spec/volumeClaimTemplates",
        ],
        ("batch", "Job") => &["/spec/selector", "/spec/template", "/spec/completionMode"],
        ("", "PersistentVolumeClaim") => &[
            "/spec/accessModes",
            "/spec/selector",
            "/spec/storageClassName",
            "/spec/volumeMode",
            "/spec/volumeName",
        ],
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => &["/roleRef"],
        ("storage.k8s.io", "StorageClass") => &["/provisioner", "/parameters", "/reclaimPolicy"],
        ("", "Secret") => &["/type"],
        _ => &[],
    }
}

/// The fields that differ although they cannot change: `before` is the live object, `after` what
/// an apply would make of it.
pub fn immutable_changes(object: &ObjectRef, before: &Value, after: &Value) -> Vec<String> {
    let frozen: &[&str] = match object.kind.as_str() {
        "ConfigMap" | "Secret" if before["immutable"] == true => &["/data", "/binaryData"],
        _ => &[],
    };
    immutable_fields(object)
        .iter()
        .chain(frozen)
        .filter(
            |field| match (before.pointer(field), after.pointer(field)) {
                (Some(before), Some(after)) => !covers(before, after),
                (None, Some(_)) => true,
                (_, None) => false,
            },
        )
        .map(|field| field.replace('/', "."))
        .collect()
}

/// Whether a live value says all that is sent; it may say more, because the server fills in
/// defaults, also inside lists that are replaced as a whole.
fn covers(live: &Value, sent: &Value) -> bool {
    match (live, sent) {
        (Value::Object(live), Value::Object(sent)) => sent
            .iter()
            .all(|(key, sent)| live.get(key).is_some_and(|live| covers(live, sent))),
        (Value::Array(live), Value::Array(sent)) => {
            live.len() == sent.len() && live.iter().zip(sent).all(|(live, sent)| covers(live, sent))
        }
        _ => live == sent || quantity::equal_values(live, sent),
    }
}
