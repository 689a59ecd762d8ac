//! A plan for a merge request: what `plan_text` says, as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::apply::TenantDeletes;
use crate::cli::plan_text::{Hooks, coverage, how, runs};
use crate::cli::voice::{counted, duration};
use crate::rollout::{Plan, Role, Strategy, few_of};

/// So many tenants of a wave are named.
const FEW: usize = 10;

/// Waves as a table, then who is left out, the strategy, and what the canary stands for.
pub fn markdown(
    plan: &Plan,
    strategy: &Strategy,
    (deletes, hooks): (&[TenantDeletes], &Hooks),
) -> String {
    let doomed: usize = deletes.iter().map(|tenant| tenant.objects.len()).sum();
    let mut out = format!(
        "**{} in {}**, {} unchanged, {} deleted\n\n",
        counted(plan.len(), "tenant"),
        counted(plan.waves.len(), "wave"),
        plan.unchanged(),
        counted(doomed, "object"),
    );
    if !plan.is_empty() {
        out += &waves(plan);
    }
    for (runs, tenants) in by_words(hooks) {
        let _ = writeln!(out, "- {runs} in {}", few_of(&tenants, FEW));
    }
    for excluded in plan.left_out() {
        let reason = plain(&excluded.reason.words());
        let _ = writeln!(out, "- left out: `{}` ({reason})", excluded.tenant);
    }
    if let Some(why) = plan.fails_before(strategy) {
        let _ = writeln!(out, "- nothing would be started: {}", plain(&why));
    }
    let _ = writeln!(out, "- {}", plain(&how(plan, strategy)));
    for line in coverage(&plan.coverage) {
        let _ = writeln!(out, "- {}", plain(&line));
    }
    out
}

fn waves(plan: &Plan) -> String {
    let mut out = "| wave | tenants | soaks for | who |\n|---|---|---|---|\n".to_owned();
    for wave in &plan.waves {
        let role = if wave.role == Role::Canary {
            " (canary)"
        } else {
            ""
        };
        let who: Vec<String> = wave
            .tenants
            .iter()
            .map(|planned| format!("`{}`", planned.place.tenant))
            .collect();
        let _ = writeln!(
            out,
            "| {}{role} | {} | {} | {} |",
            wave.name,
            wave.tenants.len(),
            duration(wave.soak),
            few_of(&who, FEW)
        );
    }
    out + "\n"
}

/// Who runs the same hooks, by the words for them.
fn by_words(hooks: &Hooks) -> BTreeMap<String, Vec<String>> {
    let mut by_words: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (tenant, hooks) in hooks {
        let tenants = by_words.entry(runs(Some(hooks))).or_default();
        tenants.push(format!("`{tenant}`"));
    }
    by_words
}

/// Reasons quote what people and servers said: no line ends in it, and no tag begins.
fn plain(text: &str) -> String {
    text.replace('\n', " ").replace('<', "&lt;")
}
