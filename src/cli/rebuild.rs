//! `--rebuild CLUSTER`: what the tenants of a lost cluster get back, rendered from the commits that they ran.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::cli::Common;
use crate::cli::rollout::OrderArgs;
use crate::cli::source::Source;
use crate::cli::ui::Ui;
use crate::cli::voice::counted;
use crate::engine::{Bundles, Rebuild};
use crate::rollout::{Target, few_of};

/// Asks the hub what ran, says it, and renders each release once.
pub fn prepare(
    common: &Common,
    order: &OrderArgs,
    (source, cluster): (&Source, &str),
    ui: &Ui,
) -> anyhow::Result<(Rebuild, Bundles)> {
    let (rebuild, now) = order.stage.run(async {
        let stage = order.stage.open(common, &source.fleet).await?;
        let rebuild = Rebuild::read(&stage.clusters, &source.fleet, cluster).await?;
        Ok((rebuild, stage.clock.now()))
    })?;
    let mut bundles = Bundles::new();
    ui.say(headline(&rebuild));
    for (release, tenants) in by_release(&rebuild) {
        let at = source.at(common, release);
        let subject = at.as_ref().map(Source::describe);
        ui.say(release_line(
            &subject.unwrap_or_else(|_| short(release)),
            &tenants,
        ));
        bundles.extend(match at {
            Ok(at) => rendered(&at, &tenants),
            Err(error) => all_failed(&tenants, &error),
        });
    }
    for line in holds(&rebuild, now).into_iter().chain(unknown(&rebuild)) {
        ui.say(line);
    }
    Ok((rebuild, bundles))
}

fn by_release(rebuild: &Rebuild) -> BTreeMap<&str, Vec<&str>> {
    let mut releases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tenant, last) in rebuild.known() {
        releases.entry(&last.release).or_default().push(tenant);
    }
    releases
}

/// The bundles of those tenants that the commit has.
fn rendered(at: &Source, tenants: &[&str]) -> Bundles {
    let there: Vec<_> = tenants
        .iter()
        .filter_map(|name| at.fleet.tenant(name))
        .collect();
    let parts = at.bundles_in_parts(&there);
    parts.flat_map(|part| part.packed().0).collect()
}

/// A commit that is not in this clone, or that this escale cannot read.
fn all_failed(tenants: &[&str], error: &anyhow::Error) -> Bundles {
    let why = format!("{error:#}");
    let why = why.lines().next().unwrap_or_default();
    let each = tenants
        .iter()
        .map(|tenant| ((*tenant).to_owned(), Err(why.to_owned())));
    each.collect()
}

fn headline(rebuild: &Rebuild) -> String {
    let releases = by_release(rebuild).len();
    format!(
        "rebuild of cluster {}: the hub knows what {} ran last as good, of {}",
        rebuild.cluster,
        counted(rebuild.known().count(), "tenant"),
        counted(releases, "release"),
    )
}

fn release_line(release: &str, tenants: &[&str]) -> String {
    const FEW: usize = 5;
    format!(
        "  {release}: {}: {}",
        counted(tenants.len(), "tenant"),
        few_of(tenants, FEW)
    )
}

fn holds(rebuild: &Rebuild, now: Timestamp) -> Vec<String> {
    let holds = rebuild.holds(now).into_iter();
    holds
        .map(|(tenant, hold)| format!("  held again: {tenant}: {hold}"))
        .collect()
}

/// They are told again at the end, with those whose commit does not render to what they ran.
fn unknown(rebuild: &Rebuild) -> Vec<String> {
    let targets = rebuild.targets.iter();
    let unknown = targets.filter_map(|(tenant, target)| match target {
        Target::NotKnown(why) => Some(format!("  not rebuilt: {tenant}: {why}")),
        Target::Known(_) => None,
    });
    unknown.collect()
}

fn short(release: &str) -> String {
    release.get(..10).unwrap_or(release).to_owned()
}
