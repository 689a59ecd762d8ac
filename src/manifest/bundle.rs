//! A bundle, rendered: the manifests of one tenant, in the order of applying.

use super::canonical::{Digest, canonical_json};
use super::hook::Hook;
use super::marks::{HOOK, without_marks};
use super::object::{Manifest, ObjectRef, Origin};

/// The manifests of one tenant, each object once, sorted by stage, kind and name.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    manifests: Vec<Manifest>,
}

/// One object that two templates render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub object: ObjectRef,
    pub origins: Vec<Option<Origin>>,
}

impl Bundle {
    /// Sorts manifests into a bundle; names every object that is there twice.
    pub fn new(mut manifests: Vec<Manifest>) -> Result<Self, Vec<Duplicate>> {
        manifests.sort_by(|a, b| {
            a.stage()
                .cmp(&b.stage())
                .then_with(|| a.object().cmp(b.object()))
        });
        let duplicates: Vec<Duplicate> = manifests
            .windows(2)
            .filter(|pair| pair[0].object().is_same(pair[1].object()))
            .map(|pair| Duplicate {
                object: pair[0].object().clone(),
                origins: pair
                    .iter()
                    .map(|manifest| manifest.origin.clone())
                    .collect(),
            })
            .collect();
        if duplicates.is_empty() {
            Ok(Self { manifests })
        } else {
            Err(duplicates)
        }
    }

    pub fn manifests(&self) -> &[Manifest] {
        &self.manifests
    }

    /// Every manifest that is an object of the tenant: hooks are run, not kept in place.
    pub fn ordinary(&self) -> impl Iterator<Item = &Manifest> {
        let manifests = self.manifests.iter();
        manifests.filter(|manifest| manifest.annotation(HOOK).is_none())
    }

    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        self.ordinary().map(Manifest::object)
    }

    /// Its hooks, in the order in which they run. What says wrongly that it is one is refused before anything runs.
    pub fn hooks(&self) -> Vec<Hook> {
        let hooks = self.manifests.iter().filter_map(Hook::of);
        let mut hooks: Vec<Hook> = hooks.filter_map(Result::ok).collect();
        hooks.sort_by(|a, b| (a.turn(), &a.object).cmp(&(b.turn(), &b.object)));
        hooks
    }

    pub fn is_empty(&self) -> bool {
        self.manifests.is_empty()
    }

    pub fn find(&self, object: &ObjectRef) -> Option<&Manifest> {
        self.manifests
            .iter()
            .find(|manifest| manifest.object().is_same(object))
    }

    pub fn digest(&self) -> Digest {
        Digest::of_bundle(&self.canonical())
    }

    /// The canonical form of each object, our marks left out.
    pub fn canonical(&self) -> Vec<Vec<u8>> {
        let bare = self
            .manifests
            .iter()
            .map(|manifest| without_marks(manifest.value()));
        bare.map(|bare| canonical_json(&bare)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(api_version: &str, kind: &str, name: &str) -> Manifest {
        let value = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "ns"}});
        Manifest::from_value(value).unwrap()
    }

    #[test]
    fn a_bundle_is_in_the_order_of_applying_whatever_came_first() {
        let one = vec![
            manifest("networking.k8s.io/v1", "Ingress", "a"),
            manifest("apps/v1", "Deployment", "web"),
            manifest("v1", "ConfigMap", "web"),
            manifest("policy/v1", "PodDisruptionBudget", "web"),
        ];
        let mut other = one.clone();
        other.reverse();
        let bundle = Bundle::new(one).unwrap();
        let kinds: Vec<&str> = bundle.manifests().iter().map(Manifest::kind).collect();
        assert_eq!(
            kinds,
            ["PodDisruptionBudget", "ConfigMap", "Deployment", "Ingress"]
        );
        assert_eq!(bundle.digest(), Bundle::new(other).unwrap().digest());
    }

    #[test]
    fn one_object_in_two_versions_is_a_duplicate() {
        let twice = vec![
            manifest("apps/v1", "Deployment", "web"),
            manifest("apps/v1beta1", "Deployment", "web"),
        ];
        assert_eq!(Bundle::new(twice).unwrap_err().len(), 1);
    }
}
