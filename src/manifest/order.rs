//! In which order objects of one tenant are applied, and which kinds have no namespace.

use super::object::ObjectRef;

/// The stages of applying a tenant, in order. Deletes run the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Namespace,
    Definitions,
    Policy,
    Config,
    Services,
    Workloads,
    Routing,
}

impl Stage {
    pub fn of(object: &ObjectRef) -> Self {
        match (object.group(), object.kind.as_str()) {
            ("", "Namespace") => Self::Namespace,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Self::Definitions,
            (
                ""
                | "networking.k8s.io"
                | "policy"
                | "scheduling.k8s.io"
                | "rbac.authorization.k8s.io",
                "ResourceQuota"
                | "LimitRange"
                | "NetworkPolicy"
                | "PodDisruptionBudget"
                | "PriorityClass"
                | "ServiceAccount"
                | "Role"
                | "RoleBinding"
                | "ClusterRole"
                | "ClusterRoleBinding",
            ) => Self::Policy,
            ("", "Secret" | "ConfigMap" | "PersistentVolumeClaim" | "PersistentVolume") => {
                Self::Config
            }
            ("", "Service" | "Endpoints") => Self::Services,
            ("networking.k8s.io", "Ingress") | ("gateway.networking.k8s.io", _) => Self::Routing,
            _ => Self::Workloads,
        }
    }
}

/// Whether a kind that ships with Kubernetes lives outside namespaces. Kinds of custom
/// resources are not known here; discovery tells.
pub fn is_cluster_scoped(object: &ObjectRef) -> bool {
    match object.group() {
        "" => matches!(
            object.kind.as_str(),
            "Namespace" | "Node" | "PersistentVolume"
        ),
        "rbac.authorization.k8s.io" => object.kind.starts_with("Cluster"),
        "storage.k8s.io" => object.kind != "CSIStorageCapacity",
        "networking.k8s.io" => matches!(
            object.kind.as_str(),
            "IngressClass" | "IPAddress" | "ServiceCIDR"
        ),
        "apiextensions.k8s.io"
        | "admissionregistration.k8s.io"
        | "apiregistration.k8s.io"
        | "scheduling.k8s.io"
        | "node.k8s.io"
        | "flowcontrol.apiserver.k8s.io"
        | "certificates.k8s.io" => true,
        _ => false,
    }
}
