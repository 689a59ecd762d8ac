//! Reads what is there of a tenant: a list per kind, Secrets one by one (nobody may list those).

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use rayon::prelude::*;

use crate::apply::LiveObjects;
use crate::cluster::{CallError, Item, Reader, Within};
use crate::manifest::{Bundle, Live, ObjectRef};
use crate::record::Inventory;

/// What a bundle wants and what an inventory knows.
pub(in crate::engine) fn objects_of(bundle: &Bundle, inventory: &Inventory) -> BTreeSet<ObjectRef> {
    let known = inventory
        .lines()
        .map(|line| line.object.clone())
        .filter(|object| bundle.find(object).is_none());
    bundle.objects().cloned().chain(known).collect()
}

/// Reads objects of one namespace. What is missing in the answer is not there: a list is whole,
/// or it is an error.
pub(in crate::engine) async fn read(
    reader: &Reader,
    namespace: &str,
    objects: &BTreeSet<ObjectRef>,
) -> Result<LiveObjects, CallError> {
    let (inside, outside): (Vec<&ObjectRef>, Vec<&ObjectRef>) = objects
        .iter()
        .partition(|object| object.namespace.is_some());
    let mut live = get_each(reader, &outside).await?;
    let own = |object: &ObjectRef| object.kind == "Namespace" && object.name == namespace;
    let is_wanted = outside.iter().any(|object| own(object));
    if is_wanted && !live.keys().any(own) {
        // No namespace, nothing in it.
        return Ok(live);
    }
    let (secrets, others): (Vec<&ObjectRef>, Vec<&ObjectRef>) =
        inside.iter().partition(|object| object.kind == "Secret");
    live.extend(get_each(reader, &secrets).await?);
    live.extend(list_kinds(reader, namespace, &others).await?);
    Ok(live)
}

async fn get_each(reader: &Reader, objects: &[&ObjectRef]) -> Result<LiveObjects, CallError> {
    let gets = objects.iter().map(|object| async move {
        Ok::<_, CallError>((*object, served(reader.get(object).await)?))
    });
    let found = try_join_all(gets).await?;
    Ok(found
        .into_iter()
        .filter_map(|(object, live)| Some((object.clone(), live?)))
        .collect())
}

async fn list_kinds(
    reader: &Reader,
    namespace: &str,
    objects: &[&ObjectRef],
) -> Result<LiveObjects, CallError> {
    let mut kinds: BTreeMap<(&str, &str), Vec<&ObjectRef>> = BTreeMap::new();
    for object in objects {
        kinds
            .entry((&object.api_version, &object.kind))
            .or_default()
            .push(object);
    }
    let lists = kinds.into_values().map(|objects| async move {
        let found = match reader.kind_of(objects[0]).await {
            Ok(kind) => {
                let within = Within::Namespace(namespace);
                reader.list_items(&kind, within, None).await?
            }
            // The definition of the kind comes with this very bundle.
            Err(CallError::NotServed(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok::<_, CallError>(wanted_of(objects, found))
    });
    let found = try_join_all(lists).await?.concat();
    let read = found.into_par_iter().map(|(object, item)| {
        let live = item.read()?;
        Ok((object.clone(), live))
    });
    read.collect()
}

/// What is asked for, of all that there is of its kind.
fn wanted_of(objects: Vec<&ObjectRef>, found: Vec<Item>) -> Vec<(&ObjectRef, Item)> {
    let mut by_name: BTreeMap<String, Item> = found
        .into_iter()
        .map(|item| (item.name().to_owned(), item))
        .collect();
    let wanted = objects.into_iter();
    wanted
        .filter_map(|object| Some((object, by_name.remove(&object.name)?)))
        .collect()
}

fn served(found: Result<Option<Live>, CallError>) -> Result<Option<Live>, CallError> {
    match found {
        Err(CallError::NotServed(_)) => Ok(None),
        other => other,
    }
}
