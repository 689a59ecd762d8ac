//! Files → fleet: reads every file of an environment, then puts them together.

use std::collections::BTreeMap;

use crate::error::did_you_mean;
use crate::fleet::check;
use crate::fleet::config::{ClusterSpec, EnvironmentSpec, PlatformSpec, TenantSpec};
use crate::fleet::finding::{Finding, has_errors};
use crate::fleet::layout::{ENVIRONMENTS, environments};
use crate::fleet::model::{Cluster, Environment, Fleet, Placement, Platform, Tenant};
use crate::fleet::parts::{Parts, read_all};
use crate::fleet::read::Read;
use crate::fleet::strategies::Strategies;

/// The texts of files by their path below the repository's root.
pub type Files = BTreeMap<String, String>;

/// Loads an environment, or tells every mistake at once.
pub fn load(files: &Files, environment: &str) -> Result<Fleet, Vec<Finding>> {
    let root = format!("{ENVIRONMENTS}{environment}/");
    let ours: Vec<(&str, &str)> = files
        .range(root.clone()..)
        .take_while(|(path, _)| path.starts_with(&root))
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    if ours.is_empty() {
        return Err(vec![unknown_environment(files, environment)]);
    }
    let (parts, mut findings) = read_all(&ours, environment);
    findings.extend(check::all(&parts, &root));
    if has_errors(&findings) {
        findings.sort();
        return Err(findings);
    }
    findings.sort();
    Ok(assembled(parts, environment, findings))
}

fn unknown_environment(files: &Files, environment: &str) -> Finding {
    let known = environments(files.keys().map(String::as_str));
    let hint = match did_you_mean(environment, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => {
            format!("a fleet begins with `{ENVIRONMENTS}{environment}/environment.yaml`")
        }
        None => format!("there are `{}`", known.join("`, `")),
    };
    Finding::error(None, format!("no environment named `{environment}`")).hint(hint)
}

/// Only called once every check has passed.
fn assembled(parts: Parts, environment: &str, warnings: Vec<Finding>) -> Fleet {
    let spec = parts.environment.map(|read| read.document.spec);
    let spec = spec.expect("its absence is a mistake that `check` tells");
    let clusters: BTreeMap<String, Cluster> = parts.clusters.into_iter().map(cluster).collect();
    let mut platforms: BTreeMap<String, BTreeMap<String, Platform>> = BTreeMap::new();
    for (tenant, read) in parts.platforms {
        let name = read.name().to_owned();
        let made = platform(&name, read.document.spec, read.file);
        platforms.entry(tenant).or_default().insert(name, made);
    }
    let mut tenants: Vec<Tenant> = parts
        .tenants
        .into_iter()
        .map(|read| {
            let own = platforms.remove(read.name()).unwrap_or_default();
            tenant(read, own, &spec, &clusters)
        })
        .collect();
    tenants.sort_by(|a, b| a.name.cmp(&b.name));
    let strategies = parts.strategies.into_iter();
    Fleet {
        environment: Environment {
            name: environment.to_owned(),
            spec,
        },
        clusters,
        tenants,
        strategies: Strategies::new(
            strategies
                .map(|read| (read.document.metadata.name, read.document.spec))
                .collect(),
        ),
        versions: parts
            .versions
            .map(|read| read.document.spec.images)
            .unwrap_or_default(),
        warnings,
    }
}

fn cluster(read: Read<ClusterSpec>) -> (String, Cluster) {
    let cluster = Cluster {
        name: read.document.metadata.name,
        labels: read.document.metadata.labels,
        spec: read.document.spec,
        file: read.file,
    };
    (cluster.name.clone(), cluster)
}

fn tenant(
    read: Read<TenantSpec>,
    mut platforms: BTreeMap<String, Platform>,
    environment: &EnvironmentSpec,
    clusters: &BTreeMap<String, Cluster>,
) -> Tenant {
    let place = read.place("/metadata/name");
    let placement = Placement {
        cluster: read.place("/spec/cluster"),
        namespace: read.place("/spec/namespace"),
    };
    let delete_after = read.spec().last_day();
    let metadata = read.document.metadata;
    let spec = read.document.spec;
    for (name, inline) in spec.platforms {
        let made = platform(&name, inline, read.file.clone());
        platforms.insert(name, made);
    }
    Tenant {
        namespace: spec.namespace.unwrap_or_else(|| metadata.name.clone()),
        name: metadata.name,
        labels: metadata.labels,
        cluster_labels: clusters[&spec.cluster].labels.clone(),
        cluster: spec.cluster,
        class: spec.class,
        group: spec.group,
        after: spec.after,
        bundle: spec
            .bundle
            .unwrap_or_else(|| environment.defaults.bundle.clone()),
        updates: spec.updates.unwrap_or(environment.defaults.updates),
        lifecycle: spec.lifecycle,
        delete_after,
        values: spec.values,
        platforms,
        place,
        placement,
    }
}

fn platform(name: &str, spec: PlatformSpec, file: String) -> Platform {
    Platform {
        name: name.to_owned(),
        client: spec.client,
        domain: spec.domain,
        aliases: spec.aliases,
        apps: spec.apps,
        tls: spec.tls,
        values: spec.values,
        file,
    }
}
