//! The clusters of an environment, connected: each answers, or it is known why not.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::sites::Sites;
use crate::cluster::{CallError, Cluster, Connection, Limits};
use crate::error::UserError;
use crate::fleet::{self, Fleet};
use crate::probe::Door;

/// Every cluster of an environment by name, the hub among them.
#[derive(Clone)]
pub struct Clusters {
    pub hub: Option<String>,
    connected: BTreeMap<String, Cluster>,
    /// Clusters to which there is no way, and why.
    pub failed: BTreeMap<String, UserError>,
    /// What answers for the tenants there; none, unless somebody said so.
    pub sites: Sites,
}

impl Clusters {
    /// Clusters that are there already: simulated ones.
    pub fn new(hub: Option<String>, clusters: BTreeMap<String, Cluster>) -> Self {
        Self {
            hub,
            connected: clusters,
            failed: BTreeMap::new(),
            sites: Sites::default(),
        }
    }

    /// Connects to every cluster that a fleet names, through the contexts that it names.
    pub async fn connect(fleet: &Fleet, template: &Connection) -> Self {
        let connections = fleet.clusters.values().map(|cluster| {
            let connection = Connection {
                name: cluster.name.clone(),
                context: cluster
                    .spec
                    .context
                    .clone()
                    .unwrap_or_else(|| cluster.name.clone()),
                proxy: cluster.spec.proxy.clone(),
                ..template.clone()
            };
            (connection, cluster.spec.max_requests as usize)
        });
        let hub = fleet.hub().map(|hub| hub.name.clone());
        Self::connect_each(hub, connections.collect()).await
    }

    /// Connects to what is named, with as many requests in flight as each may have.
    pub async fn connect_each(hub: Option<String>, connections: Vec<(Connection, usize)>) -> Self {
        let mut all = Self::new(hub, BTreeMap::new());
        for (connection, max_requests) in connections {
            let limits = Limits {
                max_requests,
                ..Limits::default()
            };
            match Cluster::connect(&connection, limits).await {
                Ok(cluster) => {
                    all.connected.insert(connection.name, cluster);
                }
                Err(error) => {
                    all.failed.insert(connection.name, error);
                }
            }
        }
        all
    }

    /// The same, with what answers for a fleet's tenants there.
    #[must_use]
    pub fn with_sites(self, fleet: &Fleet, door: impl Fn(&fleet::Cluster) -> Option<Door>) -> Self {
        Self {
            sites: Sites::of(fleet, door),
            ..self
        }
    }

    /// The same, with nobody asked for a page.
    #[must_use]
    pub fn without_sites(self) -> Self {
        Self {
            sites: Sites::default(),
            ..self
        }
    }

    pub fn get(&self, name: &str) -> Result<&Cluster, UserError> {
        self.connected
            .get(name)
            .ok_or_else(|| match self.failed.get(name) {
                Some(error) => error.clone(),
                None => UserError::new(format!("there is no cluster `{name}`")),
            })
    }

    pub fn hub(&self) -> Result<&Cluster, UserError> {
        match &self.hub {
            Some(name) => self.get(name),
            None => Err(UserError::new(
                "the environment has no cluster that could keep its records",
            )
            .hint("name one: `records: {hub: NAME}` in environment.yaml")),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.connected.keys().map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Cluster> {
        self.connected.values()
    }

    /// Asks every cluster the same thing at the same time.
    pub async fn ask<T, F>(
        &self,
        question: impl Fn(Cluster) -> F,
    ) -> BTreeMap<String, Result<T, CallError>>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let answers = self.connected.values().map(|cluster| {
            let answer = question(cluster.clone());
            async move { (cluster.name().to_owned(), answer.await) }
        });
        join_all(answers).await.into_iter().collect()
    }
}
