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
    let added = coverage.shapes.iter().filter(|look| look.is_added);
    lines.extend(added.filter_map(|look| {
        let tenant = look.covered_by.as_ref()?;
        let others = counted(look.tenants, "tenant");
        Some(format!(
            "added: {tenant} covers the shape of {others}: {}",
            look.shape
        ))
    }));
    let uncovered = coverage
        .shapes
        .iter()
        .filter(|look| look.covered_by.is_none());
    let uncovered: Vec<&Look> = uncovered.collect();
    lines.extend(uncovered.iter().take(FEW).map(|look| not_covered(look)));
    if FEW < uncovered.len() {
        lines.push(format!(
            "not covered: {}",
            counted(uncovered.len() - FEW, "more shape")
        ));
    }
    lines
}

fn not_covered(look: &Look) -> String {
    let why = look.why_not.iter().map(|why| format!("; {why}"));
    let more = match look.tenants - look.some.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "not covered: {}: {}{more}{}",
        look.shape,
        look.some.join(", "),
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
