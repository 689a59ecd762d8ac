//! The fleet as everything else sees it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::fleet::config::{
    Class, ClusterSpec, Day, EnvironmentSpec, Lifecycle, Tls, Updates, Values,
};
use crate::fleet::finding::{Finding, Place};
use crate::fleet::strategies::Strategies;

/// One environment at one commit: consistent, or it would not exist.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    pub environment: Environment,
    pub clusters: BTreeMap<String, Cluster>,
    /// Sorted by name.
    pub tenants: Vec<Tenant>,
    pub strategies: Strategies,
    /// Images by the name that templates use.
    pub versions: BTreeMap<String, String>,
    /// What somebody should think about; mistakes would have kept the fleet from loading.
    pub warnings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    pub name: String,
    pub spec: EnvironmentSpec,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub spec: ClusterSpec,
    pub file: String,
}

/// One namespace on one cluster, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    pub name: String,
    /// Those of its file; [`Tenant::label`] answers for more.
    pub labels: BTreeMap<String, String>,
    pub cluster: String,
    pub cluster_labels: BTreeMap<String, String>,
    pub namespace: String,
    pub class: Option<String>,
    pub group: Option<String>,
    pub after: Vec<String>,
    pub bundle: String,
    pub updates: Updates,
    pub lifecycle: Lifecycle,
    /// The last day on which it stays, if it is leaving.
    pub delete_after: Option<Day>,
    /// Its own layer; [`Fleet::values_of`] has them all.
    pub values: Values,
    pub platforms: BTreeMap<String, Platform>,
    pub place: Place,
    pub placement: Placement,
}

/// Where a tenant's file says on which cluster and in which namespace it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    pub cluster: Place,
    pub namespace: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Platform {
    pub name: String,
    pub client: String,
    pub domain: String,
    pub aliases: Vec<String>,
    pub apps: BTreeMap<String, Values>,
    pub tls: Option<Tls>,
    /// Its own layer.
    pub values: Values,
    pub file: String,
}

impl Fleet {
    pub fn tenant(&self, name: &str) -> Option<&Tenant> {
        let found = self
            .tenants
            .binary_search_by(|tenant| tenant.name.as_str().cmp(name));
        found.ok().map(|index| &self.tenants[index])
    }

    /// The cluster of a tenant of this fleet.
    pub fn cluster_of(&self, tenant: &Tenant) -> &Cluster {
        self.clusters
            .get(&tenant.cluster)
            .expect("`load` refuses tenants of unknown clusters")
    }

    pub fn class_of(&self, tenant: &Tenant) -> Option<&Class> {
        self.environment.spec.classes.get(tenant.class.as_deref()?)
    }

    /// The cluster that keeps the rollout records.
    pub fn hub(&self) -> Option<&Cluster> {
        match &self.environment.spec.records.hub {
            Some(hub) => self.clusters.get(hub),
            None => self.clusters.values().next(),
        }
    }

    /// The values of a tenant: environment, cluster, class and tenant, merged.
    pub fn values_of(&self, tenant: &Tenant) -> Values {
        let mut values = self.environment.spec.defaults.values.clone();
        merge(&mut values, &self.cluster_of(tenant).spec.values);
        if let Some(class) = self.class_of(tenant) {
            merge(&mut values, &class.values);
        }
        merge(&mut values, &tenant.values);
        values
    }
}

impl Tenant {
    /// What selectors and waves ask: `tenant`, `cluster`, `class`, `group`, its own labels, then its
    /// cluster's (`provider`, `region`…).
    pub fn label(&self, key: &str) -> Option<&str> {
        match key {
            "tenant" => Some(&self.name),
            "cluster" => Some(&self.cluster),
            "class" => self.class.as_deref(),
            "group" => self.group.as_deref(),
            _ => self
                .labels
                .get(key)
                .or_else(|| self.cluster_labels.get(key))
                .map(String::as_str),
        }
    }

    /// Whether it carries all of these labels.
    pub fn has_labels(&self, wanted: &BTreeMap<String, String>) -> bool {
        wanted
            .iter()
            .all(|(key, value)| self.label(key) == Some(value))
    }

    /// The apps that any of its platforms switches on, sorted.
    pub fn apps(&self) -> Vec<&str> {
        let all = self
            .platforms
            .values()
            .flat_map(|platform| platform.apps.keys());
        let mut names: Vec<&str> = all.map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Platform {
    /// The primary domain, then the aliases.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.domain)
            .chain(&self.aliases)
            .map(String::as_str)
    }
}

/// Lays a layer over values: maps merge, scalars and lists replace.
pub fn merge(values: &mut Map<String, Value>, layer: &Map<String, Value>) {
    for (key, over) in layer {
        match (values.get_mut(key), over) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            _ => {
                values.insert(key.clone(), over.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn maps_merge_scalars_and_lists_replace() {
        let Value::Object(mut values) = json!({"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"z": 1}})
        else {
            unreachable!()
        };
        let Value::Object(layer) = json!({"a": {"y": [3], "w": null}, "b": {"q": 2}, "c": 5})
        else {
            unreachable!()
        };
        merge(&mut values, &layer);
        assert_eq!(
            Value::Object(values),
            json!({"a": {"x": 1, "y": [3], "w": null}, "b": {"q": 2}, "c": 5})
        );
    }
}
