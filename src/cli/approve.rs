//! `escale approve` and `escale reject`: a person's word on a wave of a rollout, or on what tenants get next.

use crate::cli::Common;
use crate::cli::source::{Bundles, Source, SourceArgs};
use crate::cli::stage::{Stage, StageArgs};
use crate::cli::ui::Ui;
use crate::cli::who::WhoArgs;
use crate::cli::words::{acknowledged, say};
use crate::engine;
use crate::error::{Exit, UserError, did_you_mean};
use crate::fleet::config::Updates;
use crate::fleet::{Selection, Tenant};
use crate::record::{RolloutRecord, Scope, Verb, WaveState};

/// Whether somebody agrees, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    Approve,
    Reject,
}

/// What is approved or rejected.
#[derive(Debug, clap::Args)]
pub struct Judge {
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    stage: StageArgs,
    #[command(flatten)]
    who: WhoArgs,
    /// Tenants, patterns (`'vault-*'`), platforms, domains or `client=NAME`
    #[arg(
        value_name = "TARGET",
        required_unless_present = "wave",
        conflicts_with = "wave"
    )]
    targets: Vec<String>,
    /// This wave of the rollout that is open
    #[arg(long, value_name = "NAME")]
    wave: Option<String>,
    /// Only if this rollout is the one that is open
    #[arg(long, value_name = "ID", requires = "wave")]
    rollout: Option<String>,
}

impl Judge {
    pub fn run(&self, common: &Common, ui: &Ui, judgement: Judgement) -> anyhow::Result<Exit> {
        let source = Source::open(common, &self.arguments())?;
        self.stage.run(async {
            let stage = self.stage.open(common, &source.fleet).await?;
            let judged = match &self.wave {
                Some(wave) => {
                    self.judge_wave(ui, &source, &stage, (judgement, wave))
                        .await
                }
                None => self.judge_tenants(ui, &source, &stage, judgement).await,
            };
            judged?;
            stage.close()?;
            Ok(Exit::Done)
        })
    }

    /// Tenants get a commit: what is approved is what it renders, not what lies in the folder.
    fn arguments(&self) -> SourceArgs {
        let named = self.source.revision.clone();
        let commit = self.wave.is_none().then(|| "HEAD".to_owned());
        SourceArgs {
            revision: named.or(commit),
            ..self.source.clone()
        }
    }

    // --- Waves ---

    async fn judge_wave(
        &self,
        ui: &Ui,
        source: &Source,
        stage: &Stage,
        (judgement, wave): (Judgement, &str),
    ) -> anyhow::Result<()> {
        let environment = &source.fleet.environment.name;
        let latest = engine::latest(&stage.clusters, environment).await?;
        let open = latest.rollout.filter(|rollout| rollout.state.is_open());
        let open = self.meant(environment, open)?;
        check_wave(&open, wave)?;
        let scope = Scope::Wave {
            rollout: open.id.clone(),
            wave: wave.to_owned(),
        };
        let verb = judgement.verb();
        let who = self.who.who(judgement.plain_reason());
        say(stage, environment, who, (verb, scope), None).await?;
        let conducted = engine::conducted(&stage.clusters, environment, stage.clock).await;
        ui.say(acknowledged(verb, &open, &conducted));
        Ok(())
    }

    fn meant(
        &self,
        environment: &str,
        open: Option<RolloutRecord>,
    ) -> Result<RolloutRecord, UserError> {
        let Some(open) = open else {
            return Err(
                UserError::new(format!("no rollout of `{environment}` is open"))
                    .hint("an approval is for one rollout: give it once that has begun"),
            );
        };
        match &self.rollout {
            Some(id) if *id != open.id => Err(UserError::new(format!(
                "rollout `{id}` is not open, so nothing was said"
            ))
            .hint(format!("the one that is open is `{}`", open.id))),
            _ => Ok(open),
        }
    }

    // --- Tenants ---

