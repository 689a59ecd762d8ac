//! `escale hold` and `escale release-hold`: keep tenants where they are, and let them go.

use crate::cli::Common;
use crate::cli::stage::Stage;
use crate::cli::targets::TargetArgs;
use crate::cli::ui::Ui;
use crate::cli::who::WhoArgs;
use crate::engine::{self, holds};
use crate::error::Exit;
use crate::fleet::config::Duration;
use crate::record::{Hold as HoldRecord, TenantRecord};

/// Keep tenants at what they run; rollouts leave them alone.
#[derive(Debug, clap::Args)]
pub struct Hold {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    who: WhoArgs,
    /// How long; default: until somebody lets it go
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<Duration>,
}

/// Let held tenants go with the fleet again, from the next rollout on.
#[derive(Debug, clap::Args)]
pub struct ReleaseHold {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    who: WhoArgs,
}

impl Hold {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        self.targets.stage.run(async {
            let found = self.targets.find(common, ui).await?;
            let now = found.stage.clock.now();
            let who = self.who.who("held by hand");
            let mut changed = Vec::new();
            for tenant in &found.tenants {
                let record = &tenant.value;
                let hold = HoldRecord {
                    reason: who.why.clone(),
                    owner: who.name.clone(),
                    since: now,
                    expires: self.duration.map(|duration| now + duration.to_signed()),
                    digest: record.digest.clone(),
                };
                let cluster = found.stage.clusters.get(&record.cluster)?;
                let stored = holds::hold(cluster, &record.namespace, &hold).await?;
                changed.push(stored.value);
                let until = self
                    .duration
                    .map_or_else(String::new, |duration| format!(" for {duration}"));
                ui.say(format!("{} is held{until}", record.tenant));
            }
            tell_hub(ui, &found.stage, &changed).await;
            found.stage.close()?;
            Ok(Exit::Done)
        })
    }
}

impl ReleaseHold {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        self.targets.stage.run(async {
            let found = self.targets.find(common, ui).await?;
            let who = self.who.who("released by hand");
            let mut changed = Vec::new();
            for tenant in &found.tenants {
                let record = &tenant.value;
                if record.hold.is_none() && found.by_pattern.contains(&record.tenant) {
                    continue;
                }
                let cluster = found.stage.clusters.get(&record.cluster)?;
                let released = holds::release(
                    cluster,
                    &record.namespace,
                    (&who.name, &who.why),
                    found.stage.clock.now(),
                );
                changed.push(released.await?.value);
                ui.say(format!(
                    "{} goes with the fleet again, from the next rollout on",
                    record.tenant
                ));
            }
            tell_hub(ui, &found.stage, &changed).await;
            found.stage.close()?;
            Ok(Exit::Done)
        })
    }
}

/// Lets the hub know what people did to tenants, for the day on which their cluster is lost. Nothing waits for it, and the
/// next rollout tells it again.
pub async fn tell_hub(ui: &Ui, stage: &Stage, records: &[TenantRecord]) {
    let told = engine::tell_roster(&stage.clusters, records, stage.clock.now()).await;
    if let Err(error) = told {
        ui.detail(format!("the hub does not know of it yet: {error}"));
    }
}
