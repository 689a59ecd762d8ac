//! Hooks that an older revision has and a newer one has not: whoever was away meanwhile never runs them.

use crate::cli::source::{Bundles, Source};
use crate::fleet::{Finding, Tenant};
use crate::manifest::{Bundle, Hook};

/// A warning for each hook of `before` that is gone, of tenants and platforms that are still there.
pub fn hooks_gone(before: &Source, after: &Source, part: &Bundles) -> Vec<Finding> {
    let rendered = part.rendered.iter();
    let both = rendered.filter_map(|(name, bundle)| {
        let (tenant, bundle) = (after.fleet.tenant(name)?, bundle.as_ref().ok()?);
        Some((tenant, bundle, before.fleet.tenant(name)?))
    });
    let both: Vec<(&Tenant, &Bundle, &Tenant)> = both.collect();
    let older: Vec<&Tenant> = both.iter().map(|(_, _, older)| *older).collect();
    let older = before.renderer.render_some(&before.fleet, &older);
    let warnings = both.into_iter().flat_map(|(tenant, bundle, _)| {
        let older = older
            .get(&tenant.name)
            .and_then(|older| older.as_ref().ok());
        let gone = older.map(|older| gone(tenant, older, bundle));
        gone.unwrap_or_default()
            .into_iter()
            .map(|hook| warning(&hook, tenant, before))
    });
    warnings.collect()
}

/// A platform that leaves takes its hooks with it.
fn gone(tenant: &Tenant, before: &Bundle, after: &Bundle) -> Vec<Hook> {
    let is_here = |hook: &Hook| {
        let platform = hook.platform.as_ref();
        platform.is_none_or(|platform| tenant.platforms.contains_key(platform))
    };
    let kept = after.hooks();
    let is_gone = |hook: &Hook| !kept.iter().any(|kept| kept.name() == hook.name());
    let mut gone = before.hooks();
    gone.retain(|hook| is_here(hook) && is_gone(hook));
    gone
}

fn warning(hook: &Hook, tenant: &Tenant, before: &Source) -> Finding {
    let message = format!(
        "{} hook `{}` is gone since {}: where it has not succeeded yet, it never runs",
        hook.moment,
        hook.name(),
        before.describe()
    );
    Finding::warning(None, message)
        .hint("a tenant may jump over releases: keep hooks that others build on; one that has run costs nothing".to_owned())
        .in_tenant(&tenant.name)
}
