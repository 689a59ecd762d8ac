//! Who is in which wave, and who is in none and why: a pure function of the fleet, its records and
//! the strategy, the same on a laptop and in CI.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::after;
use super::coverage::{self, Added, Coverage};
use super::exclusion::{Excluded, Exclusion};
use super::limits::Scope;
use super::strategy::{Role, Strategy};
use super::unrendered::Unrendered;
use crate::fleet::config::{self, Cover, OnBreach, WaveRole};
use crate::manifest::{Digest, Shape};

/// One tenant as planning sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub place: Place,
    pub wanted: Wanted,
    /// What it runs, as recorded.
    pub current: Option<Digest>,
    /// Whether all of `current` is there, healthy or as unhealthy as before, and nobody left off in the middle.
    pub is_settled: bool,
    /// What an automatic rollback would return to.
    pub last_good: Option<Digest>,
    /// What the wanted bundle looks like, if that is known.
    pub shape: Option<Shape>,
    /// Anything that keeps the tenant out, already known.
    pub kept_out: Option<Exclusion>,
}

/// Where a tenant is, and the sets it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    pub tenant: String,
    pub cluster: String,
    pub namespace: String,
    pub provider: Option<String>,
    pub group: Option<String>,
    pub after: Vec<String>,
    /// Labels that strategies select and spread by: the tenant's own, and `cluster`, `class`.
    pub labels: BTreeMap<String, String>,
}

/// What a tenant should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Bundle(Digest),
    /// Its templates did not render; the first mistake.
    NotRendered(String),
}

/// A plan: a bundle digest for each of a set of tenants, each in exactly one wave or excluded
/// with a reason. Frozen once a rollout starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub waves: Vec<Wave>,
    pub excluded: Vec<Excluded>,
    /// Those of them that count as failed: they could not be rendered.
    #[serde(default)]
    pub unrendered: Vec<Unrendered>,
    /// What the first wave stands for.
    #[serde(skip)]
    pub coverage: Coverage,
}

/// An ordered group of tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    pub name: String,
    pub role: Role,
    pub soak: jiff::SignedDuration,
    pub on_breach: OnBreach,
    /// Somebody must approve it before it starts.
    #[serde(default)]
    pub approval: bool,
    pub tenants: Vec<Planned>,
}

/// A tenant that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    #[serde(flatten)]
    pub place: Place,
    pub digest: Digest,
    pub from: Option<Digest>,
    pub last_good: Option<Digest>,
    /// What was wrong with it before anything was written.
    pub unhealthy_before: Option<String>,
    /// Pages, by address, that did not answer well before anything was written.
    pub unwell_pages: BTreeSet<String>,
    #[serde(skip)]
    pub shape: Option<Shape>,
}

impl Candidate {
    /// Whether there is nothing to do: zero writes.
    pub fn runs_what_is_wanted(&self) -> bool {
        match &self.wanted {
            Wanted::Bundle(digest) => self.is_settled && self.current.as_ref() == Some(digest),
            Wanted::NotRendered(_) => false,
        }
    }
}

impl Planned {
    /// Of which nothing else is known.
    pub fn of(place: Place, digest: Digest, from: Option<Digest>) -> Self {
        Self {
            place,
            digest,
            from,
            last_good: None,
            unhealthy_before: None,
            unwell_pages: BTreeSet::new(),
            shape: None,
        }
    }

    /// Whether nothing of it ran before.
    pub fn is_new(&self) -> bool {
        self.from.is_none()
    }
}

impl Place {
    /// Every scope that a limit may count this tenant in, when it runs in `wave`.
    pub fn scopes(&self, wave: &str) -> Vec<Scope> {
        let mut scopes = vec![
            Scope::All,
            Scope::Cluster(self.cluster.clone()),
            Scope::Wave(wave.to_owned()),
        ];
        scopes.extend(self.provider.clone().map(Scope::Provider));
        scopes.extend(self.group.clone().map(Scope::Group));
        scopes
    }
}

