//! `kind: Strategy`: how a release is rolled out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;
use super::limit::{FailureLimits, Limit, LimitSet};
use super::window::Window;

/// How a release is rolled out, named and written in git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StrategySpec {
    /// What changes for this strategy to be picked without `--strategy`: the first in the file whose `when` agrees. One
    /// without `when` is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    pub tenant: TenantStrategy,
    pub limits: Limits,
    /// The waves in order. A tenant is in the first that selects it; what none selects, or has room for, is left out and named.
    pub waves: Vec<Wave>,
    /// A plan that changes this few tenants runs as one wave.
    pub small: u32,
    pub rollback: RollbackStrategy,
    pub on_unreachable: OnUnreachable,
    pub on_newer: OnNewer,
    /// When tenants may be started; what is in flight settles, and rollbacks pass. Empty: always.
    pub windows: Vec<Window>,
    pub brake: Brake,
}

impl Default for StrategySpec {
    fn default() -> Self {
        Self {
            when: None,
            tenant: TenantStrategy::default(),
            limits: Limits::default(),
            waves: vec![Wave::named("all")],
            small: 0,
            rollback: RollbackStrategy::default(),
            on_unreachable: OnUnreachable::default(),
            on_newer: OnNewer::default(),
            windows: Vec::new(),
            brake: Brake::default(),
        }
    }
}

/// What changes, for a strategy to be picked by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct When {
    /// Every file of the environment, its templates and secrets that differs from what runs matches one of these
    /// patterns, written from the repository's root; `*` stays within a folder, `**` does not.
    pub only_paths: Vec<String>,
}

/// How one tenant is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TenantStrategy {
    /// It must stay healthy this long to count as healthy.
    pub min_healthy_time: Duration,
    /// Without progress for this long it timed out.
    pub progress_deadline: Duration,
    /// What happens to a tenant that fails.
    pub on_failure: OnFailure,
}

impl Default for TenantStrategy {
    fn default() -> Self {
        Self {
            min_healthy_time: Duration::from_secs(30),
            progress_deadline: Duration::from_minutes(10),
            on_failure: OnFailure::Rollback,
        }
    }
}

/// What happens to a tenant that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnFailure {
    /// It goes back alone, at once.
    #[default]
    Rollback,
    /// It stays as it is, and the rollout pauses.
    Pause,
    /// It stays as it is.
    Leave,
}

/// How many tenants at once; all limits hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// How many tenants are in flight.
    pub max_concurrency: LimitSet,
    /// How many tenants may lack the pods that somebody would miss, before no other is started. Who was not healthy before
    /// the rollout, is new, or is on a cluster that does not answer is not counted.
    pub max_unavailable: LimitSet,
    /// How many tenants may fail; one more is a breach of the wave. A canary wave tolerates none.
    pub max_failures: FailureLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrency: LimitSet {
                all: Some(Limit::Count(200)),
                cluster: Some(Limit::Count(40)),
                ..LimitSet::default()
            },
            max_unavailable: LimitSet {
                all: Some(Limit::percent(5)),
                cluster: Some(Limit::percent(10)),
                ..LimitSet::default()
            },
            max_failures: FailureLimits {
                all: Some(Limit::percent(1)),
                cluster: Some(Limit::percent(5)),
                ..FailureLimits::default()
            },
        }
    }
}

/// An ordered group of tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wave {
    pub name: String,
    /// None: it plays the canary where it is the first of a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<WaveRole>,
    /// Labels of its tenants; `cluster` and `class` count as labels. None: any tenant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub select: BTreeMap<String, String>,
    /// At most so many. None: all that are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Limit>,
    /// Labels over which its tenants are spread evenly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spread: Vec<String>,
    /// The wave must stay healthy this long before the next one starts.
    #[serde(default)]
    pub soak: Duration,
    #[serde(default)]
    pub on_breach: OnBreach,
    /// It starts only after `escale approve --wave NAME`, in each rollout anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
    /// What the tenants of a canary stand for. `shapes`: those that are selected come first and count, then one tenant is
    /// added for each shape that none of them has, whatever `size` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<Cover>,
}

/// What a canary covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cover {
    /// Every shape that rendered bundles have: which objects with which fields, apart from what is each tenant's own.
    Shapes,
}

impl Wave {
    /// A wave of every tenant that is left.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            role: None,
            select: BTreeMap::new(),
            size: None,
            spread: Vec::new(),
            soak: Duration::default(),
            on_breach: OnBreach::default(),
            approval: false,
            cover: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WaveRole {
    /// Tolerates no failure.
    Canary,
    /// Plays no canary, even where it is the first: its tenants show nothing of one another, as services of their own do.
    Ordinary,
}

/// What happens when a wave passes its failure limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnBreach {
    /// What `rollback.scope` names goes back.
    Rollback,
    /// Nothing more starts until a person decides.
    #[default]
    Pause,
    /// The rollout goes on.
    Continue,
}

/// How a breach goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RollbackStrategy {
    /// How many tenants go back at once; faster than forward.
    pub max_concurrency: LimitSet,
    pub scope: RollbackScope,
}

impl Default for RollbackStrategy {
    fn default() -> Self {
        Self {
            max_concurrency: LimitSet {
                all: Some(Limit::percent(33)),
                cluster: Some(Limit::Count(80)),
                ..LimitSet::default()
            },
            scope: RollbackScope::default(),
        }
    }
}

/// What goes back on a breach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RollbackScope {
    /// The tenants of the wave.
    #[default]
    Wave,
    /// Every tenant that the rollout changed.
    Rollout,
}

/// What happens to the tenants of a cluster that does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OnUnreachable {
    /// How long is waited for it.
    pub deadline: Duration,
    pub then: UnreachableThen,
}

impl Default for OnUnreachable {
    fn default() -> Self {
        Self {
            deadline: Duration::from_minutes(15),
            then: UnreachableThen::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UnreachableThen {
    /// They are left for a later rollout.
    #[default]
    Defer,
    /// They count as failed.
    Fail,
}

/// What happens to a newer commit while a rollout runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnNewer {
    /// It waits; of several, the newest goes next.
    #[default]
    QueueLatest,
    /// It takes over.
    Supersede,
    /// It is refused.
    Refuse,
}

/// What stops a plan before its first write, unless it is allowed by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Brake {
    /// More deletes than this over all tenants.
    pub deletes: u32,
    /// More of one tenant's objects deleted than this share.
    pub of_tenant: Limit,
    /// Deletes in more tenants than this share.
    pub of_tenants: Limit,
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            deletes: 50,
            of_tenant: Limit::percent(30),
            of_tenants: Limit::percent(2),
        }
    }
}
