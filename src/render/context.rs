//! What templates see: `environment`, `cluster`, `tenant`, `platforms`, `versions`, `values`.

use std::collections::BTreeMap;

use minijinja::Value;
use minijinja::value::Serde;
use serde_json::json;

use crate::fleet::config::Values;
use crate::fleet::{Cluster, Fleet, Platform, Tenant};

/// What is the same for all tenants of a fleet, made once.
pub struct Shared {
    environment: Value,
    versions: Value,
    clusters: BTreeMap<String, Value>,
}

impl Shared {
    pub fn of(fleet: &Fleet) -> Self {
        let clusters = fleet.clusters.iter();
        Self {
            environment: value(&json!({"name": fleet.environment.name})),
            versions: Value::from(Serde(&fleet.versions)),
            clusters: clusters
                .map(|(name, cluster)| (name.clone(), of_cluster(cluster)))
                .collect(),
        }
    }

    /// Everything that the templates of a tenant see.
    pub fn context(&self, fleet: &Fleet, tenant: &Tenant) -> Value {
        let values = fleet.values_of(tenant);
        let platforms = tenant.platforms.values();
        let platforms: Value = platforms
            .map(|platform| of_platform(platform, &values))
            .collect();
        Value::from(BTreeMap::from([
            ("environment", self.environment.clone()),
            ("versions", self.versions.clone()),
            (
                "cluster",
                self.clusters
                    .get(&tenant.cluster)
                    .cloned()
                    .unwrap_or_default(),
            ),
            ("tenant", of_tenant(tenant)),
            ("platforms", platforms),
            ("values", Value::from(Serde(&values))),
        ]))
    }
}

fn value(json: &serde_json::Value) -> Value {
    Value::from(Serde(json))
}

fn of_cluster(cluster: &Cluster) -> Value {
    value(&json!({
        "name": cluster.name,
        "labels": cluster.labels,
        "ingress": cluster.spec.ingress,
    }))
}

fn of_tenant(tenant: &Tenant) -> Value {
    value(&json!({
        "name": tenant.name,
        "namespace": tenant.namespace,
        "class": tenant.class,
        "group": tenant.group,
        "labels": tenant.labels,
        "updates": tenant.updates,
        "apps": tenant.apps(),
    }))
}

fn of_platform(platform: &Platform, below: &Values) -> Value {
    let mut values = below.clone();
    crate::fleet::merge(&mut values, &platform.values);
    value(&json!({
        "name": platform.name,
        "client": platform.client,
        "domain": platform.domain,
        "aliases": platform.aliases,
        "apps": platform.apps,
        "tls": platform.tls,
        "values": values,
    }))
}
