//! Fencing off the late writes of a holder that vanished: a stamp moves the resourceVersion of an
//! object, so that whatever was sent under the old claim is refused.

use serde_json::{Value, json};

use crate::manifest::{EPOCH, Live, ObjectRef};

/// What the fence manager applies, forced and with the object's uid: only the epoch, which our own
/// payloads carry too and no digest or diff counts.
pub fn fence_stamp(live: &Live, epoch: u64) -> Value {
    let mut stamp = bare(live.object());
    stamp["metadata"]["annotations"] = json!({EPOCH: epoch.to_string()});
    stamp["metadata"]["uid"] = live.uid().into();
    stamp
}

/// What the fence manager applies to let go of an object again.
pub fn fence_unstamp(object: &ObjectRef) -> Value {
    bare(object)
}

fn bare(object: &ObjectRef) -> Value {
    let mut value = json!({
        "apiVersion": object.api_version,
        "kind": object.kind,
        "metadata": {"name": object.name},
    });
    if let Some(namespace) = &object.namespace {
        value["metadata"]["namespace"] = namespace.as_str().into();
    }
    value
}
