//! Changing a cluster: server-side apply for tenants' objects, POST and PUT for our own records.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::manifest::{Live, MANAGER, ObjectRef};

use super::call::{Call, Caller};
use super::kind::Kind;
use super::reader::{Reader, identity_of, live};
use super::trouble::CallError;

/// Stamps objects whose claim was taken over, so that late writes are refused.
pub const FENCE_MANAGER: &str = "escale-fence";
/// Keeps the replicas of a workload while they pass from us to an autoscaler.
pub const HAND_OVER_MANAGER: &str = "escale-hand-over";

/// Takes away what others own; owns nothing itself.
const PATCH_MANAGER: &str = "escale-adopt";

/// Writes to one cluster; reads as well.
#[derive(Clone)]
pub struct Writer {
    reader: Reader,
}

/// How to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apply {
    pub manager: &'static str,
    /// Takes fields from other managers.
    pub force: bool,
    /// The object must be this one…
    pub uid: Option<String>,
    /// …in this version. On a missing object a server ignores it.
    pub resource_version: Option<String>,
    /// Nothing is written later than this from now: the rest of a claim.
    pub timeout: Option<Duration>,
}

/// What became of a delete that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    Gone,
    /// Finalizers, or what it holds, are waited for.
    Waiting,
}

/// What an object must still be like to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preconditions {
    pub uid: String,
    pub resource_version: Option<String>,
}

impl Default for Apply {
    fn default() -> Self {
        Self {
            manager: MANAGER,
            force: false,
            uid: None,
            resource_version: None,
            timeout: None,
        }
    }
}

impl Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Writer {
    pub(super) fn new(caller: Arc<Caller>) -> Self {
        Self {
            reader: Reader::new(caller),
        }
    }

    /// What this writer can read, and no more.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Applies a manifest server-side, strictly; answers the object as it now is.
    pub async fn apply(&self, manifest: &Value, apply: &Apply) -> Result<Live, CallError> {
        let object = identity_of(manifest)?;
        let kind = self.kind_of(&object).await?;
        let call = apply_call(kind.object_path(&object), manifest, apply);
        live(self.caller().json(&call).await?)
    }

    /// Changes parts of an object, if it still is as it was read; answers it as it now is.
    pub async fn merge_patch(
        &self,
        read: &Live,
        mut patch: Value,
        timeout: Duration,
    ) -> Result<Live, CallError> {
        let kind = self.kind_of(read.object()).await?;
        patch["metadata"]["uid"] = read.uid().into();
        patch["metadata"]["resourceVersion"] = read.resource_version().into();
        let call = Call {
            content_type: "application/merge-patch+json",
            ..Call::with_body(Method::PATCH, kind.object_path(read.object()), &patch)
        };
        let call = bounded(call, Some(timeout)).query("fieldManager", PATCH_MANAGER);
        live(self.caller().json(&call).await?)
    }

