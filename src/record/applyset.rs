//! The names of `ApplySet` (KEP-3659), as kubectl spells them: a tenant's record is the parent of
//! the tenant's objects, so that kubectl too can tell which objects belong together.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::inventory::Inventory;

use super::object::NAMESPACE;

pub(super) const ID: &str = "applyset.kubernetes.io/id";
pub(super) const TOOLING: &str = "applyset.kubernetes.io/tooling";
pub(super) const GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
pub(super) const NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";

/// The id of the set whose parent is the record of the tenant in `namespace`; members carry it as
/// the label `applyset.kubernetes.io/part-of`.
pub fn applyset_id(namespace: &str) -> String {
    let parent = format!("{namespace}.{NAMESPACE}.ConfigMap.");
    let hash = Sha256::digest(parent.as_bytes());
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(hash))
}

/// `ConfigMap,Deployment.apps`: every kind of the inventory, sorted.
pub(super) fn group_kinds(inventory: &Inventory) -> String {
    let mut kinds: Vec<String> = inventory
        .lines()
        .map(|line| match line.object.group() {
            "" => line.object.kind.clone(),
            group => format!("{}.{group}", line.object.kind),
        })
        .collect();
    kinds.sort();
    kinds.dedup();
    kinds.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_fits_a_label_and_is_the_one_kubectl_computes() {
        let id = applyset_id("jp-vault-carbone");
        assert_eq!(id.len(), "applyset-".len() + 43 + "-v1".len());
        assert!(id.len() <= 63, "{id}");
    }
}
