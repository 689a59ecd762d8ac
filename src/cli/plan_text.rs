//! A plan as text for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use crate::apply::TenantDeletes;
use crate::cli::tables;
use crate::cli::voice::{counted, duration};
use crate::fleet::config::API_VERSION;
use crate::manifest::Hook;
use crate::rollout::{Plan, Role, Scope, Strategy};

/// The hooks that run, by tenant.
type Hooks = BTreeMap<String, Vec<Hook>>;

/// Waves, limits and who is left out.
pub fn text(
    plan: &Plan,
    strategy: &Strategy,
    (deletes, hooks): (&[TenantDeletes], &Hooks),
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
        let _ = writeln!(
            out,
            "left out: {} on {} ({})",
            excluded.tenant,
            excluded.cluster,
            excluded.reason.words()
        );
    }
    let doomed: usize = deletes.iter().map(|tenant| tenant.objects.len()).sum();
    let _ = writeln!(
        out,
        "{} in {}, {unchanged} unchanged, {} deleted; strategy {}{}",
        counted(plan.len(), "tenant"),
        counted(plan.waves.len(), "wave"),
        counted(doomed, "object"),
        strategy.name,
        worst_case(plan, strategy),
    );
    out
}

/// `runs pre-rollout migrate (irreversible)`
fn runs(hooks: Option<&Vec<Hook>>) -> String {
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
        "waves": plan.waves,
        "excluded": plan.excluded,
        "hooks": hooks,
    });
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}
