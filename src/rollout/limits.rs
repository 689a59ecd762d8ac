//! The scopes over which limits count.

use std::fmt;

use crate::fleet::config::{Limit, LimitSet};

/// A set of tenants over which a limit counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    All,
    Cluster(String),
    Provider(String),
    Group(String),
    Wave(String),
}

impl Scope {
    /// What a set of limits says of this scope.
    pub fn limit(&self, limits: &LimitSet) -> Option<Limit> {
        match self {
            Self::All => limits.all,
            Self::Cluster(_) => limits.cluster,
            Self::Provider(_) => limits.provider,
            Self::Group(_) => limits.group,
            Self::Wave(_) => limits.wave,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("the rollout"),
            Self::Cluster(name) => write!(f, "cluster `{name}`"),
            Self::Provider(name) => write!(f, "provider `{name}`"),
            Self::Group(name) => write!(f, "group `{name}`"),
            Self::Wave(name) => write!(f, "wave `{name}`"),
        }
    }
}
