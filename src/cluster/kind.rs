//! The kinds that a cluster serves, and the paths of their objects.

use std::collections::BTreeMap;

use crate::manifest::ObjectRef;

/// One kind of object, as its API server serves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub api_version: String,
    pub kind: String,
    pub plural: String,
    pub namespaced: bool,
}

/// All kinds that a cluster serves and that can be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// By (apiVersion, kind).
    kinds: BTreeMap<(String, String), Kind>,
}

impl Kind {
    pub fn new(api_version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
        }
    }

    pub fn config_map() -> Self {
        Self::new("v1", "ConfigMap", "configmaps", true)
    }

    pub fn namespace() -> Self {
        Self::new("v1", "Namespace", "namespaces", false)
    }

    pub fn pod() -> Self {
        Self::new("v1", "Pod", "pods", true)
    }

    pub fn lease() -> Self {
        Self::new("coordination.k8s.io/v1", "Lease", "leases", true)
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The path of all objects of this kind, or of those in one namespace.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.api_version.contains('/') {
            "/apis"
        } else {
            "/api"
        };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!(
                "{root}/{}/namespaces/{namespace}/{}",
                self.api_version, self.plural
            ),
            None => format!("{root}/{}/{}", self.api_version, self.plural),
        }
    }

    pub(super) fn object_path(&self, object: &ObjectRef) -> String {
        let folder = self.path(object.namespace.as_deref());
        format!("{folder}/{}", object.name)
    }
}

impl Kinds {
    pub fn new(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let keyed = kinds
            .into_iter()
            .map(|kind| ((kind.api_version.clone(), kind.kind.clone()), kind));
        Self {
            kinds: keyed.collect(),
        }
    }

    pub fn of(&self, object: &ObjectRef) -> Option<&Kind> {
        self.find(&object.api_version, &object.kind)
    }

    pub fn find(&self, api_version: &str, kind: &str) -> Option<&Kind> {
        self.kinds.get(&(api_version.to_owned(), kind.to_owned()))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let web = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("ns".to_owned()),
            name: "web".to_owned(),
        };
        let deployment = Kind::new("apps/v1", "Deployment", "deployments", true);
        assert_eq!(
            deployment.object_path(&web),
            "/apis/apps/v1/namespaces/ns/deployments/web"
        );
        assert_eq!(deployment.path(None), "/apis/apps/v1/deployments");
        assert_eq!(Kind::namespace().path(Some("ns")), "/api/v1/namespaces");
    }
}
