//! What is deleted once a tenant is healthy, and everything that forbids it.

use std::collections::BTreeSet;
use std::fmt;

use crate::manifest::{Live, ObjectRef, Stage};
use crate::record::{Inventory, NAMESPACE};

use super::owner::{Owner, Ownership};
use super::plan::LiveObjects;

/// Annotations, ours and other tools', that keep an object for ever.
const KEPT_BY: [(&str, &str); 7] = [
    ("escale.dev/prune", "disabled"),
    ("helm.sh/resource-policy", "keep"),
    ("argocd.argoproj.io/sync-options", "Prune=false"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
    ("kapp.k14s.io/delete-strategy", "orphan"),
    ("cli-utils.sigs.k8s.io/on-remove", "keep"),
    ("client.lifecycle.config.k8s.io/deletion", "detach"),
];

/// What a decision needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Prune<'a> {
    pub owner: &'a Owner,
    pub inventory: &'a Inventory,
    /// What the tenant's bundle has.
    pub wanted: &'a [ObjectRef],
    /// Objects that other tenants of the plan want on the same cluster: one may have moved.
    pub wanted_elsewhere: &'a BTreeSet<ObjectRef>,
    pub live: &'a LiveObjects,
    pub ask: &'a Ask,
}

/// What a person allowed to be deleted by name, as `Kind/name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    pub allowed: BTreeSet<String>,
}

/// The decision about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PruneDecision {
    Delete {
        object: ObjectRef,
        uid: String,
        resource_version: String,
    },
    Keep {
        object: ObjectRef,
        why: KeepReason,
    },
}

/// Why an object that nobody wants stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeepReason {
    /// It is not there any more.
    Gone,
    /// Deleted already, and waiting for its finalizers.
    Terminating,
    /// An annotation asks for it.
    Annotated(String),
    /// It carries no mark that names itself and this tenant: a copy, or somebody else's.
    NotOurs,
    /// Somebody deleted and made it again since we wrote it.
    Recreated,
    /// Its owner, another object, takes it along.
    HasOwner,
    /// Namespaces, volume claims and definitions go only if a person names them.
    MustBeAsked,
    /// Another tenant of the plan wants it.
    WantedElsewhere,
    /// It is not in the tenant's namespace.
    OutsideFence,
    /// A namespace of which no record says that we made it.
    NotMade,
    /// A namespace in which something is left.
    NotEmpty(String),
}

/// What the inventory has and the bundle has not, in the order of deleting: the order of applying
/// reversed, so namespaces go last.
pub fn candidates<'a>(
    inventory: &Inventory,
    wanted: impl IntoIterator<Item = &'a ObjectRef>,
) -> Vec<ObjectRef> {
    let wanted: Vec<&ObjectRef> = wanted.into_iter().collect();
    let is_wanted = |object: &ObjectRef| wanted.iter().any(|wanted| wanted.is_same(object));
    let mut unwanted: Vec<ObjectRef> = inventory
        .lines()
        .map(|line| line.object.clone())
        .filter(|object| !is_wanted(object))
        .collect();
    unwanted.sort_by(|a, b| Stage::of(b).cmp(&Stage::of(a)).then_with(|| b.cmp(a)));
    unwanted
}

/// What goes when a whole tenant is removed, by the record alone. Kinds that are deleted only on request stay, but for
/// the namespace that we made.
pub fn removals(inventory: &Inventory) -> Vec<ObjectRef> {
    let goes = |object: &ObjectRef| !must_be_asked(object) || is_own_namespace(inventory, object);
    candidates(inventory, []).into_iter().filter(goes).collect()
}

/// Whether it is a namespace, and our first write of it made it.
pub fn is_own_namespace(inventory: &Inventory, object: &ObjectRef) -> bool {
    let line = inventory.find(object);
    let written = line.and_then(|line| line.written.as_ref());
    let is_namespace = object.group().is_empty() && object.kind == "Namespace";
    is_namespace && written.is_some_and(|written| written.created)
}