impl Plan {
    /// Partitions candidates into the strategy's waves.
    pub fn new(strategy: &Strategy, candidates: Vec<Candidate>) -> Self {
        let mut excluded = Vec::new();
        let mut changing = Vec::new();
        let unread: Vec<Planned> = candidates.iter().filter_map(unrendered).collect();
        for candidate in candidates {
            match sort_out(candidate) {
                Ok(planned) => changing.push(planned),
                Err(exclusion) => excluded.push(exclusion),
            }
        }
        changing.sort_by(|a, b| a.place.tenant.cmp(&b.place.tenant));
        after::leave_out_followers(&mut changing, &mut excluded);
        let unrendered = would_be_in(strategy, &changing, &unread);
        let (mut waves, added) = partition(strategy, changing, &mut excluded);
        after::leave_out_of_waves(&mut waves, &mut excluded);
        after::in_order(&mut waves);
        waves.retain(|wave| !wave.tenants.is_empty());
        let plays_canary = |wave: &&mut Wave| !is_ordinary(strategy, &wave.name);
        if let Some(first) = waves.first_mut().filter(plays_canary) {
            // Whoever goes first plays the canary, also when the plan misses the canary's tenants.
            first.role = Role::Canary;
        }
        excluded.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        let coverage = Coverage::of(&waves, added);
        Self {
            waves,
            excluded,
            unrendered,
            coverage,
        }
    }

    pub fn tenants(&self) -> impl Iterator<Item = (&Wave, &Planned)> {
        self.waves
            .iter()
            .flat_map(|wave| wave.tenants.iter().map(move |planned| (wave, planned)))
    }

    /// Notes who is not healthy before anything is written, and what is wrong there.
    pub fn note_unhealthy(&mut self, mut unhealthy: BTreeMap<String, String>) {
        let tenants = self.waves.iter_mut().flat_map(|wave| &mut wave.tenants);
        for planned in tenants {
            planned.unhealthy_before = unhealthy.remove(&planned.place.tenant);
        }
    }

    /// Notes pages that do not answer well before anything is written, by tenant.
    pub fn note_unwell_pages(&mut self, mut pages: BTreeMap<String, BTreeSet<String>>) {
        let tenants = self.waves.iter_mut().flat_map(|wave| &mut wave.tenants);
        for planned in tenants {
            planned.unwell_pages = pages.remove(&planned.place.tenant).unwrap_or_default();
        }
    }

    pub fn find(&self, tenant: &str) -> Option<(&Wave, &Planned)> {
        self.tenants()
            .find(|(_, planned)| planned.place.tenant == tenant)
    }

