//! The lists of one look at a cluster: as few as serve it, of no more than it needs.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use rayon::prelude::*;

use super::observe::Watched;
use crate::cluster::{CallError, Item, Kind, Page, Reader, Within};
use crate::health;

/// Up to this many tenants, a list for each is cheaper than one of the whole cluster.
const FEW: usize = 5;
/// So is a list for each of less than this part of all tenants.
const PART: usize = 4;

/// What was listed, by namespace.
#[derive(Debug, Default)]
pub struct Listed {
    items: BTreeMap<String, Vec<Item>>,
    /// How many pages it took: what the look cost the API server.
    pub pages: usize,
}

impl Listed {
    pub fn of(&self, namespace: &str) -> &[Item] {
        self.items.get(namespace).map_or(&[], Vec::as_slice)
    }
}

/// The lists of one look.
pub struct Lists {
    pub reader: Reader,
    /// How many tenants the cluster has.
    pub population: usize,
}

impl Lists {
    /// The objects that have a health of their own, by namespace.
    pub async fn of_wanted(&self, watched: &[Watched]) -> Result<Listed, CallError> {
        let namespaces: BTreeSet<&str> = watched
            .iter()
            .map(|tenant| tenant.namespace.as_str())
            .collect();
        let kinds = kinds(&self.reader, watched).await?;
        self.of_kinds(&namespaces, &kinds).await
    }

    /// The objects of these kinds, by namespace.
    pub async fn of_kinds(
        &self,
        namespaces: &BTreeSet<&str>,
        kinds: &[Kind],
    ) -> Result<Listed, CallError> {
        let lists = kinds.iter().map(|kind| self.pages(namespaces, kind));
        let pages = try_join_all(lists).await?.concat();
        let items = pages.par_iter().map(|page| {
            let mut items = page.read()?;
            items.retain(|item| namespaces.contains(item.namespace().unwrap_or_default()));
            Ok(items)
        });
        let mut listed = Listed {
            pages: pages.len(),
            ..Listed::default()
        };
        for item in items.collect::<Result<Vec<_>, CallError>>()?.concat() {
            let namespace = item.namespace().unwrap_or_default();
            if let Some(items) = listed.items.get_mut(namespace) {
                items.push(item);
            } else {
                let namespace = namespace.to_owned();
                listed.items.insert(namespace, vec![item]);
            }
        }
        Ok(listed)
    }

    async fn pages(
        &self,
        namespaces: &BTreeSet<&str>,
        kind: &Kind,
    ) -> Result<Vec<Page>, CallError> {
        let is_few = namespaces.len() <= FEW || namespaces.len() * PART < self.population;
        if !is_few {
            return self.reader.list_pages(kind, Within::Cluster, None).await;
        }
        let each = namespaces.iter().map(|namespace| {
            self.reader
                .list_pages(kind, Within::Namespace(namespace), None)
        });
        Ok(try_join_all(each).await?.concat())
    }
}

async fn kinds(reader: &Reader, watched: &[Watched]) -> Result<Vec<Kind>, CallError> {
    let wanted = watched.iter().flat_map(|tenant| tenant.wanted.iter());
    let mut samples = BTreeMap::new();
    for wanted in wanted.filter(|wanted| health::must_be_observed(&wanted.object)) {
        let key = (
            wanted.object.api_version.as_str(),
            wanted.object.kind.as_str(),
        );
        samples.entry(key).or_insert(&wanted.object);
    }
    let mut kinds = Vec::new();
    for object in samples.into_values() {
        kinds.push(reader.kind_of(object).await?);
    }
    Ok(kinds)
}
