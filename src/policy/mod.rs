//! Rules over fleet and manifests → findings.