    pub fn len(&self) -> usize {
        self.waves.iter().map(|wave| wave.tenants.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.waves.is_empty()
    }

    /// How many tenants of the plan each scope holds: what percentages are taken of.
    pub fn totals(&self) -> BTreeMap<Scope, usize> {
        let mut totals = BTreeMap::new();
        for (wave, planned) in self.tenants() {
            for scope in planned.place.scopes(&wave.name) {
                *totals.entry(scope).or_default() += 1;
            }
        }
        totals
    }

    /// Tenants that run what is wanted.
    pub fn unchanged(&self) -> usize {
        self.excluded.len() - self.left_out().count()
    }

    /// Tenants that are left out for another reason than that they run what is wanted.
    pub fn left_out(&self) -> impl Iterator<Item = &Excluded> {
        let excluded = self.excluded.iter();
        excluded.filter(|excluded| excluded.reason != Exclusion::Unchanged)
    }

    /// Tenants that are left out though something should happen to them.
    pub fn exceptions(&self) -> impl Iterator<Item = &Excluded> {
        self.excluded
            .iter()
            .filter(|excluded| excluded.reason.is_exception())
    }
}

/// Whether the strategy says that a wave never plays the canary. The one wave of a small plan is like the first.
fn is_ordinary(strategy: &Strategy, name: &str) -> bool {
    let rules = &strategy.spec.waves;
    let rule = rules.iter().find(|rule| rule.name == name);
    rule.or(rules.first())
        .is_some_and(|rule| rule.role == Some(WaveRole::Ordinary))
}

/// A tenant that nothing but its own mistake keeps out, as it would be planned but for its bundle.
fn unrendered(candidate: &Candidate) -> Option<Planned> {
    match (&candidate.kept_out, &candidate.wanted) {
        (None, Wanted::NotRendered(_)) => Some(Planned::of(
            candidate.place.clone(),
            Digest::of_bundle(&[]),
            candidate.current.clone(),
        )),
        (None, Wanted::Bundle(_)) | (Some(_), _) => None,
    }
}

/// In which waves of the strategy tenants would be that could not be rendered. A plan that is small does not make canaries
/// of them.
fn would_be_in(
    strategy: &Strategy,
    changing: &[Planned],
    unrendered: &[Planned],
) -> Vec<Unrendered> {
    if unrendered.is_empty() {
        return Vec::new();
    }
    let names: BTreeSet<String> = unrendered
        .iter()
        .map(|planned| planned.place.tenant.clone())
        .collect();
    let mut all = [changing, unrendered].concat();
    all.sort_by(|a, b| a.place.tenant.cmp(&b.place.tenant));
    let (waves, _) = apart(strategy, all, &mut Vec::new());
    let each = waves.into_iter().flat_map(|wave| {
        let tenants = wave.tenants.into_iter();
        tenants.map(move |planned| Unrendered {
            place: planned.place,
            wave: wave.name.clone(),
        })
    });
    each.filter(|one| names.contains(&one.place.tenant))
        .collect()
}

fn sort_out(candidate: Candidate) -> Result<Planned, Excluded> {
    let is_unchanged = candidate.runs_what_is_wanted();
    let Candidate {
        place,
        wanted,
        current,
        is_settled: _,
        last_good,
        shape,
        kept_out,
    } = candidate;
    let exclude = |reason| {
        Err(Excluded {
            tenant: place.tenant.clone(),
            cluster: place.cluster.clone(),
            reason,
        })
    };
    match (kept_out, wanted) {
        // Who runs what is wanted needs no word about what would keep it from it.
        (Some(Exclusion::Held(_) | Exclusion::NotAutomatic(_)), _) if is_unchanged => {
            exclude(Exclusion::Unchanged)
        }
        (Some(reason), _) => exclude(reason),
        (None, Wanted::NotRendered(mistake)) => exclude(Exclusion::NotRendered(mistake)),
        (None, Wanted::Bundle(_)) if is_unchanged => exclude(Exclusion::Unchanged),
        (None, Wanted::Bundle(digest)) => Ok(Planned {
            last_good,
            shape,
            ..Planned::of(place, digest, current)
        }),
    }
}

/// Tenants that are in a canary for what they stand for alone; `None` if no canary is to cover anything.
type AllAdded = Option<Vec<Added>>;

fn partition(
    strategy: &Strategy,
    changing: Vec<Planned>,
    excluded: &mut Vec<Excluded>,
) -> (Vec<Wave>, AllAdded) {
    // First of all: whoever is in no wave makes no plan larger, and is in none if the plan is small.
    let is_selected = |planned: &Planned| {
        let mut rules = strategy.spec.waves.iter();
        rules.any(|rule| matches(rule, planned))
    };
    let (selected, others): (Vec<Planned>, _) = changing.into_iter().partition(is_selected);
    leave_out(others, excluded);
    if selected.len() <= strategy.spec.small as usize {
        return (vec![one_wave(strategy, selected)], None);
    }
    apart(strategy, selected, excluded)
}

fn leave_out(tenants: Vec<Planned>, excluded: &mut Vec<Excluded>) {
    excluded.extend(tenants.into_iter().map(|planned| Excluded {
        tenant: planned.place.tenant,
        cluster: planned.place.cluster,
        reason: Exclusion::NoWave,
    }));
}

/// Every tenant in the first wave that selects it and has room for it.
fn apart(
    strategy: &Strategy,
    changing: Vec<Planned>,
    excluded: &mut Vec<Excluded>,
) -> (Vec<Wave>, AllAdded) {
    let total = changing.len();
    let last = strategy.spec.waves.len().saturating_sub(1);
    let proves = changing.iter().any(|planned| !planned.is_new());
    let mut left = changing;
    let mut waves = Vec::new();
    let mut added: AllAdded = None;
    for (index, rule) in strategy.spec.waves.iter().enumerate() {
        let joins = |planned: &Planned| {
            // A release is proven on those that run something: who is new comes last, unless it was selected by label.
            let is_late = proves && planned.is_new() && index < last && rule.select.is_empty();
            matches(rule, planned) && !is_late
        };
        let (selected, rest) = left.into_iter().partition(joins);
        let (mut taken, too_many) = take(rule, total, selected);
        left = rest;
        left.extend(too_many);
        if rule.cover == Some(Cover::Shapes) {
            let missing = coverage::missing(&taken, &left);
            let is_missing = |planned: &mut Planned| {
                let mut missing = missing.iter();
                missing.any(|one| one.tenant == planned.place.tenant)
            };
            taken.extend(left.extract_if(.., is_missing));
            added.get_or_insert_default().extend(missing);
        }
        waves.push(wave(rule, taken));
        left.sort_by(|a: &Planned, b| a.place.tenant.cmp(&b.place.tenant));
    }
    leave_out(left, excluded);
    (waves, added)
}

/// The single wave of a small plan: as careful as the strategy's first. If one of its tenants would be in a wave that
/// needs an approval, it needs one.
fn one_wave(strategy: &Strategy, tenants: Vec<Planned>) -> Wave {
    let first = strategy.spec.waves.first();
    let (waves, _) = apart(strategy, tenants.clone(), &mut Vec::new());
    let needs_approval = |wave: &Wave| wave.approval && !wave.tenants.is_empty();
    Wave {
        name: "all".to_owned(),
        role: Role::Normal,
        soak: first.map(|rule| rule.soak.to_signed()).unwrap_or_default(),
        on_breach: first.map_or(OnBreach::Rollback, |rule| rule.on_breach),
        approval: waves.iter().any(needs_approval),
        tenants,
    }
}

fn wave(rule: &config::Wave, tenants: Vec<Planned>) -> Wave {
    Wave {
        name: rule.name.clone(),
        role: match rule.role {
            Some(WaveRole::Canary) => Role::Canary,
            Some(WaveRole::Ordinary) | None => Role::Normal,
        },
        soak: rule.soak.to_signed(),
        on_breach: rule.on_breach,
        approval: rule.approval,
        tenants,
    }
}

fn matches(rule: &config::Wave, planned: &Planned) -> bool {
    rule.select
        .iter()
        .all(|(label, value)| planned.place.labels.get(label) == Some(value))
}

/// Takes the wave's share of those selected, one from each spread set in turn.
fn take(rule: &config::Wave, total: usize, selected: Vec<Planned>) -> (Vec<Planned>, Vec<Planned>) {
    let Some(size) = rule.size.map(|size| size.of(total)) else {
        return (selected, Vec::new());
    };
    let mut turns: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, Planned)> = selected
        .into_iter()
        .map(|planned| {
            let set = rule
                .spread
                .iter()
                .map(|label| planned.place.labels.get(label).cloned().unwrap_or_default());
            let turn = turns.entry(set.collect()).or_default();
            *turn += 1;
            (*turn, planned)
        })
        .collect();
    ranked.sort_by(|(a, left), (b, right)| {
        a.cmp(b)
            .then_with(|| left.place.tenant.cmp(&right.place.tenant))
    });
    let chosen: BTreeSet<String> = ranked
        .iter()
        .take(size)
        .map(|(_, planned)| planned.place.tenant.clone())
        .collect();
    ranked
        .into_iter()
        .map(|(_, planned)| planned)
        .partition(|planned| chosen.contains(&planned.place.tenant))
}
