//! Files → parts: every file of an environment read and typed, whatever else is wrong.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::de::DeserializeOwned;

use crate::fleet::config::{
    ClusterSpec, EnvironmentSpec, PlatformSpec, StrategySpec, TenantSpec, VersionsSpec,
};
use crate::fleet::finding::{Finding, Place};
use crate::fleet::layout::{ENVIRONMENTS, Role};
use crate::fleet::names::check_name;
use crate::fleet::read::{Read, Schemas, documents, place};

/// Everything that was read and typed, whatever else is wrong.
#[derive(Default)]
pub struct Parts {
    pub environment: Option<Read<EnvironmentSpec>>,
    pub versions: Option<Read<VersionsSpec>>,
    pub strategies: Vec<Read<StrategySpec>>,
    /// Whether some could not be read.
    pub strategies_missing: bool,
    pub clusters: Vec<Read<ClusterSpec>>,
    pub tenants: Vec<Read<TenantSpec>>,
    /// With the tenant that each belongs to.
    pub platforms: Vec<(String, Read<PlatformSpec>)>,
    /// What files promise to hold, by their paths: also those that could not be read, so that one
    /// mistake is not told again by everything that refers to it.
    pub promised_environment: bool,
    pub promised_clusters: BTreeSet<String>,
    pub promised_tenants: BTreeSet<String>,
}

/// Reads the files (path and text) of an environment.
pub fn read_all(files: &[(&str, &str)], environment: &str) -> (Parts, Vec<Finding>) {
    let schemas = Schemas::compiled();
    let root = ENVIRONMENTS.len() + environment.len() + 1;
    let read: Vec<(Part, Vec<Finding>)> = files
        .par_iter()
        .map(|(path, text)| {
            let file = File {
                path,
                text,
                role: Role::of(&path[root..]),
                environment,
            };
            file.read(schemas)
        })
        .collect();
    let mut parts = Parts::default();
    let mut findings = Vec::new();
    for (part, mistakes) in read {
        parts.add(part);
        findings.extend(mistakes);
    }
    for (path, _) in files {
        parts.promise(Role::of(&path[root..]));
    }
    (parts, findings)
}

/// One file and what it should hold.
struct File<'a> {
    path: &'a str,
    text: &'a str,
    role: Role<'a>,
    environment: &'a str,
}

/// What one file held.
enum Part {
    Nothing,
    Environment(Box<Read<EnvironmentSpec>>),
    Versions(Read<VersionsSpec>),
    /// Whether that is all of them.
    Strategies(Vec<Read<StrategySpec>>, bool),
    Cluster(Read<ClusterSpec>),
    Tenant(Read<TenantSpec>),
    Platform(String, Read<PlatformSpec>),
}

impl File<'_> {
    fn read(&self, schemas: &Schemas) -> (Part, Vec<Finding>) {
        let mut findings = Vec::new();
        let part = match self.role {
            Role::Other => None,
            Role::Misplaced => {
                findings.push(self.misplaced());
                None
            }
            Role::Strategies => {
                let read = self.many(schemas, &mut findings);
                Some(Part::Strategies(read, findings.is_empty()))
            }
            Role::Environment => {
                let read = self.one(schemas, &mut findings);
                read.map(|read| Part::Environment(Box::new(read)))
            }
            Role::Versions => self.one(schemas, &mut findings).map(Part::Versions),
            Role::Cluster { .. } => self.one(schemas, &mut findings).map(Part::Cluster),
            Role::Tenant { .. } => self.one(schemas, &mut findings).map(Part::Tenant),
            Role::Platform { tenant, .. } => self
                .one(schemas, &mut findings)
                .map(|read| Part::Platform(tenant.to_owned(), read)),
        };
        (part.unwrap_or(Part::Nothing), findings)
    }

    fn misplaced(&self) -> Finding {
        Finding::error(Place::of_file(self.path), "no config file is expected here").hint(
            "`environment.yaml`, `versions.yaml`, `strategy.yaml`, `clusters/NAME.yaml`, `tenants/NAME.yaml` \
             or `tenants/TENANT/PLATFORM.yaml`; encrypted files belong into `secrets/`"
                .to_owned(),
        )
    }

    fn one<Spec: DeserializeOwned>(
        &self,
        schemas: &Schemas,
        findings: &mut Vec<Finding>,
    ) -> Option<Read<Spec>> {
        let mut read = self.many(schemas, findings);
        if let Some(second) = read.get(1) {
            findings.push(
                Finding::error(second.place(""), "a second document in this file")
                    .hint("one file holds one document here".to_owned()),
            );
        }
        (!read.is_empty()).then(|| read.swap_remove(0))
    }

    fn many<Spec: DeserializeOwned>(
        &self,
        schemas: &Schemas,
        findings: &mut Vec<Finding>,
    ) -> Vec<Read<Spec>> {
        let kind = self
            .role
            .kind()
            .expect("only called for roles that hold a kind");
        let nodes = match documents(self.path, self.text) {
            Ok(nodes) => nodes,
            Err(mistake) => {
                findings.push(mistake);
                return Vec::new();
            }
        };
        if nodes.is_empty() {
            findings.push(
                Finding::error(Place::of_file(self.path), "the file is empty")
                    .hint(format!("it should hold `kind: {kind}`")),
            );
        }
        let mut read = Vec::new();
        for node in nodes {
            let name = node
                .at("/metadata/name")
                .map(|name| (name.mark, name.to_value()));
            if let Some((mark, Some(name))) =
                name.as_ref().map(|(mark, name)| (mark, name.as_str()))
            {
                findings.extend(self.check_names(name, place(self.path, *mark)));
            }
            match schemas.typed(kind, self.path, node) {
                Ok(document) => read.push(document),
                Err(mistakes) => findings.extend(mistakes),
            }
        }
        read
    }

    fn check_names(&self, name: &str, at: Place) -> Option<Finding> {
        match self.role.name(self.environment) {
            Some(wanted) if wanted != name => Some(
                Finding::error(
                    at,
                    format!("the name `{name}` is not that of the path, `{wanted}`"),
                )
                .hint(format!(
                    "write `metadata: {{name: {wanted}}}`, or rename the file"
                )),
            ),
            Some(_) | None => check_name("the name", name, at),
        }
    }
}

impl Parts {
    fn add(&mut self, part: Part) {
        match part {
            Part::Nothing => {}
            Part::Environment(read) => self.environment = Some(*read),
            Part::Versions(read) => self.versions = Some(read),
            Part::Strategies(read, are_all) => {
                self.strategies.extend(read);
                self.strategies_missing |= !are_all;
            }
            Part::Cluster(read) => self.clusters.push(read),
            Part::Tenant(read) => self.tenants.push(read),
            Part::Platform(tenant, read) => self.platforms.push((tenant, read)),
        }
    }

    fn promise(&mut self, role: Role<'_>) {
        match role {
            Role::Environment => std::mem::replace(&mut self.promised_environment, true),
            Role::Cluster { name } => self.promised_clusters.insert(name.to_owned()),
            Role::Tenant { name } => self.promised_tenants.insert(name.to_owned()),
            Role::Versions
            | Role::Strategies
            | Role::Platform { .. }
            | Role::Other
            | Role::Misplaced => false,
        };
    }
}
