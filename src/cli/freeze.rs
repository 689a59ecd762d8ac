//! `escale freeze` and `escale thaw`: nothing is started in a part of the fleet, until it may be again.

use std::time::Duration as Time;

use crate::cli::Common;
use crate::cli::source::{Source, SourceArgs};
use crate::cli::stage::{Stage, StageArgs};
use crate::cli::ui::Ui;
use crate::cli::who::WhoArgs;
use crate::cli::words::say;
use crate::engine::store;
use crate::error::{Exit, UserError};
use crate::fleet::config::Duration;
use crate::fleet::{Fleet, Selection};
use crate::record::{self, Scope, Standing, TenantRecord, Verb, Word};
use crate::rollout::name_of_freeze;

/// Start nothing in the whole environment, on a cluster, or in a tenant; rollbacks pass.
///
/// Rollouts that run start nobody there within two seconds, and new ones wait; what is in flight settles.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("why").arg("reason").required(true))]
pub struct Freeze {
    #[command(flatten)]
    over: Over,
    #[command(flatten)]
    who: WhoArgs,
    /// How long; default: until somebody thaws it
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<Duration>,
}

/// End a freeze: rollouts that wait for it go on within two seconds.
#[derive(Debug, clap::Args)]
pub struct Thaw {
    #[command(flatten)]
    over: Over,
    #[command(flatten)]
    who: WhoArgs,
}

/// What is frozen.
#[derive(Debug, clap::Args)]
struct Over {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    stage: StageArgs,
    /// Only this cluster; repeat it for several
    #[arg(long, value_name = "NAME")]
    cluster: Vec<String>,
    /// Only these tenants: names, patterns, platforms, domains or `client=NAME`
    #[arg(long, value_name = "TARGET")]
    tenant: Vec<String>,
}

impl Freeze {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let source = Source::open(common, &self.over.source)?;
        let scopes = self.over.scopes(&source.fleet)?;
        self.over.stage.run(async {
            let stage = self.over.stage.open(common, &source.fleet).await?;
            let expires = self
                .duration
                .map(|duration| stage.clock.now() + duration.to_signed());
            let until = expires.map_or_else(String::new, |expires| {
                format!(" until {}", expires.strftime("%F %H:%M:%S UTC"))
            });
            for scope in scopes {
                let told = scope.to_string();
                let who = self.who.who("");
                let environment = &source.fleet.environment.name;
                say(&stage, environment, who, (Verb::Freeze, scope), expires).await?;
                ui.say(format!(
                    "frozen{until}: {told}; nothing is started there, rollbacks pass"
                ));
            }
            stage.close()?;
            Ok(Exit::Done)
        })
    }
}

impl Thaw {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let source = Source::open(common, &self.over.source)?;
        let environment = &source.fleet.environment.name;
        self.over.stage.run(async {
            let stage = self.over.stage.open(common, &source.fleet).await?;
            let mut freezes = standing(&stage, environment).await?.freezes;
            let scopes = self.over.frozen(&source.fleet, &freezes)?;
            for scope in scopes {
                freezes.retain(|freeze| freeze.scope != scope);
                let told = scope.to_string();
                let who = self.who.who("thawed by hand");
                say(&stage, environment, who, (Verb::Thaw, scope), None).await?;
                ui.say(format!("thawed: {told}"));
            }
            for freeze in &freezes {
                ui.say(format!("still stands: {}", name_of_freeze(freeze)));
            }
            stage.close()?;
            Ok(Exit::Done)
        })
    }
}

impl Over {
    /// What was named; the whole environment, if nothing was.
    fn scopes(&self, fleet: &Fleet) -> Result<Vec<Scope>, UserError> {
        let mut scopes = Vec::new();
        if !self.cluster.is_empty() {
            fleet.select(&Selection {
                clusters: self.cluster.clone(),
                ..Selection::default()
            })?;
            scopes.extend(self.cluster.iter().cloned().map(Scope::Cluster));
        }
        if !self.tenant.is_empty() {
            let named = fleet.select(&Selection {
                targets: self.tenant.clone(),
                ..Selection::default()
            })?;
            let named = named.iter().map(|tenant| tenant.name.clone());
            scopes.extend(named.map(Scope::Tenant));
        }
        if scopes.is_empty() {
            scopes.push(Scope::Environment);
        }
        Ok(scopes)
    }

    /// Those of the freezes that were named. A tenant or cluster that no file names any more can still be thawed.
    fn frozen(&self, fleet: &Fleet, freezes: &[Word]) -> Result<Vec<Scope>, UserError> {
        let is_frozen = |scope: &Scope| freezes.iter().any(|freeze| freeze.scope == *scope);
        let clusters = self.cluster.iter().cloned().map(Scope::Cluster);
        let literal: Vec<Scope> = clusters
            .chain(self.tenant.iter().cloned().map(Scope::Tenant))
            .collect();
        if !literal.is_empty() && literal.iter().all(is_frozen) {
            return Ok(literal);
        }
        let mut scopes = self.scopes(fleet)?;
        scopes.retain(is_frozen);
        if scopes.is_empty() {
            return Err(not_frozen(freezes));
        }
        Ok(scopes)
    }
}

fn not_frozen(freezes: &[Word]) -> UserError {
    let error = UserError::new("no freeze of that stands");
    if freezes.is_empty() {
        return error.hint("nothing is frozen");
    }
    freezes.iter().fold(error, |error, freeze| {
        error.hint(format!("there is {}", name_of_freeze(freeze)))
    })
}

/// What people said and still stands.
pub async fn standing(stage: &Stage, environment: &str) -> Result<Standing, UserError> {
    let hub = stage.clusters.hub()?;
    let words = store::words(&hub.reader(), environment)
        .await
        .map_err(|trouble| trouble.advise(hub.name()))?;
    Ok(record::standing(&words, stage.clock.now()))
}

/// Names the freezes that a rollback passes. It asks while the rollback is under way, and not for long: a rollback
/// waits for no hub.
pub async fn tell_passed(ui: &Ui, stage: &Stage, records: &[TenantRecord]) {
    const PATIENCE: Time = Time::from_secs(2);
    let Some(first) = records.first() else {
        return;
    };
    let asked = tokio::time::timeout(PATIENCE, standing(stage, &first.environment)).await;
    let Ok(Ok(standing)) = asked else {
        return;
    };
    for freeze in standing.freezes {
        if records.iter().any(|record| covers(&freeze.scope, record)) {
            ui.say(format!("passes {}", name_of_freeze(&freeze)));
        }
    }
}

fn covers(scope: &Scope, record: &TenantRecord) -> bool {
    match scope {
        Scope::Environment => true,
        Scope::Cluster(name) => *name == record.cluster,
        Scope::Tenant(name) => *name == record.tenant,
        Scope::Rollout(_) | Scope::Wave { .. } | Scope::Bundle { .. } | Scope::Release(_) => false,
    }
}