/// Decides about every candidate, from what is live now.
pub fn decide_prune(prune: &Prune) -> Vec<PruneDecision> {
    candidates(prune.inventory, prune.wanted)
        .into_iter()
        .map(|object| match prune.may_delete(&object) {
            Ok(live) => PruneDecision::Delete {
                uid: live.uid().to_owned(),
                resource_version: live.resource_version().to_owned(),
                object,
            },
            Err(why) => PruneDecision::Keep { object, why },
        })
        .collect()
}

impl Prune<'_> {
    fn may_delete(&self, object: &ObjectRef) -> Result<&Live, KeepReason> {
        let Some(live) = self.live.get(object) else {
            return Err(KeepReason::Gone);
        };
        if !is_inside(object, self.owner) {
            return Err(KeepReason::OutsideFence);
        }
        if self.wanted_elsewhere.contains(object) {
            return Err(KeepReason::WantedElsewhere);
        }
        if live.is_terminating() {
            return Err(KeepReason::Terminating);
        }
        if let Some(annotation) = kept_by(live) {
            return Err(KeepReason::Annotated(annotation.to_owned()));
        }
        if self.owner.owns(live) != Ownership::Ours {
            return Err(KeepReason::NotOurs);
        }
        if has_owner(live) {
            return Err(KeepReason::HasOwner);
        }
        let recorded = self.inventory.find(object);
        // Without a recorded write the mark on it is proof enough: one landed unheard of.
        let written = recorded.and_then(|line| line.written.as_ref());
        if written.is_some_and(|written| written.uid != live.uid()) {
            return Err(KeepReason::Recreated);
        }
        if must_be_asked(object) && !self.ask.allowed.contains(&object.to_string()) {
            return Err(KeepReason::MustBeAsked);
        }
        Ok(live)
    }
}

fn is_inside(object: &ObjectRef, owner: &Owner) -> bool {
    match &object.namespace {
        Some(namespace) => *namespace == owner.namespace && namespace != NAMESPACE,
        None => object.kind == "Namespace" && object.name == owner.namespace,
    }
}

fn must_be_asked(object: &ObjectRef) -> bool {
    matches!(
        (object.group(), object.kind.as_str()),
        (
            "",
            "Namespace" | "PersistentVolumeClaim" | "PersistentVolume"
        ) | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

fn kept_by(live: &Live) -> Option<&'static str> {
    KEPT_BY
        .iter()
        .find(|(key, value)| {
            let found = live.annotation(key).unwrap_or_default();
            found.split(',').any(|part| part.trim() == *value)
        })
        .map(|(key, _)| *key)
}

/// Whether another object takes it along when it goes.
pub fn has_owner(live: &Live) -> bool {
    live.value()
        .pointer("/metadata/ownerReferences")
        .and_then(serde_json::Value::as_array)
        .is_some_and(|owners| !owners.is_empty())
}

impl KeepReason {
    /// Whether the object leaves the inventory although it stays on the cluster.
    pub fn is_let_go(&self) -> bool {
        match self {
            Self::Gone
            | Self::Annotated(_)
            | Self::NotOurs
            | Self::Recreated
            | Self::WantedElsewhere => true,
            Self::Terminating
            | Self::HasOwner
            | Self::MustBeAsked
            | Self::OutsideFence
            | Self::NotMade
            | Self::NotEmpty(_) => false,
        }
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("it is gone already"),
            Self::Terminating => f.write_str("it is being deleted, its finalizers are waited for"),
            Self::Annotated(key) => write!(f, "its annotation `{key}` keeps it"),
            Self::NotOurs => f.write_str("it carries no mark of this tenant"),
            Self::Recreated => f.write_str("somebody else made it anew"),
            Self::HasOwner => f.write_str("another object owns it"),
            Self::MustBeAsked => f.write_str("its kind is deleted only on request"),
            Self::WantedElsewhere => f.write_str("another tenant wants it"),
            Self::NotMade => f.write_str("no record says that escale made it"),
            Self::NotEmpty(what) => write!(f, "{what} is still in it"),
            Self::OutsideFence => f.write_str("it is outside the tenant's namespace"),
        }
    }
}
