//! Whether the canary of a plan shows what the release does to each of the shapes that tenants have.
//!
//! A shape is covered if each of its objects looks in some tenant of the canary as it does in the shape: what one has and what
//! another has are rendered by the same branches of the templates, wherever they come together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::few::few_of;
use super::plan::{Planned, Wave};
use super::strategy::Role;
use crate::manifest::{ObjectShape, Shape};

/// What the first wave of a plan stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    pub wave: String,
    /// Those that most tenants have come first; empty if none is known.
    pub shapes: Vec<Look>,
    /// Who is in the canary for what it covers alone.
    pub added: Vec<Added>,
}

/// One shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// What is special about it, for people.
    pub shape: String,
    /// So many tenants of the plan have it.
    pub tenants: usize,
    /// The first of them.
    pub some: Vec<String>,
    /// Who in the canary stands for it, together; nobody, if anything of it is not there.
    pub covered_by: Vec<String>,
    /// What of it nobody in the canary shows, for people; nothing, if it is covered.
    pub missing: Option<String>,
    /// What keeps `cover: shapes` from covering it.
    pub why_not: Option<String>,
}

/// A tenant that is in the canary for what it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Added {
    pub tenant: String,
    /// What nobody before it in the canary shows, for people.
    pub covers: String,
    /// So many tenants of the plan have anything of that.
    pub tenants: usize,
}

/// Tenants and objects that are named.
const FEW: usize = 3;

impl Coverage {
    /// Shapes in all, and those of them that the canary covers.
    pub fn counts(&self) -> (usize, usize) {
        (self.shapes.len(), self.covered().count())
    }

    /// Tenants in all, and those of them whose shape the canary covers.
    pub fn tenants(&self) -> (usize, usize) {
        let covered = self.covered().map(|look| look.tenants);
        (
            self.shapes.iter().map(|look| look.tenants).sum(),
            covered.sum(),
        )
    }

    fn covered(&self) -> impl Iterator<Item = &Look> {
        self.shapes
            .iter()
            .filter(|look| !look.covered_by.is_empty())
    }

    /// What the first of these waves covers, if it is a canary; `added` were put into it for that, if it is to cover all.
    pub(super) fn of(waves: &[Wave], added: Option<Vec<Added>>) -> Self {
        let Some(canary) = waves.first().filter(|wave| wave.role == Role::Canary) else {
            return Self::default();
        };
        let all = waves.iter().flat_map(|wave| &wave.tenants).collect();
        let groups = by_shape(all);
        let Some((most_common, _)) = groups.first() else {
            return Self::default();
        };
        let shapes = canary.tenants.iter().filter_map(|one| one.shape.as_ref());
        let shown: BTreeSet<ObjectShape> = shapes.flat_map(Shape::objects).collect();
        let looks = groups.iter().map(|(shape, tenants)| {
            let covered_by = standing_for(shape, &canary.tenants);
            let is_gap = covered_by.is_empty() && added.is_some();
            Look {
                shape: words(shape, most_common, tenants),
                tenants: tenants.len(),
                some: tenants
                    .iter()
                    .take(FEW)
                    .map(|one| one.place.tenant.clone())
                    .collect(),
                missing: covered_by.is_empty().then(|| {
                    let objects = shape.objects();
                    let news = objects.filter(|object| !shown.contains(object));
                    covers(&news.collect(), &shown)
                }),
                why_not: is_gap.then(|| obstacles(tenants, waves, &canary.tenants)),
                covered_by,
            }
        });
        Self {
            wave: canary.name.clone(),
            shapes: looks.collect(),
            added: added.unwrap_or_default(),
        }
    }
}

/// Those of a canary who have a shape, or together all of its objects.
fn standing_for(shape: &Shape, canary: &[Planned]) -> Vec<String> {
    let mut left: BTreeSet<ObjectShape> = shape.objects().collect();
    let mut standing = Vec::new();
    while !left.is_empty() {
        let shown = |one: &Planned| {
            let objects = one.shape.iter().flat_map(Shape::objects);
            objects.filter(|object| left.contains(object)).count()
        };
        // Of as many the first.
        let Some(most) = canary.iter().rev().max_by_key(|one| shown(one)) else {
            return Vec::new();
        };
        let before = left.len();
        for object in most.shape.iter().flat_map(Shape::objects) {
            left.remove(&object);
        }
        if left.len() == before {
            return Vec::new();
        }
        standing.push(most.place.tenant.clone());
    }
    standing
}

/// Those of the others who show what a canary does not show yet: first whoever shows most of it, of as many whose shape most
/// tenants have, the first by name whom nothing keeps from it.
pub(super) fn missing(canary: &[Planned], others: &[Planned]) -> Vec<Added> {
    let all: Vec<&Planned> = canary.iter().chain(others).collect();
    let groups = by_shape(all.clone());
    let mut chosen: Vec<&Planned> = canary.iter().collect();
    let shapes = canary.iter().filter_map(|one| one.shape.as_ref());
    let mut shown: BTreeSet<ObjectShape> = shapes.flat_map(Shape::objects).collect();
    let mut added = Vec::new();
    while let Some(one) = shows_most(&groups, &shown, (&all, &chosen)) {
        let shape = one.shape.as_ref().expect("it is in a group");
        let news: BTreeSet<ObjectShape> = shape.objects().collect();
        let news: BTreeSet<ObjectShape> = news.difference(&shown).copied().collect();
        added.push(Added {
            tenant: one.place.tenant.clone(),
            covers: covers(&news, &shown),
            tenants: having(&news, &groups),
        });
        shown.extend(news);
        chosen.push(one);
    }
    added
}

