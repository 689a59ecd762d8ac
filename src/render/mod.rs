//! Templates × tenant → manifests.
