//! The lists of one look at a cluster: as few as serve it, of no more than it needs.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use rayon::prelude::*;

use super::observe::Watched;
use crate::cluster::{CallError, Depth, Item, Kind, Page, Reader, Within};
use crate::health;
use crate::manifest::ObjectRef;

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

/// A kind, and what is asked for of it, by namespace.
pub type Asked<'a> = (Kind, Namespaces<'a>);

type Namespaces<'a> = BTreeMap<&'a str, Which<'a>>;

/// Which objects of a kind in a namespace are asked for. More may come.
#[derive(Clone, Debug)]
pub enum Which<'a> {
    All,
    Named(&'a str),
    /// By a label selector.
    Labelled(String),
}

/// The lists of one look.
pub struct Lists {
    pub reader: Reader,
    /// How many tenants the cluster has.
    pub population: usize,
}

impl Lists {
    /// The objects that have a health of their own, by namespace.
    pub async fn of_wanted(&self, watched: &[&Watched]) -> Result<Listed, CallError> {
        let asked = asked(&self.reader, watched).await?;
        self.of_kinds(&asked).await
    }

    /// The same objects, but nothing of them that does not name or date them.
    pub async fn versions_of_wanted(&self, watched: &[&Watched]) -> Result<Listed, CallError> {
        let asked = asked(&self.reader, watched).await?;
        self.listed(&asked, Depth::Metadata).await
    }

    /// The objects of these kinds, each in its namespaces.
    pub async fn of_kinds(&self, asked: &[Asked<'_>]) -> Result<Listed, CallError> {
        self.listed(asked, Depth::Whole).await
    }

    async fn listed(&self, asked: &[Asked<'_>], depth: Depth) -> Result<Listed, CallError> {
        let lists = asked.iter().map(|(kind, namespaces)| async move {
            let pages = self.pages(kind, namespaces, depth).await?;
            Ok(pages.into_iter().map(move |page| (namespaces, page)))
        });
        let pages: Vec<_> = try_join_all(lists).await?.into_iter().flatten().collect();
        let items = pages.par_iter().map(|(namespaces, page)| {
            let mut items = page.read()?;
            items.retain(|item| namespaces.contains_key(item.namespace().unwrap_or_default()));
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

    /// Whether so many namespaces are asked one by one.
    pub fn is_few(&self, namespaces: usize) -> bool {
        namespaces <= FEW || namespaces * PART < self.population
    }

    async fn pages(
        &self,
        kind: &Kind,
        namespaces: &Namespaces<'_>,
        depth: Depth,
    ) -> Result<Vec<Page>, CallError> {
        let reader = &self.reader;
        if !self.is_few(namespaces.len()) {
            return reader.list_pages(kind, Within::Cluster, None, depth).await;
        }
        let each = namespaces.iter().map(|(namespace, which)| {
            let (within, selector) = match which {
                Which::All => (Within::Namespace(namespace), None),
                Which::Named(name) => (Within::Object { namespace, name }, None),
                Which::Labelled(selector) => {
                    (Within::Namespace(namespace), Some(selector.as_str()))
                }
            };
            reader.list_pages(kind, within, selector, depth)
        });
        Ok(try_join_all(each).await?.concat())
    }
}

/// Every kind of which something wanted has a health, with the namespaces that want it.
async fn asked<'a>(reader: &Reader, watched: &[&'a Watched]) -> Result<Vec<Asked<'a>>, CallError> {
    let mut wanting: BTreeMap<(&str, &str), (&ObjectRef, Namespaces)> = BTreeMap::new();
    for tenant in watched {
        let wanted = tenant.wanted.iter().map(|wanted| &wanted.object);
        for object in wanted.filter(|object| health::must_be_observed(object)) {
            let key = (object.api_version.as_str(), object.kind.as_str());
            let (_, namespaces) = wanting.entry(key).or_insert((object, BTreeMap::new()));
            let which = namespaces.entry(&tenant.namespace);
            which
                .and_modify(|which| *which = Which::All)
                .or_insert(Which::Named(&object.name));
        }
    }
    let mut asked = Vec::new();
    for (object, namespaces) in wanting.into_values() {
        asked.push((reader.kind_of(object).await?, namespaces));
    }
    Ok(asked)
}
