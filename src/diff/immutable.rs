//! Fields that the API server lets nobody change: the object must be deleted and made again.
//!
//! Facts from the validation of Kubernetes 1.36 (`pkg/apis/*/validation`).

use serde_json::Value;

use crate::fields::{FieldChange, Path};

/// What of a kind cannot change.
enum Fixed {
    /// These fields and all below them.
    Only(&'static [&'static str]),
    /// The whole `spec` but these fields of it.
    SpecBut(&'static [&'static str]),
}

/// By group and kind.
const FIXED: &[(&str, &str, Fixed)] = &[
    ("apps", "Deployment", Fixed::Only(&["spec.selector"])),
    ("apps", "DaemonSet", Fixed::Only(&["spec.selector"])),
    ("apps", "ReplicaSet", Fixed::Only(&["spec.selector"])),
    (
        "apps",
        "StatefulSet",
        Fixed::SpecBut(&[
            "minReadySeconds",
            "ordinals",
            "persistentVolumeClaimRetentionPolicy",
            "replicas",
            "revisionHistoryLimit",
            "template",
            "updateStrategy",
        ]),
    ),
    (
        "batch",
        "Job",
        Fixed::Only(&[
            "spec.backoffLimitPerIndex",
            "spec.completionMode",
            "spec.completions",
            "spec.managedBy",
            "spec.podFailurePolicy",
            "spec.selector",
            "spec.successPolicy",
            "spec.template",
        ]),
    ),
    (
        "",
        "PersistentVolumeClaim",
        Fixed::SpecBut(&["resources", "volumeAttributesClassName"]),
    ),
    ("", "Secret", Fixed::Only(&["type"])),
    (
        "",
        "Pod",
        Fixed::SpecBut(&[
            "activeDeadlineSeconds",
            "containers",
            "initContainers",
            "terminationGracePeriodSeconds",
            "tolerations",
        ]),
    ),
    (
        "rbac.authorization.k8s.io",
        "RoleBinding",
        Fixed::Only(&["roleRef"]),
    ),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        Fixed::Only(&["roleRef"]),
    ),
    (
        "storage.k8s.io",
        "StorageClass",
        Fixed::Only(&[
            "parameters",
            "provisioner",
            "reclaimPolicy",
            "volumeBindingMode",
        ]),
    ),
    (
        "scheduling.k8s.io",
        "PriorityClass",
        Fixed::Only(&["preemptionPolicy", "value"]),
    ),
    (
        "networking.k8s.io",
        "IngressClass",
        Fixed::Only(&["spec.controller"]),
    ),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        Fixed::Only(&[
            "spec.group",
            "spec.names.kind",
            "spec.names.plural",
            "spec.scope",
        ]),
    ),
];

/// Addresses of a Service stay once given; leaving them out leaves them.
const ADDRESSES: &[&str] = &["spec.clusterIP", "spec.clusterIPs"];

/// Whether one of these changes, from `before`, is one that the API server refuses.
pub fn is_changed(before: &Value, changes: &[FieldChange]) -> bool {
    let api_version = before["apiVersion"].as_str().unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = before["kind"].as_str().unwrap_or_default();
    let fixed = FIXED
        .iter()
        .find(|(of_group, of_kind, _)| *of_group == group && *of_kind == kind);
    let is_fixed = |change: &FieldChange| {
        fixed.is_some_and(|(_, _, fixed)| fixed.holds(&change.path))
            || is_sealed(before, group, kind, &change.path)
            || is_address(group, kind, change)
    };
    changes.iter().any(is_fixed)
}

impl Fixed {
    fn holds(&self, path: &Path) -> bool {
        match self {
            Self::Only(fields) => fields.iter().any(|field| path.is_within(&dotted(field))),
            Self::SpecBut(free) => {
                let is_free = |field: &&str| path.is_within(&Path::of_fields(&["spec", field]));
                path.is_within(&dotted("spec")) && !free.iter().any(is_free)
            }
        }
    }
}

/// `immutable: true` on a Secret or ConfigMap holds for its data, and for itself.
fn is_sealed(before: &Value, group: &str, kind: &str, path: &Path) -> bool {
    let has_data = group.is_empty() && matches!(kind, "ConfigMap" | "Secret");
    let sealed = ["binaryData", "data", "immutable", "stringData"];
    has_data
        && before["immutable"] == true
        && sealed.iter().any(|field| path.is_within(&dotted(field)))
}

fn is_address(group: &str, kind: &str, change: &FieldChange) -> bool {
    let is_given = change.before.is_some() && change.after.is_some();
    let is_service = group.is_empty() && kind == "Service";
    let below = |field: &&str| change.path.is_within(&dotted(field));
    is_service && is_given && ADDRESSES.iter().any(below)
}

fn dotted(path: &str) -> Path {
    Path::of_fields(&path.split('.').collect::<Vec<_>>())
}
