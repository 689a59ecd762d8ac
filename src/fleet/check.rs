//! Mistakes that show only when the files of an environment are seen together.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::did_you_mean;
use crate::fleet::config::{Class, EnvironmentSpec, PlatformSpec, TenantSpec};
use crate::fleet::finding::{Finding, Place};
use crate::fleet::names::{check_name, is_domain, is_name};
use crate::fleet::parts::Parts;
use crate::fleet::read::Read;
use crate::fleet::{announce, chat, leaving, order, probes, secrets, strategy, unique};

/// Every mistake that the parts of an environment make together.
pub fn all(parts: &Parts, root: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(environment(parts, root));
    findings.extend(unique::tenants(parts));
    for tenant in &parts.tenants {
        findings.extend(references(tenant, parts));
    }
    for placed in platforms(parts) {
        findings.extend(placed.check(parts));
    }
    findings.extend(order::after(parts));
    findings.extend(unique::namespaces(parts));
    findings.extend(unique::domains(parts));
    findings.extend(strategy::all(parts));
    findings.extend(leaving::all(parts));
    findings.extend(secrets::all(parts));
    findings.extend(chat::all(parts));
    findings.extend(announce::all(parts));
    findings.extend(probes::all(parts));
    findings
}

/// A platform, wherever it is written.
pub struct Placed<'a> {
    pub tenant: &'a str,
    pub name: &'a str,
    pub spec: &'a PlatformSpec,
    place: Box<dyn Fn(&str) -> Place + 'a>,
}

impl Placed<'_> {
    /// Where a field of the platform is written, by its JSON pointer within the spec.
    pub fn place(&self, pointer: &str) -> Place {
        (self.place)(pointer)
    }

    fn check(&self, parts: &Parts) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(check_name("the platform's name", self.name, self.place("")));
        for (pointer, domain) in self.domains() {
            if !is_domain(domain) {
                findings.push(
                    Finding::error(self.place(&pointer), format!("`{domain}` is not a domain"))
                        .hint(
                            "write a full host name in lower case: `intranet.example.com`"
                                .to_owned(),
                        ),
                );
            }
        }
        let catalogue = parts
            .environment
            .as_ref()
            .map(|environment| &environment.spec().apps);
        for app in self.spec.apps.keys() {
            if let Some(catalogue) = catalogue.filter(|catalogue| !catalogue.contains_key(app)) {
                let message = format!("app `{app}` is not in the catalogue");
                let known = catalogue.keys().map(String::as_str);
                let hint = suggestion(app, known, "add it to `spec.apps` of environment.yaml");
                findings
                    .push(Finding::error(self.place(&format!("/apps/{app}")), message).hint(hint));
            }
        }
        findings
    }

    /// The primary domain and the aliases with where they are.
    pub fn domains(&self) -> impl Iterator<Item = (String, &str)> {
        let aliases = self.spec.aliases.iter().enumerate();
        let aliases = aliases.map(|(index, alias)| (format!("/aliases/{index}"), alias.as_str()));
        std::iter::once(("/domain".to_owned(), self.spec.domain.as_str())).chain(aliases)
    }
}

/// Every platform of the environment.
pub fn platforms(parts: &Parts) -> impl Iterator<Item = Placed<'_>> {
    let inline = parts.tenants.iter().flat_map(|tenant| {
        tenant
            .spec()
            .platforms
            .iter()
            .map(move |(name, spec)| Placed {
                tenant: tenant.name(),
                name,
                spec,
                place: Box::new(move |pointer| {
                    tenant.place(&format!("/spec/platforms/{name}{pointer}"))
                }),
            })
    });
    let files = parts.platforms.iter().map(|(tenant, read)| Placed {
        tenant,
        name: read.name(),
        spec: read.spec(),
        place: Box::new(move |pointer| read.place(&format!("/spec{pointer}"))),
    });
    inline.chain(files)
}

