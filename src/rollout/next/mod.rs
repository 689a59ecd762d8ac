//! The heart: what to do next, decided from the plan, the progress and the time alone.
//!
//! Decisions are events. The engine records each, folds it into the progress, acts on those that
//! ask for writes (`TenantStarted`, `TenantHealthy`, `TenantGoesBack`, `TenantBackHealthy`), and
//! asks again until it is told to wait.

mod available;
mod away;
mod back;
mod budgets;
mod forward;
mod gates;
mod left_off;
mod settle;
mod slots;
mod unwell;
mod verdicts;

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::What;
use super::limits::Scope;
use super::plan::{Plan, Planned, Wave};
use super::progress::{Outcome, Progress, State};
use super::strategy::Strategy;
use super::tenant::TenantProgress;
use super::window::Windows;

/// What never changes during a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Frozen {
    pub plan: Plan,
    pub strategy: Strategy,
    /// Every scope, and how many tenants of the plan it holds.
    scopes: Vec<(Scope, usize)>,
    /// In the order of the plan: which scopes a tenant is in.
    within: Vec<Vec<usize>>,
    /// In the order of names: where a tenant stands in the plan.
    by_name: Vec<usize>,
    windows: Windows,
}

/// What the engine is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Record these, act on them, ask again.
    Do(Vec<What>),
    Wait(Wait),
    Finished {
        outcome: Outcome,
        why: String,
    },
}

/// Why nothing is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// When time alone changes something.
    pub until: Option<Timestamp>,
    /// In words, for people: what is waited for.
    pub on: Vec<String>,
    /// Who makes it go on.
    pub whom: Whom,
}

/// Who or what makes a rollout go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Tenants that settle or soak.
    Tenants,
    /// Nothing is in flight: a time that comes, or somebody's word.
    Gate,
    /// Nothing is in flight, and only a person can go on; `failed` if that is because of a failure.
    Person { failed: bool },
}

impl Frozen {
    pub fn new(plan: Plan, strategy: Strategy) -> Self {
        let scopes: Vec<(Scope, usize)> = plan.totals().into_iter().collect();
        let index = |scope: &Scope| {
            let found = scopes.binary_search_by(|(known, _)| known.cmp(scope));
            found.expect("the totals have every scope of the plan")
        };
        let within = plan.tenants().map(|(wave, planned)| {
            let scopes = planned.place.scopes(&wave.name);
            scopes.iter().map(index).collect()
        });
        let within: Vec<Vec<usize>> = within.collect();
        let names: Vec<&str> = plan
            .tenants()
            .map(|(_, planned)| planned.place.tenant.as_str())
            .collect();
        let mut by_name: Vec<usize> = (0..names.len()).collect();
        by_name.sort_by_key(|at| names[*at]);
        Self {
            windows: Windows::new(&strategy.spec.windows),
            plan,
            strategy,
            scopes,
            within,
            by_name,
        }
    }

    fn total(&self, scope: &Scope) -> usize {
        let found = self.scopes.binary_search_by(|(known, _)| known.cmp(scope));
        found.map_or(0, |at| self.scopes[at].1)
    }

    /// What to do next.
    pub fn next(&self, progress: &Progress, now: Timestamp) -> Next {
        if let State::Finished { outcome, why } = &progress.state {
            return Next::Finished {
                outcome: *outcome,
                why: why.clone(),
            };
        }
        let look = Look::new(self, progress, now);
        let urgent = [
            Look::illnesses,
            Look::verdicts,
            Look::given_up,
            Look::breaches,
            Look::ways_back,
            Look::left_off,
        ];
        let decisions = urgent
            .iter()
            .map(|decide| decide(&look))
            .find(|decisions| !decisions.is_empty());
        if let Some(decisions) = decisions {
            return Next::Do(decisions);
        }
        // Nothing is built on a tenant whose failure is in doubt.
        if let Some(wait) = look.wait_for_controls() {
            return Next::Wait(wait);
        }
        match progress.state {
            State::Running => look.forward(),
            _ => look.settle(),
        }
    }

    /// The clusters of which untouched tenants are to be looked at now, and these tenants.
    pub fn control_looks(
        &self,
        progress: &Progress,
        now: Timestamp,
    ) -> BTreeMap<String, Vec<String>> {
        Look::new(self, progress, now).control_looks()
    }
}

/// One look at a rollout: everything a decision may depend on.
struct Look<'a> {
    frozen: &'a Frozen,
    progress: &'a Progress,
    now: Timestamp,
    /// In the order of the plan. Looked up once: decisions go over all tenants again and again.
    tenants: Vec<Seen<'a>>,
    /// Which waves a breach takes back: asked for every tenant, found by going over all of them.
    breached: OnceCell<Vec<&'a Wave>>,
    /// Who may tell how its cluster is, by cluster.
    controls: OnceCell<BTreeMap<&'a str, Vec<&'a Planned>>>,
}

/// A tenant of the plan, its wave, and how far it is.
type Seen<'a> = (&'a Wave, &'a Planned, &'a TenantProgress);

impl<'a> Look<'a> {
    fn new(frozen: &'a Frozen, progress: &'a Progress, now: Timestamp) -> Self {
        // Both are in the order of names, so nothing is looked up.
        let in_order = frozen.by_name.iter().zip(progress.tenants.values());
        let mut progresses = vec![None; frozen.by_name.len()];
        for (at, progress) in in_order {
            progresses[*at] = Some(progress);
        }
        let missing = "there is progress for every tenant of the plan, and for no other";
        let seen = |((wave, planned), progress): (_, Option<&'a TenantProgress>)| {
            (wave, planned, progress.expect(missing))
        };
        let tenants = frozen.plan.tenants().zip(progresses).map(seen).collect();
        Self {
            frozen,
            progress,
            now,
            tenants,
            breached: OnceCell::new(),
            controls: OnceCell::new(),
        }
    }

    fn tenants(&self) -> impl Iterator<Item = Seen<'a>> {
        self.tenants.iter().copied()
    }

    fn of_wave(&self, wave: &Wave) -> impl Iterator<Item = (&'a Planned, &'a TenantProgress)> {
        self.tenants()
            .filter(|(of, ..)| std::ptr::eq(*of, wave))
            .map(|(_, planned, progress)| (planned, progress))
    }

    fn strategy(&self) -> &'a Strategy {
        &self.frozen.strategy
    }
}

#[cfg(test)]
mod tests;
