//! One object as a cluster answered it.

use std::sync::Arc;

use serde_json::Value;

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

    fn metadata_text(&self, field: &str) -> &str {
        let found = self
            .value()
            .pointer("/metadata")
            .and_then(|metadata| metadata.get(field));
        found.and_then(Value::as_str).unwrap_or_default()
    }
}
