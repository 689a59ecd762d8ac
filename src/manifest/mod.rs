//! One Kubernetes object as we mean it: identity, canonical form, digest, order, bundle.
//!
//! A manifest is a JSON tree (`serde_json::Value`, keys sorted) with an `apiVersion`, a `kind`
//! and a `metadata.name`. What is rendered, recorded, compared and applied are manifests.

mod bundle;
mod canonical;
mod hook;
mod live;
mod marks;
mod object;
mod order;
mod secret;
mod shape;

pub use bundle::{Bundle, Duplicate};
pub use canonical::{Digest, canonical_json};
pub use hook::{Hook, HookMoment};
pub use live::Live;
pub use marks::{
    ALWAYS, EPOCH, HOOK, HOOK_KEY, IRREVERSIBLE, MANAGER, OWNER, PART_OF, PLATFORM, PREFIX,
    RECREATE, without_marks,
};
pub use object::{Manifest, NotAnObject, ObjectRef, Origin};
pub use order::{Stage, is_cluster_scoped};
pub use secret::{
    SECRET_MARK, SecretRef, SecretValues, has_secret_mark, is_secret, misplaced_secret, secret_refs,
};
pub use shape::{ObjectShape, Own, Shape, Unlike};