fn shows_most<'p>(
    groups: &[(&'p Shape, Vec<&'p Planned>)],
    shown: &BTreeSet<ObjectShape>,
    (all, chosen): (&[&Planned], &[&Planned]),
) -> Option<&'p Planned> {
    let mut best: Option<(usize, &Planned)> = None;
    for (shape, tenants) in groups {
        let news = shape.objects().filter(|object| !shown.contains(object));
        let news = news.count();
        if best.map_or(0, |(most, _)| most) < news {
            let is_free = |one: &&&Planned| obstacle(one, all, chosen).is_none();
            let free = tenants.iter().find(is_free);
            best = free.map(|one| (news, *one)).or(best);
        }
    }
    best.map(|(_, one)| one)
}

/// `app-wiki`, or `other fields in web` where the canary shows one of the name.
fn covers(news: &BTreeSet<ObjectShape>, shown: &BTreeSet<ObjectShape>) -> String {
    let known: BTreeSet<&str> = shown.iter().map(|object| object.name).collect();
    let is_known = |object: &&ObjectShape| known.contains(object.name);
    let (other, new): (Vec<&ObjectShape>, _) = news.iter().partition(is_known);
    let named = |objects: Vec<&ObjectShape>| {
        let objects: BTreeSet<String> = objects.iter().map(|one| one.name.to_owned()).collect();
        names_of(&Vec::from_iter(objects))
    };
    let parts = [("", named(new)), ("other fields in ", named(other))];
    let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts.map(|(how, names)| format!("{how}{names}")).collect();
    parts.join(", ")
}

fn names_of(objects: &[String]) -> String {
    few_of(&names(objects), FEW)
}

/// How many tenants have any of these.
fn having(objects: &BTreeSet<ObjectShape>, groups: &[(&Shape, Vec<&Planned>)]) -> usize {
    let has_any = |shape: &Shape| shape.objects().any(|object| objects.contains(&object));
    let having = groups.iter().filter(|(shape, _)| has_any(shape));
    having.map(|(_, tenants)| tenants.len()).sum()
}

/// Tenants by shape, sorted by name: the shape that most have first, of as many that whose first tenant comes first.
fn by_shape(mut tenants: Vec<&Planned>) -> Vec<(&Shape, Vec<&Planned>)> {
    tenants.sort_by(|a, b| a.place.tenant.cmp(&b.place.tenant));
    let mut groups: BTreeMap<&Shape, Vec<&Planned>> = BTreeMap::new();
    for planned in tenants {
        if let Some(shape) = &planned.shape {
            groups.entry(shape).or_default().push(planned);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(_, a), (_, b)| {
        let by_name = a[0].place.tenant.cmp(&b[0].place.tenant);
        b.len().cmp(&a.len()).then(by_name)
    });
    groups
}

/// What keeps a tenant from being a canary for its shape.
fn obstacle(one: &Planned, all: &[&Planned], canary: &[&Planned]) -> Option<String> {
    let tenant = &one.place.tenant;
    let proves = all.iter().any(|planned| !planned.is_new());
    if one.is_new() && proves {
        return Some(format!("`{tenant}` is new, and has nothing to go back to"));
    }
    let find = |tenants: &[&Planned], name: &String| {
        tenants.iter().any(|other| other.place.tenant == *name)
    };
    let mut before = one.place.after.iter();
    let before = before.find(|name| find(all, name) && !find(canary, name));
    if let Some(before) = before {
        return Some(format!(
            "`{tenant}` comes after `{before}`, which is not in the canary"
        ));
    }
    let group = one.place.group.as_ref()?;
    let mate = canary
        .iter()
        .find(|other| other.place.group.as_ref() == Some(group))?;
    let mate = &mate.place.tenant;
    Some(format!(
        "`{tenant}` is of group `{group}`, of which `{mate}` is in the canary"
    ))
}

fn obstacles(tenants: &[&Planned], waves: &[Wave], canary: &[Planned]) -> String {
    let all: Vec<&Planned> = waves.iter().flat_map(|wave| &wave.tenants).collect();
    let canary: Vec<&Planned> = canary.iter().collect();
    let each = tenants
        .iter()
        .filter_map(|one| obstacle(one, &all, &canary));
    few_of(&each.collect::<Vec<_>>(), FEW)
}

/// What is special about a shape: the class, if all its tenants have the same, and how it differs from the most common.
fn words(shape: &Shape, most_common: &Shape, tenants: &[&Planned]) -> String {
    let mut classes = tenants.iter().map(|one| one.place.labels.get("class"));
    let first = classes.next().flatten();
    let class = first.filter(|class| classes.all(|other| other == Some(class)));
    let unlike = shape.unlike(most_common);
    let mut words: Vec<String> = class.into_iter().cloned().collect();
    for (how, objects) in [("with", &unlike.more), ("without", &unlike.fewer)] {
        if !objects.is_empty() {
            words.push(format!("{how} {}", few_of(&names(objects), FEW)));
        }
    }
    if unlike.more.is_empty() && unlike.fewer.is_empty() && !unlike.other.is_empty() {
        words.push(format!(
            "with other fields in {}",
            few_of(&unlike.other, FEW)
        ));
    }
    if shape == most_common {
        words.push("as most".to_owned());
    }
    words.join(" ")
}

/// `app-wiki` for both its Deployment and its Service.
fn names(objects: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for object in objects {
        let (kind, name) = object.split_once('/').unwrap_or(("", object));
        let name = if name == "*" { kind } else { name };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests;
