//! A plan as text for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use crate::apply::TenantDeletes;
use crate::cli::paragraph::wrapped;
use crate::cli::tables;
use crate::cli::voice::{counted, duration};
use crate::fleet::config::API_VERSION;
use crate::manifest::Hook;
use crate::rollout::{Coverage, Look, Plan, Role, Scope, Strategy};

/// The hooks that run, by tenant.
pub type Hooks = BTreeMap<String, Vec<Hook>>;

/// Waves, limits and who is left out.
pub fn text(
    plan: &Plan,
    strategy: &Strategy,
    (deletes, hooks): (&[TenantDeletes], &Hooks),
    width: usize,
) -> String {
    let mut out = String::new();
    let unchanged = plan.unchanged();
    for wave in &plan.waves {
        let role = if wave.role == Role::Canary {
            ", canary: tolerates no failure"
        } else {
            ""
        };
        let approval = if wave.approval {
            ", starts only when approved"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "wave {} ({}, soaks for {}{role}{approval})",
            wave.name,
            counted(wave.tenants.len(), "tenant"),
            duration(wave.soak)
        );
        let mut table = tables::plain(&[]);
        for planned in &wave.tenants {
            let from = planned.from.as_ref().map_or("new", |digest| digest.short());
            table.add_row([
                format!("  {}", planned.place.tenant),
                planned.place.cluster.clone(),
                format!("{from} → {}", planned.digest.short()),
                runs(hooks.get(&planned.place.tenant)),
            ]);
        }
        let _ = writeln!(out, "{}", table.trim_fmt());
    }
    for excluded in plan.left_out() {
        let reason = excluded.reason.words();
        let line = format!(
            "left out: {} on {} ({reason})",
            excluded.tenant, excluded.cluster
        );
        out += &wrapped(&line, width);
    }
    if let Some(why) = plan.fails_before(strategy) {
        out += &wrapped(&format!("nothing would be started: {why}"), width);
    }
    let doomed: usize = deletes.iter().map(|tenant| tenant.objects.len()).sum();
    let _ = writeln!(
        out,
        "{} in {}, {unchanged} unchanged, {} deleted",
        counted(plan.len(), "tenant"),
        counted(plan.waves.len(), "wave"),
        counted(doomed, "object"),
    );
    out += &wrapped(&how(plan, strategy), width);
    for line in coverage(&plan.coverage) {
        out += &wrapped(&line, width);
    }
    out
}

/// `runs pre-rollout migrate (irreversible)`
pub fn runs(hooks: Option<&Vec<Hook>>) -> String {
    let Some(hooks) = hooks else {
        return String::new();
    };
    let told = hooks.iter().map(|hook| {
        let irreversible = if hook.is_irreversible {
            " (irreversible)"
        } else {
            ""
        };
        format!("{} {}{irreversible}", hook.moment, hook.name())
    });
    format!("runs {}", told.collect::<Vec<_>>().join(", "))
}

fn json_of(hook: &Hook) -> serde_json::Value {
    json!({
        "name": hook.name(),
        "moment": hook.moment.as_str(),
        "irreversible": hook.is_irreversible,
    })
}

/// What the canary stands for: who is in it for that alone, and what it does not show.
pub fn coverage(coverage: &Coverage) -> Vec<String> {
    /// Shapes that are not covered and are named.
    const FEW: usize = 5;
    let (shapes, covered) = coverage.counts();
    let (tenants, shown) = coverage.tenants();
    if shapes == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "the canary covers {covered} of {}, {shown} of {}",
        counted(shapes, "shape"),
        counted(tenants, "tenant"),
    )];
    lines.extend(coverage.added.iter().map(|added| {
        let others = counted(added.tenants, "tenant");
        format!(
            "added: {} shows what {others} have: {}",
            added.tenant, added.covers
        )
    }));
    let gaps = gaps(coverage);
    lines.extend(gaps.iter().take(FEW).map(|gap| not_covered(gap)));
    if FEW < gaps.len() {
        let more = counted(gaps.len() - FEW, "more gap");
        lines.push(format!("not covered: {more}"));
    }
    lines
}

/// Shapes of which the same is missing; those of which most tenants have it first.
fn gaps(coverage: &Coverage) -> Vec<Vec<&Look>> {
    let mut gaps: Vec<Vec<&Look>> = Vec::new();
    for look in coverage.shapes.iter().filter(|look| look.missing.is_some()) {
        match gaps.iter_mut().find(|gap| gap[0].missing == look.missing) {
            Some(gap) => gap.push(look),
            None => gaps.push(vec![look]),
        }
    }
    let tenants = |gap: &Vec<&Look>| gap.iter().map(|look| look.tenants).sum::<usize>();
    gaps.sort_by_key(|gap| std::cmp::Reverse(tenants(gap)));
    gaps
}

fn not_covered(gap: &[&Look]) -> String {
    /// Tenants that are named.
    const FEW: usize = 3;
    let why = gap.iter().filter_map(|look| look.why_not.as_ref());
    let why = why.map(|why| format!("; {why}"));
    let named = gap.iter().flat_map(|look| &look.some).take(FEW);
    let named: Vec<&str> = named.map(String::as_str).collect();
    let tenants: usize = gap.iter().map(|look| look.tenants).sum();
    let more = match tenants - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "not covered: {}: {}{more}{}",
        gap[0].missing.as_deref().unwrap_or_default(),
        named.join(", "),
        why.collect::<String>()
    )
}

/// The strategy, why it is this one, and the worst that may happen by it.
pub fn how(plan: &Plan, strategy: &Strategy) -> String {
    let name = &strategy.name;
    let why = strategy.chosen.iter().map(|why| format!(" ({why})"));
    let why: String = why.collect();
    format!("strategy {name}{why}{}", worst_case(plan, strategy))
}

/// How many tenants may be in flight at once, and fail before all stops.
fn worst_case(plan: &Plan, strategy: &Strategy) -> String {
    if plan.is_empty() {
        return String::new();
    }
    let total = plan.len();
    let limits = &strategy.spec.limits;
    let resolved =
        |limit: Option<crate::fleet::config::Limit>| limit.map_or(total, |limit| limit.of(total));
    let in_flight = resolved(Scope::All.limit(&limits.max_concurrency));
    let failures = resolved(Scope::All.limit(&limits.max_failures.limits()));
    let unavailable = resolved(Scope::All.limit(&limits.max_unavailable));
    format!(
        ": at most {in_flight} in flight, {unavailable} unavailable; stops after {failures} failed"
    )
}

pub fn json(
    plan: &Plan,
    strategy: &Strategy,
    (release, hooks): (&str, &Hooks),
) -> anyhow::Result<String> {
    let hooks: BTreeMap<&String, Vec<serde_json::Value>> = hooks
        .iter()
        .map(|(tenant, hooks)| (tenant, hooks.iter().map(json_of).collect()))
        .collect();
    let report = json!({
        "apiVersion": API_VERSION,
        "kind": "Plan",
        "release": release,
        "strategy": strategy.name,
        "strategyWhy": strategy.chosen,
        "waves": plan.waves,
        "coverage": plan.coverage,
        "excluded": plan.excluded,
        "hooks": hooks,
        "unrendered": plan.unrendered,
    });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
