//! Which kinds a cluster serves: a table of the built-in ones, and what custom resource definitions add.

use std::sync::Arc;

use serde_json::Value;

/// One kind as discovery tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    pub group: String,
    pub version: String,
    /// `Deployment`.
    pub name: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub namespaced: bool,
    pub has_status: bool,
    pub is_custom: bool,
}

/// Where a kind stands in the [`Kinds`] of its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KindId(pub u16);

/// All kinds that a cluster serves, in the order in which they came.
#[derive(Clone, Debug)]
pub struct Kinds(Vec<Arc<Kind>>);

impl Kind {
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `deployments.apps`, as messages of the API server name it.
    pub fn resource(&self) -> String {
        with_group(&self.plural, &self.group)
    }

    /// `Deployment.apps`, as messages of validation name it.
    pub fn qualified_kind(&self) -> String {
        with_group(&self.name, &self.group)
    }

    pub fn is(&self, group: &str, plural: &str) -> bool {
        self.group == group && self.plural == plural
    }

    /// Which kinds count their changes of `spec`, as measured on a 1.36 server.
    pub fn has_generation(&self) -> bool {
        self.is_custom || GENERATED.contains(&self.name.as_str())
    }

    fn built_in(row: &Row) -> Self {
        let (group, version, plural, kind, short_name, scope, has_status) = *row;
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            name: kind.to_owned(),
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            short_names: short_name.split_whitespace().map(str::to_owned).collect(),
            namespaced: scope == 'N',
            has_status,
            is_custom: false,
        }
    }
}

impl Kinds {
    pub fn built_in() -> Self {
        Self(
            TABLE
                .iter()
                .map(|row| Arc::new(Kind::built_in(row)))
                .collect(),
        )
    }

    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<KindId> {
        self.position(|kind| kind.is(group, plural) && kind.version == version)
    }

    /// Finds `deployments.apps`, or `pods` of the core group.
    pub fn find_resource(&self, resource: &str) -> Option<KindId> {
        let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
        self.position(|kind| kind.is(group, plural))
    }

    pub fn find_kind(&self, api_version: &str, kind: &str) -> Option<KindId> {
        self.position(|known| known.name == kind && known.api_version() == api_version)
    }

    pub fn of(&self, id: KindId) -> &Arc<Kind> {
        &self.0[usize::from(id.0)]
    }

    pub fn iter(&self) -> impl Iterator<Item = (KindId, &Arc<Kind>)> {
        (0..).map(KindId).zip(&self.0)
    }

    /// Serves the versions that a definition names; those known already keep their place.
    pub fn define(&mut self, definition: &Value) {
        for kind in custom_kinds(definition) {
            if self
                .find(&kind.group, &kind.version, &kind.plural)
                .is_none()
            {
                self.0.push(Arc::new(kind));
            }
        }
    }

    fn position(&self, wanted: impl Fn(&Kind) -> bool) -> Option<KindId> {
        let index = self.0.iter().position(|kind| wanted(kind))?;
        u16::try_from(index).ok().map(KindId)
    }
}

fn custom_kinds(definition: &Value) -> Vec<Kind> {
    let text = |pointer: &str| {
        let found = definition.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let versions = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array);
    let served = versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true);
    served
        .map(|version| Kind {
            group: text("/spec/group"),
            version: version["name"].as_str().unwrap_or_default().to_owned(),
            name: text("/spec/names/kind"),
            plural: text("/spec/names/plural"),
            singular: text("/spec/names/kind").to_lowercase(),
            short_names: Vec::new(),
            namespaced: definition
                .pointer("/spec/scope")
                .is_some_and(|scope| scope == "Namespaced"),
            has_status: version.pointer("/subresources/status").is_some(),
            is_custom: true,
        })
        .collect()
}

fn with_group(name: &str, group: &str) -> String {
    match group {
        "" => name.to_owned(),
        group => format!("{name}.{group}"),
    }
}

/// Group, version, plural, kind, short names, scope, has a status subresource.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    char,
    bool,
);

const GENERATED: [&str; 11] = [
    "CustomResourceDefinition",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Pod",
    "Job",
    "CronJob",
    "Ingress",
    "NetworkPolicy",
    "PodDisruptionBudget",
];

#[rustfmt::skip]
const TABLE: [Row; 35] = [
    ("", "v1", "configmaps", "ConfigMap", "cm", 'N', false),
    ("", "v1", "endpoints", "Endpoints", "ep", 'N', false),
    ("", "v1", "events", "Event", "ev", 'N', false),
    ("", "v1", "limitranges", "LimitRange", "limits", 'N', false),
    ("", "v1", "namespaces", "Namespace", "ns", 'C', true),
    ("", "v1", "nodes", "Node", "no", 'C', true),
    ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvc", 'N', true),
    ("", "v1", "persistentvolumes", "PersistentVolume", "pv", 'C', true),
    ("", "v1", "pods", "Pod", "po", 'N', true),
    ("", "v1", "resourcequotas", "ResourceQuota", "quota", 'N', true),
    ("", "v1", "secrets", "Secret", "", 'N', false),
    ("", "v1", "serviceaccounts", "ServiceAccount", "sa", 'N', false),
    ("", "v1", "services", "Service", "svc", 'N', true),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", "", 'N', false),
    ("apps", "v1", "daemonsets", "DaemonSet", "ds", 'N', true),
    ("apps", "v1", "deployments", "Deployment", "deploy", 'N', true),
    ("apps", "v1", "replicasets", "ReplicaSet", "rs", 'N', true),
    ("apps", "v1", "statefulsets", "StatefulSet", "sts", 'N', true),
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", "hpa", 'N', true),
    ("batch", "v1", "cronjobs", "CronJob", "cj", 'N', true),
    ("batch", "v1", "jobs", "Job", "", 'N', true),
    ("networking.k8s.io", "v1", "ingressclasses", "IngressClass", "", 'C', false),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", "ing", 'N', true),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", "netpol", 'N', false),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", "pdb", 'N', true),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", "", 'C', false),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", "", 'C', false),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", "", 'N', false),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", "", 'N', false),
    ("storage.k8s.io", "v1", "storageclasses", "StorageClass", "sc", 'C', false),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", "crd crds", 'C', true),
    ("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", 'C', false),
    ("coordination.k8s.io", "v1", "leases", "Lease", "", 'N', false),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "", 'N', false),
    ("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", "", 'C', false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_adds_the_versions_it_serves_once() {
        let definition = serde_json::json!({"spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "subresources": {"status": {}}}, {"name": "v0", "served": false}]}});
        let mut kinds = Kinds::built_in();
        kinds.define(&definition);
        kinds.define(&definition);
        let custom: Vec<_> = kinds.iter().filter(|(_, kind)| kind.is_custom).collect();
        assert_eq!(custom.len(), 1);
        assert_eq!(custom[0].1.resource(), "widgets.example.com");
        assert!(custom[0].1.has_status);
    }
}
