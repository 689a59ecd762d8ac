//! One object as a cluster answered it.

use std::sync::Arc;

use serde_json::Value;

use super::canonical_json;
use super::marks::MANAGER;
use super::object::{Manifest, NotAnObject, ObjectRef};

/// An object as it is on a cluster: with uid, resourceVersion, managedFields and status. Clones
/// share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    manifest: Arc<Manifest>,
}

impl Live {
    pub fn from_value(value: Value) -> Result<Self, NotAnObject> {
        let manifest = Arc::new(Manifest::from_value(value)?);
        Ok(Self { manifest })
    }

    pub fn object(&self) -> &ObjectRef {
        self.manifest.object()
    }

    pub fn value(&self) -> &Value {
        self.manifest.value()
    }

    pub fn uid(&self) -> &str {
        self.metadata_text("uid")
    }

    pub fn resource_version(&self) -> &str {
        self.metadata_text("resourceVersion")
    }

    /// `None` for kinds that count no generations (`ConfigMap`, `Secret`, `Service`…).
    pub fn generation(&self) -> Option<i64> {
        self.value().pointer("/metadata/generation")?.as_i64()
    }

    pub fn is_terminating(&self) -> bool {
        self.value()
            .pointer("/metadata/deletionTimestamp")
            .is_some()
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.manifest.annotation(key)
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.value().pointer("/metadata/labels")?.get(key)?.as_str()
    }

    /// Our Apply entry among the managed fields, if there is exactly one.
    pub fn own_entry(&self) -> Option<&Value> {
        let mut ours = self.managed_fields().iter().filter(|entry| is_ours(entry));
        let first = ours.next()?;
        match ours.next() {
            None => Some(first),
            Some(_) => None,
        }
    }

    /// A hash of what we own of the pod template. Whoever else changes a field of it takes it from us, so that the hash
    /// changes too. `None` where we own nothing of a template.
    pub fn owned_template(&self) -> Option<String> {
        /// 64 bits: told apart are the few states of one template.
        const DIGITS: usize = 16;
        let owned = template_of(self.own_entry()?)?;
        Some(blake3::hash(&canonical_json(owned)).to_hex()[..DIGITS].to_owned())
    }

    /// Who else owns a part of the pod template.
    pub fn other_owners_of_template(&self) -> Vec<&str> {
        let others = self.managed_fields().iter();
        let others = others.filter(|entry| !is_ours(entry) && template_of(entry).is_some());
        others
            .filter_map(|entry| entry["manager"].as_str())
            .collect()
    }

    pub fn managed_fields(&self) -> &[Value] {
        let entries = self.value().pointer("/metadata/managedFields");
        entries.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn metadata_text(&self, field: &str) -> &str {
        let found = self
            .value()
            .pointer("/metadata")
            .and_then(|metadata| metadata.get(field));
        found.and_then(Value::as_str).unwrap_or_default()
    }
}

fn is_ours(entry: &Value) -> bool {
    entry["manager"] == MANAGER
        && entry["operation"] == "Apply"
        && entry.get("subresource").is_none()
}

fn template_of(entry: &Value) -> Option<&Value> {
    entry.pointer("/fieldsV1/f:spec/f:template")
}
