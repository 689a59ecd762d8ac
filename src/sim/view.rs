//! A stored object as controllers see it.

use std::ops::Index;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;

/// What an object says besides its metadata and status: mostly `spec`. The same for many objects, and read once for all.
#[derive(Debug)]
pub struct Rest {
    /// Members, each with a comma before it.
    pub members: Bytes,
    tree: OnceLock<Value>,
    template_hash: OnceLock<String>,
}

/// An object without `managedFields`. Is read like a tree: `view["spec"]["replicas"]`.
#[derive(Clone, Debug)]
pub struct View {
    /// Kind, metadata and status.
    pub small: Value,
    pub rest: Arc<Rest>,
}

impl Rest {
    pub fn new(members: Bytes) -> Self {
        Self {
            members,
            tree: OnceLock::new(),
            template_hash: OnceLock::new(),
        }
    }

    pub fn tree(&self) -> &Value {
        self.tree.get_or_init(|| {
            let Some(members) = self.members.strip_prefix(b",") else {
                return Value::Object(serde_json::Map::new());
            };
            let json = [b"{", members, b"}"].concat();
            serde_json::from_slice(&json).expect("written by ourselves")
        })
    }

    /// What `make` says of the template in the spec.
    pub fn template_hash(&self, make: impl FnOnce(&Value) -> String) -> &str {
        self.template_hash
            .get_or_init(|| make(&self.tree()["spec"]["template"]))
    }
}

impl View {
    pub fn into_tree(self) -> Value {
        let Value::Object(mut tree) = self.small else {
            return self.small;
        };
        for (key, member) in self.rest.tree().as_object().into_iter().flatten() {
            tree.insert(key.clone(), member.clone());
        }
        Value::Object(tree)
    }
}

impl Index<&str> for View {
    type Output = Value;

    fn index(&self, key: &str) -> &Value {
        match key {
            "apiVersion" | "kind" | "metadata" | "status" => &self.small[key],
            _ => &self.rest.tree()[key],
        }
    }
}

/// For tests, which have trees.
#[cfg(test)]
impl From<Value> for View {
    fn from(tree: Value) -> Self {
        let rest = Rest::new(Bytes::new());
        let _ = rest.tree.set(tree.clone());
        Self {
            small: tree,
            rest: Arc::new(rest),
        }
    }
}
