//! Which tenants are meant: by cluster, by labels, by what people call them.

use std::collections::BTreeSet;

use crate::error::{UserError, did_you_mean};
use crate::fleet::glob;
use crate::fleet::model::{Fleet, Platform, Tenant};
use crate::fleet::selector::Selector;

/// What somebody typed to say which tenants are meant. Empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Names of clusters; any of them.
    pub clusters: Vec<String>,
    /// All of them.
    pub selectors: Vec<Selector>,
    /// Tenants, patterns, platforms, domains or `client=NAME`; any of them.
    pub targets: Vec<String>,
}

/// A platform that was named, and who else is moved with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    pub tenant: String,
    pub named: Vec<String>,
    /// The other platforms of the tenant.
    pub others: Vec<String>,
}

impl Fleet {
    /// The tenants that are meant, sorted by name. None is an error: nobody means nothing.
    pub fn select(&self, selection: &Selection) -> Result<Vec<&Tenant>, UserError> {
        for cluster in &selection.clusters {
            self.check_cluster(cluster)?;
        }
        let mut named: BTreeSet<&str> = BTreeSet::new();
        for target in &selection.targets {
            let found = self.matching(target);
            if found.is_empty() {
                return Err(self.unknown_target(target));
            }
            named.extend(found.iter().map(|tenant| tenant.name.as_str()));
        }
        let selected: Vec<&Tenant> = self
            .tenants
            .iter()
            .filter(|tenant| selection.targets.is_empty() || named.contains(tenant.name.as_str()))
            .filter(|tenant| {
                selection.clusters.is_empty() || selection.clusters.contains(&tenant.cluster)
            })
            .filter(|tenant| {
                selection
                    .selectors
                    .iter()
                    .all(|selector| selector.matches(tenant))
            })
            .collect();
        if selected.is_empty() {
            return Err(self.nothing_selected(selection));
        }
        Ok(selected)
    }

    /// For targets that name a platform, a domain or a client: what else shares the tenant.
    pub fn sharing(&self, selection: &Selection) -> Vec<Sharing> {
        let is_named = |tenant: &Tenant, platform: &Platform| {
            selection
                .targets
                .iter()
                .any(|target| names_platform(target, tenant, platform))
        };
        let shared = self.tenants.iter().filter_map(|tenant| {
            let platforms = tenant.platforms.values();
            let (named, others): (Vec<&Platform>, Vec<&Platform>) =
                platforms.partition(|platform| is_named(tenant, platform));
            let own = |platforms: Vec<&Platform>| {
                platforms
                    .iter()
                    .map(|platform| platform.name.clone())
                    .collect::<Vec<_>>()
            };
            let is_whole = selection
                .targets
                .iter()
                .any(|target| names_tenant(target, tenant));
            (!named.is_empty() && !others.is_empty() && !is_whole).then(|| Sharing {
                tenant: tenant.name.clone(),
                named: own(named),
                others: own(others),
            })
        });
        shared.collect()
    }

    /// Tenants by name first; only what is no tenant is looked for among platforms.
    fn matching(&self, target: &str) -> Vec<&Tenant> {
        let by_name: Vec<&Tenant> = self
            .tenants
            .iter()
            .filter(|tenant| names_tenant(target, tenant))
            .collect();
        if !by_name.is_empty() {
            return by_name;
        }
        let has_named = |tenant: &&Tenant| {
            let mut platforms = tenant.platforms.values();
            platforms.any(|platform| names_platform(target, tenant, platform))
        };
        self.tenants.iter().filter(has_named).collect()
    }

    /// A cluster that the environment does not have is an error with advice.
    pub fn check_cluster(&self, name: &str) -> Result<(), UserError> {
        if self.clusters.contains_key(name) {
            return Ok(());
        }
        let known: Vec<&str> = self.clusters.keys().map(String::as_str).collect();
        let hint = match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are `{}`", known.join("`, `")),
        };
        let environment = &self.environment.name;
        Err(UserError::new(format!("no cluster named `{name}` in `{environment}`")).hint(hint))
    }

    fn unknown_target(&self, target: &str) -> UserError {
        let environment = &self.environment.name;
        let error = if let Some(client) = target.strip_prefix("client=") {
            UserError::new(format!("no client named `{client}` in `{environment}`"))
        } else if glob::is_pattern(target) {
            UserError::new(format!("no tenant matches `{target}` in `{environment}`"))
        } else {
            UserError::new(format!(
                "no tenant, platform or domain named `{target}` in `{environment}`"
            ))
        };
        let known = self.target_names();
        match did_you_mean(target, known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(
                "a target is a tenant, a pattern in quotes, a platform, a domain or `client=NAME`",
            ),
        }
    }

    fn target_names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for tenant in &self.tenants {
            names.insert(tenant.name.clone());
            for platform in tenant.platforms.values() {
                names.insert(platform.name.clone());
                names.insert(format!("client={}", platform.client));
                names.extend(platform.domains().map(str::to_owned));
            }
        }
        names
    }

    fn nothing_selected(&self, selection: &Selection) -> UserError {
        let environment = &self.environment.name;
        if self.tenants.is_empty() {
            return UserError::new(format!("`{environment}` has no tenants"))
                .hint("a tenant is a file in `tenants/`");
        }
        let error = UserError::new(format!(
            "the selection matches no tenant of `{environment}`"
        ));
        let keys = selection.selectors.iter().flat_map(Selector::keys);
        match keys
            .into_iter()
            .find(|key| self.values_of_label(key).is_empty())
        {
            Some(key) => {
                let known = self.label_keys();
                match did_you_mean(key, known.iter().copied()) {
                    Some(near) => error.hint(format!(
                        "no tenant has a label `{key}`; did you mean `{near}`?"
                    )),
                    None => error.hint(format!("no tenant has a label `{key}`")),
                }
            }
            None => {
                selection
                    .selectors
                    .iter()
                    .flat_map(Selector::keys)
                    .fold(error, |error, key| {
                        let values = Vec::from_iter(self.values_of_label(key)).join("`, `");
                        error.hint(format!("values of `{key}` are `{values}`"))
                    })
            }
        }
    }

    fn values_of_label(&self, key: &str) -> BTreeSet<&str> {
        self.tenants
            .iter()
            .filter_map(|tenant| tenant.label(key))
            .collect()
    }

    fn label_keys(&self) -> BTreeSet<&str> {
        let own = self
            .tenants
            .iter()
            .flat_map(|tenant| tenant.labels.keys().chain(tenant.cluster_labels.keys()));
        own.map(String::as_str)
            .chain(["tenant", "cluster", "class", "group"])
            .collect()
    }
}

fn names_tenant(target: &str, tenant: &Tenant) -> bool {
    if glob::is_pattern(target) {
        glob::matches(target, &tenant.name)
    } else {
        target == tenant.name
    }
}

fn names_platform(target: &str, tenant: &Tenant, platform: &Platform) -> bool {
    if let Some(client) = target.strip_prefix("client=") {
        return platform.client == client;
    }
    target == platform.name
        || target.strip_prefix(&tenant.name) == Some(&format!("/{}", platform.name))
        || platform.domains().any(|domain| domain == target)
}