    /// Deletes an object, if it is still the one meant. `Gone` if it is not there any more.
    pub async fn delete(
        &self,
        object: &ObjectRef,
        preconditions: &Preconditions,
        timeout: Option<Duration>,
    ) -> Result<Deletion, CallError> {
        let kind = self.kind_of(object).await?;
        let mut meant = json!({"uid": preconditions.uid});
        if let Some(version) = &preconditions.resource_version {
            meant["resourceVersion"] = version.as_str().into();
        }
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": meant,
            "propagationPolicy": "Background",
        });
        let path = kind.object_path(object);
        let call = bounded(Call::with_body(Method::DELETE, path, &options), timeout);
        let answer = self.caller().json(&call).await?;
        // Gone at once: the answer is a Status. Else it is the object, marked.
        match answer.pointer("/metadata/deletionTimestamp") {
            Some(_) => Ok(Deletion::Waiting),
            None => Ok(Deletion::Gone),
        }
    }

    /// Creates one of our own records (`ConfigMap`, Lease); answers it as it is stored.
    /// `Exists` if somebody came first.
    pub async fn create(&self, record: &Value) -> Result<Value, CallError> {
        let object = identity_of(record)?;
        let path = own_kind(&object)?.path(object.namespace.as_deref());
        let call = own_call(Method::POST, path, record);
        match self.caller().json(&call).await {
            Err(error @ CallError::Exists(_)) => self.unless_ours(record, error).await,
            outcome => outcome,
        }
    }

    /// Changes one of our own records, which must carry the resourceVersion it was read with;
    /// `Stale` if somebody came first.
    pub async fn replace(&self, record: &Value) -> Result<Value, CallError> {
        let object = identity_of(record)?;
        let path = own_kind(&object)?.object_path(&object);
        let call = own_call(Method::PUT, path, record);
        match self.caller().json(&call).await {
            Err(error @ CallError::Stale(_)) => self.unless_ours(record, error).await,
            outcome => outcome,
        }
    }

    /// An answer may get lost after the change was made; the second attempt then finds its own
    /// work and takes it for somebody else's. So what is stored is looked at.
    async fn unless_ours(&self, sent: &Value, error: CallError) -> Result<Value, CallError> {
        let object = identity_of(sent)?;
        let path = own_kind(&object)?.object_path(&object);
        let stored = self.caller().json(&Call::get(path)).await?;
        if is_ours(sent, &stored) {
            Ok(stored)
        } else {
            Err(error)
        }
    }

    /// Makes sure that a namespace of ours exists.
    pub async fn ensure_namespace(&self, name: &str) -> Result<(), CallError> {
        let kind = Kind::namespace();
        let found = self
            .caller()
            .call(&Call::get(format!("{}/{name}", kind.path(None))))
            .await;
        match found {
            Ok(_) => return Ok(()),
            Err(CallError::Gone(_)) => {}
            Err(error) => return Err(error),
        }
        let namespace =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        let path = format!("{}/{name}", kind.path(None));
        let call = apply_call(path, &namespace, &Apply::default());
        self.caller().call(&call).await.map(|_| ())
    }
}

/// The request of a server-side apply; doing it twice is the same as doing it once.
pub(super) fn apply_call(path: String, manifest: &Value, apply: &Apply) -> Call {
    let mut sent = manifest.clone();
    if let Some(uid) = &apply.uid {
        sent["metadata"]["uid"] = uid.as_str().into();
    }
    if let Some(version) = &apply.resource_version {
        sent["metadata"]["resourceVersion"] = version.as_str().into();
    }
    let call = Call {
        content_type: "application/apply-patch+yaml",
        ..Call::with_body(Method::PATCH, path, &sent)
    };
    bounded(call, apply.timeout)
        .query("fieldManager", apply.manager)
        .query("force", apply.force.to_string())
        .query("fieldValidation", "Strict")
}

/// Neither we nor the server go on after the limit.
fn bounded(call: Call, timeout: Option<Duration>) -> Call {
    let Some(timeout) = timeout else {
        return call;
    };
    let seconds = timeout.as_secs().max(1);
    Call {
        within: Some(timeout),
        ..call.query("timeout", format!("{seconds}s"))
    }
}

fn own_call(method: Method, path: String, record: &Value) -> Call {
    Call::with_body(method, path, record)
        .query("fieldManager", MANAGER)
        .query("fieldValidation", "Strict")
}

fn own_kind(object: &ObjectRef) -> Result<Kind, CallError> {
    match object.kind.as_str() {
        "ConfigMap" => Ok(Kind::config_map()),
        "Lease" => Ok(Kind::lease()),
        other => Err(CallError::Invalid(format!(
            "`{other}` is no record of ours"
        ))),
    }
}

/// Whether what is stored is what was sent, apart from what the server adds.
fn is_ours(sent: &Value, stored: &Value) -> bool {
    let same = |pointer: &str| sent.pointer(pointer) == stored.pointer(pointer);
    [
        "/metadata/labels",
        "/metadata/annotations",
        "/data",
        "/binaryData",
        "/spec",
    ]
    .into_iter()
    .all(same)
}
