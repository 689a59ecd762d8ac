//! Which file of a repository is what: known by its path alone.

use crate::fleet::config::Kind;

/// What a file below `environments/<environment>/` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role<'a> {
    Environment,
    Versions,
    Strategies,
    Cluster {
        name: &'a str,
    },
    Tenant {
        name: &'a str,
    },
    Platform {
        tenant: &'a str,
        name: &'a str,
    },
    /// Not ours to read: notes for people, encrypted secrets.
    Other,
    /// YAML where we expect none: silently not deploying it would be worse than complaining.
    Misplaced,
}

pub const ENVIRONMENTS: &str = "environments/";

impl<'a> Role<'a> {
    /// By the path below `environments/<environment>/`.
    pub fn of(path: &'a str) -> Self {
        let Some(stem) = path
            .strip_suffix(".yaml")
            .or_else(|| path.strip_suffix(".yml"))
        else {
            return Self::Other;
        };
        let steps: Vec<&str> = stem.split('/').collect();
        match steps[..] {
            ["environment"] => Self::Environment,
            ["versions"] => Self::Versions,
            ["strategy"] => Self::Strategies,
            ["clusters", name] => Self::Cluster { name },
            ["tenants", name] | ["tenants", name, "tenant"] => Self::Tenant { name },
            ["tenants", tenant, name] => Self::Platform { tenant, name },
            ["secrets", ..] => Self::Other,
            _ => Self::Misplaced,
        }
    }

    /// The kind that belongs there.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Environment => Some(Kind::Environment),
            Self::Versions => Some(Kind::Versions),
            Self::Strategies => Some(Kind::Strategy),
            Self::Cluster { .. } => Some(Kind::Cluster),
            Self::Tenant { .. } => Some(Kind::Tenant),
            Self::Platform { .. } => Some(Kind::Platform),
            Self::Other | Self::Misplaced => None,
        }
    }

    /// The `metadata.name` that the path demands.
    pub fn name(self, environment: &'a str) -> Option<&'a str> {
        match self {
            Self::Environment | Self::Versions => Some(environment),
            Self::Cluster { name } | Self::Tenant { name } | Self::Platform { name, .. } => {
                Some(name)
            }
            Self::Strategies | Self::Other | Self::Misplaced => None,
        }
    }
}

/// The environments that a set of paths holds, sorted.
pub fn environments<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = paths
        .filter_map(|path| path.strip_prefix(ENVIRONMENTS)?.split_once('/'))
        .map(|(name, _)| name)
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_a_file_is() {
        for (path, role) in [
            ("environment.yaml", Role::Environment),
            ("clusters/ovh-gra.yaml", Role::Cluster { name: "ovh-gra" }),
            ("tenants/a.yaml", Role::Tenant { name: "a" }),
            ("tenants/a/tenant.yaml", Role::Tenant { name: "a" }),
            (
                "tenants/a/b.yml",
                Role::Platform {
                    tenant: "a",
                    name: "b",
                },
            ),
            ("README.md", Role::Other),
            ("secrets/tls.sops.yaml", Role::Other),
            ("tenant/a.yaml", Role::Misplaced),
        ] {
            assert_eq!(Role::of(path), role, "{path}");
        }
    }
}
