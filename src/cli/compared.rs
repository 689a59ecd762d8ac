//! Two sources of one environment, rendered and compared.

use std::collections::BTreeMap;

use crate::cli::source::Source;
use crate::diff::{
    Change, ChangeKind, Incomplete, Names, NamesByTenant, Report, Sides, compare_bundles,
};
use crate::error::UserError;
use crate::fleet::config::Lifecycle;
use crate::fleet::{Finding, Selection, Tenant};
use crate::manifest::Bundle;
use crate::render::TEMPLATES;

/// What of the fleet to compare.
pub struct Asked {
    pub selection: Selection,
    pub with_unchanged: bool,
}

/// Trees of so many tenants are in memory at a time: 10,000 would need gigabytes.
const AT_A_TIME: usize = 256;

/// Compares the tenants that are selected now; those that only `before` has are orphaned.
pub fn compared(before: &Source, after: &Source, asked: &Asked) -> Result<Report, UserError> {
    let tenants = after.fleet.select(&asked.selection)?;
    let templates_are_same = has_same_templates(before, after);
    let changing: Vec<&Tenant> = tenants
        .iter()
        .copied()
        .filter(|tenant| tenant.lifecycle == Lifecycle::Active)
        .filter(|tenant| {
            asked.with_unchanged || !templates_are_same || !has_same_inputs(before, after, tenant)
        })
        .collect();
    let mut comparing = Comparing {
        before,
        after,
        with_unchanged: asked.with_unchanged,
        changes: Vec::new(),
        incomplete: Vec::new(),
    };
    for some in changing.chunks(AT_A_TIME) {
        comparing.compare(some);
    }
    let names: NamesByTenant = changing.iter().map(|tenant| own_names(tenant)).collect();
    let mut report = Report::new(comparing.changes, &names);
    report.incomplete = comparing.incomplete;
    report.tenants = tenants.len();
    report.leaving = leaving(&tenants);
    report.orphaned = orphaned(before, after, &asked.selection);
    Ok(report)
}

struct Comparing<'a> {
    before: &'a Source,
    after: &'a Source,
    with_unchanged: bool,
    changes: Vec<Change>,
    incomplete: Vec<Incomplete>,
}

type Rendered = BTreeMap<String, Result<Bundle, Vec<Finding>>>;

impl Comparing<'_> {
    fn compare(&mut self, tenants: &[&Tenant]) {
        let older: Vec<&Tenant> = tenants
            .iter()
            .filter_map(|tenant| self.before.fleet.tenant(&tenant.name))
            .collect();
        // What policies think of the past is of no use to anybody.
        let before = self.before.renderer.render_some(&self.before.fleet, &older);
        let after = self.after.bundles(tenants).rendered;
        for tenant in tenants {
            match (side(&before, tenant), side(&after, tenant)) {
                (Ok(before), Ok(after)) => self.compare_tenant(tenant, before, after),
                (_, Err(findings)) => self.cannot_compare(tenant, "", findings),
                (Err(findings), Ok(_)) => self.cannot_compare(tenant, "before: ", findings),
            }
        }
    }

    /// A tenant that moves leaves everything on one cluster and gets it on the other one.
    fn compare_tenant(&mut self, tenant: &Tenant, before: Option<&Bundle>, after: Option<&Bundle>) {
        let older = self.before.fleet.tenant(&tenant.name).unwrap_or(tenant);
        let both = Sides {
            cluster: &tenant.cluster,
            tenant: &tenant.name,
            before,
            after,
        };
        if older.cluster == tenant.cluster {
            return self.add(&both);
        }
        self.add(&Sides {
            before: None,
            ..both
        });
        self.add(&Sides {
            cluster: &older.cluster,
            after: None,
            ..both
        });
    }

    fn add(&mut self, sides: &Sides<'_>) {
        let with_unchanged = self.with_unchanged;
        let changes = compare_bundles(sides).into_iter();
        self.changes.extend(
            changes.filter(|change| with_unchanged || change.change != ChangeKind::Unchanged),
        );
    }

    fn cannot_compare(&mut self, tenant: &Tenant, when: &str, findings: &[Finding]) {
        let told: Vec<String> = findings.iter().map(short).collect();
        self.incomplete.push(Incomplete {
            cluster: Some(tenant.cluster.clone()),
            tenant: Some(tenant.name.clone()),
            object: None,
            reason: format!("not rendered: {when}{}", told.join("; ")),
        });
    }
}

/// A finding on one line, without the tenant: the same mistake is the same text for all of them.
fn short(finding: &Finding) -> String {
    let place = finding.place.as_ref();
    let place = place.map_or(String::new(), |place| format!("{place}: "));
    let hint = finding.hint.as_ref();
    let hint = hint.map_or(String::new(), |hint| format!(" ({hint})"));
    format!("{place}{}{hint}", finding.message)
}

/// A tenant's bundle on one side; `None` if the tenant is not there.
fn side<'a>(rendered: &'a Rendered, tenant: &Tenant) -> Result<Option<&'a Bundle>, &'a [Finding]> {
    match rendered.get(&tenant.name) {
        None => Ok(None),
        Some(Ok(bundle)) => Ok(Some(bundle)),
        Some(Err(findings)) => Err(findings),
    }
}

fn has_same_templates(before: &Source, after: &Source) -> bool {
    let templates = |source: &'_ Source| {
        let files = source.tree.files.iter();
        let ours = files.filter(|(path, _)| path.starts_with(TEMPLATES));
        ours.map(|(path, text)| (path.clone(), text.clone()))
            .collect::<Vec<_>>()
    };
    before.tree.blobs == after.tree.blobs && templates(before) == templates(after)
}

/// Whether everything that the templates of a tenant see is the same: then so is what they render.
fn has_same_inputs(before: &Source, after: &Source, tenant: &Tenant) -> bool {
    let (older, newer) = (&before.fleet, &after.fleet);
    older.environment == newer.environment
        && older.versions == newer.versions
        && older.clusters.get(&tenant.cluster) == newer.clusters.get(&tenant.cluster)
        && older.tenant(&tenant.name) == Some(tenant)
}

/// Who is not changed any more, and until when it stays.
pub fn leaving(tenants: &[&Tenant]) -> Vec<String> {
    let leaving = tenants
        .iter()
        .filter(|tenant| tenant.lifecycle == Lifecycle::Leaving);
    let told = leaving.map(|tenant| match tenant.delete_after {
        Some(day) => format!("{} (last day {day})", tenant.name),
        None => format!("{} (no last day)", tenant.name),
    });
    told.collect()
}

fn orphaned(before: &Source, after: &Source, selection: &Selection) -> Vec<String> {
    let older = before.fleet.select(selection).unwrap_or_default();
    let gone = older
        .into_iter()
        .filter(|tenant| after.fleet.tenant(&tenant.name).is_none());
    gone.map(|tenant| tenant.name.clone()).collect()
}

pub fn own_names(tenant: &Tenant) -> (String, Names) {
    let its = [&tenant.name, &tenant.namespace].map(|name| (name.as_str(), "{tenant}"));
    let platforms = tenant.platforms.values().flat_map(|platform| {
        let domains = platform.domains().map(|domain| (domain, "{domain}"));
        let names = [&platform.name, &platform.client].map(|name| (name.as_str(), "{platform}"));
        domains.chain(names)
    });
    let names = Names::new(its.into_iter().chain(platforms));
    (tenant.name.clone(), names)
}