    async fn judge_tenants(
        &self,
        ui: &Ui,
        source: &Source,
        stage: &Stage,
        judgement: Judgement,
    ) -> anyhow::Result<()> {
        let selection = Selection {
            targets: self.targets.clone(),
            ..Selection::default()
        };
        let named = source.fleet.select(&selection)?;
        self.check_updates(&named)?;
        match judgement {
            Judgement::Approve => self.approve(ui, source, stage, &named).await,
            Judgement::Reject => self.reject(ui, source, stage, &named).await,
        }
    }

    fn check_updates(&self, named: &[&Tenant]) -> Result<(), UserError> {
        let automatic = named
            .iter()
            .find(|tenant| tenant.updates == Updates::Automatic);
        automatic.map_or(Ok(()), |tenant| {
            let name = &tenant.name;
            Err(UserError::new(format!(
                "`{name}` takes releases by itself (`updates: automatic`)"
            ))
            .hint(format!("to keep it where it is: `escale hold {name}`")))
        })
    }

    /// All of them are rendered before anything is said.
    async fn approve(
        &self,
        ui: &Ui,
        source: &Source,
        stage: &Stage,
        named: &[&Tenant],
    ) -> anyhow::Result<()> {
        let (bundles, mistakes) = Bundles::packed(source.bundles(named));
        if !mistakes.is_empty() {
            return Err(crate::cli::source::mistakes("in what they would get", mistakes).into());
        }
        for (tenant, bundle) in bundles {
            let digest = bundle
                .map_err(|why| UserError::new(format!("`{tenant}` does not render: {why}")))?
                .digest()
                .clone();
            let told = format!(
                "{tenant} may move to {} ({}), with the next rollout that renders it",
                digest.short(),
                source.describe()
            );
            let scope = Scope::Bundle { tenant, digest };
            self.say_of(source, stage, (Judgement::Approve, scope))
                .await?;
            ui.say(told);
        }
        Ok(())
    }

    async fn reject(
        &self,
        ui: &Ui,
        source: &Source,
        stage: &Stage,
        named: &[&Tenant],
    ) -> anyhow::Result<()> {
        for tenant in named {
            let scope = Scope::Tenant(tenant.name.clone());
            self.say_of(source, stage, (Judgement::Reject, scope))
                .await?;
            ui.say(format!(
                "{} stays where it is until it is approved",
                tenant.name
            ));
        }
        Ok(())
    }

    async fn say_of(
        &self,
        source: &Source,
        stage: &Stage,
        (judgement, scope): (Judgement, Scope),
    ) -> anyhow::Result<()> {
        let environment = &source.fleet.environment.name;
        let who = self.who.who(judgement.plain_reason());
        say(stage, environment, who, (judgement.verb(), scope), None).await
    }
}

impl Judgement {
    fn verb(self) -> Verb {
        match self {
            Self::Approve => Verb::Approve,
            Self::Reject => Verb::Reject,
        }
    }

    fn plain_reason(self) -> &'static str {
        match self {
            Self::Approve => "approved by hand",
            Self::Reject => "rejected by hand",
        }
    }
}

/// Only a wave that waits for an approval, or will, can be approved or rejected.
fn check_wave(rollout: &RolloutRecord, name: &str) -> Result<(), UserError> {
    let id = &rollout.id;
    let Some(wave) = rollout.waves.iter().find(|wave| wave.name == name) else {
        let names = rollout.waves.iter().map(|wave| wave.name.as_str());
        let error = UserError::new(format!("rollout `{id}` has no wave `{name}`"));
        let all: Vec<&str> = names.clone().collect();
        return Err(match did_you_mean(name, names) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("its waves: `{}`", all.join("`, `"))),
        });
    };
    if !engine::needs_approval(rollout, name) {
        return Err(
            UserError::new(format!("wave `{name}` of rollout `{id}` starts without an approval"))
                .hint("`approval: true` on the wave in the strategy makes the next rollout wait; `escale pause` stops this one"),
        );
    }
    match wave.state {
        WaveState::Waiting | WaveState::Running | WaveState::Breached => Ok(()),
        WaveState::Soaking | WaveState::Passed | WaveState::Skipped | WaveState::RolledBack => {
            Err(UserError::new(format!(
                "wave `{name}` of rollout `{id}` has started all its tenants already"
            )))
        }
    }
}