/// "did you mean", or what there is, or how to make it.
pub fn suggestion<'a>(
    typed: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    otherwise: &str,
) -> String {
    /// A longer list is no help.
    const LISTED: usize = 12;
    if let Some(near) = did_you_mean(typed, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    let names: Vec<String> = known
        .take(LISTED + 1)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.is_empty() || names.len() > LISTED {
        otherwise.to_owned()
    } else {
        format!("there are {}; {otherwise}", names.join(", "))
    }
}

fn environment(parts: &Parts, root: &str) -> Option<Finding> {
    let Some(read) = &parts.environment else {
        let place = Place::of_file(format!("{root}environment.yaml"));
        return (!parts.promised_environment).then(|| {
            Finding::error(place, "the file is missing").hint(
                "an environment begins with `kind: Environment`: see docs/formats.md".to_owned(),
            )
        });
    };
    let hub = read.spec().records.hub.as_ref()?;
    (!parts.promised_clusters.contains(hub)).then(|| {
        Finding::error(
            read.place("/spec/records/hub"),
            format!("no cluster named `{hub}`"),
        )
        .hint(clusters_hint(hub, parts))
    })
}

fn clusters_hint(typed: &str, parts: &Parts) -> String {
    let known = parts.promised_clusters.iter().map(String::as_str);
    suggestion(typed, known, "clusters are files in `clusters/`")
}

fn references(tenant: &Read<TenantSpec>, parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let cluster = &tenant.spec().cluster;
    if !parts.promised_clusters.contains(cluster) {
        findings.push(
            Finding::error(
                tenant.place("/spec/cluster"),
                format!("no cluster named `{cluster}`"),
            )
            .hint(clusters_hint(cluster, parts)),
        );
    }
    if let Some(environment) = &parts.environment {
        findings.extend(class(tenant, environment, parts));
    }
    findings.extend(namespace(tenant));
    findings
}

fn namespace(tenant: &Read<TenantSpec>) -> Option<Finding> {
    let name = tenant.spec().namespace.as_ref()?;
    let place = tenant.place("/spec/namespace");
    if is_name(name) && is_reserved(name) {
        return Some(
            Finding::error(place, format!("the namespace `{name}` is not for tenants"))
                .hint("take one of its own".to_owned()),
        );
    }
    check_name("the namespace", name, place)
}

fn is_reserved(namespace: &str) -> bool {
    namespace == "default" || namespace == "escale-system" || namespace.starts_with("kube-")
}

fn class(
    tenant: &Read<TenantSpec>,
    environment: &Read<EnvironmentSpec>,
    parts: &Parts,
) -> Option<Finding> {
    let name = tenant.spec().class.as_ref()?;
    let classes = &environment.spec().classes;
    match classes.get(name) {
        Some(class) => forbidden(tenant, name, class, parts),
        None => Some(
            Finding::error(
                tenant.place("/spec/class"),
                format!("no class named `{name}`"),
            )
            .hint(suggestion(
                name,
                classes.keys().map(String::as_str),
                "classes are in environment.yaml",
            )),
        ),
    }
}

/// A class that demands labels which the tenant's cluster does not carry.
fn forbidden(
    tenant: &Read<TenantSpec>,
    name: &str,
    class: &Class,
    parts: &Parts,
) -> Option<Finding> {
    let labels_of: BTreeMap<&str, &BTreeMap<String, String>> = parts
        .clusters
        .iter()
        .map(|cluster| (cluster.name(), &cluster.document.metadata.labels))
        .collect();
    let wanted = &class.require.cluster_labels;
    let fits = |labels: &BTreeMap<String, String>| {
        wanted
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
    };
    let cluster = tenant.spec().cluster.as_str();
    if fits(labels_of.get(cluster)?) {
        return None;
    }
    let wanted: Vec<String> = wanted
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let fitting: BTreeSet<String> = labels_of
        .iter()
        .filter(|(_, labels)| fits(labels))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let hint = match fitting.len() {
        0 => "no cluster carries them".to_owned(),
        _ => format!("these do: {}", Vec::from_iter(fitting).join(", ")),
    };
    let message = format!(
        "class `{name}` demands a cluster labelled `{}`, and `{cluster}` is not",
        wanted.join(",")
    );
    Some(Finding::error(tenant.place("/spec/cluster"), message).hint(hint))
}
