//! What `rollout --continue` goes on with: the rollout that is open, else whoever is behind.

use std::collections::BTreeSet;

use crate::cli::Common;
use crate::cli::rollout::OrderArgs;
use crate::cli::source::Source;
use crate::cli::ui::Ui;
use crate::engine::{self, Behind, Latest};
use crate::rollout::{few_of, short_commit};

/// What there is to do.
pub enum GoOn {
    /// A rollout is open, or waits for its turn.
    Open {
        release: String,
    },
    /// The rebuild of a lost cluster is open.
    Rebuild {
        cluster: String,
    },
    /// None is, and some tenants did not get what the others run.
    Behind(Behind),
    Nothing,
}

/// Asks hub and clusters, and says what is found.
pub fn look(common: &Common, order: &OrderArgs, ui: &Ui) -> anyhow::Result<GoOn> {
    let source = Source::open(common, &order.source)?;
    let environment = &source.fleet.environment.name;
    order.stage.run(async {
        let stage = order.stage.open(common, &source.fleet).await?;
        let rollouts = engine::rollouts(&stage.clusters, environment).await?;
        let latest = Latest::of(rollouts.clone());
        let open = latest.rollout.filter(|rollout| rollout.state.is_open());
        if let Some(rebuild) = open.as_ref().and_then(|open| open.rebuild.clone()) {
            let cluster = rebuild.cluster;
            return Ok(GoOn::Rebuild { cluster });
        }
        let next = open.or_else(|| latest.queued.into_iter().next_back());
        if let Some(release) = next.and_then(|rollout| rollout.release) {
            return Ok(GoOn::Open { release });
        }
        let now = stage.clock.now();
        let behind = engine::behind(&stage.clusters, environment, &rollouts, now).await?;
        Ok(catch_up(
            ui,
            behind.unwrap_or_default().within(&source.fleet),
        ))
    })
}

fn catch_up(ui: &Ui, behind: Behind) -> GoOn {
    if !behind.away.is_empty() {
        ui.say(format!(
            "still out of reach: {}; run this again when their clusters answer",
            some(&behind.away)
        ));
    }
    for (tenant, before) in &behind.waiting {
        ui.say(format!(
            "{tenant} waits: it comes after `{before}`, which does not run release {}",
            short_commit(&behind.release)
        ));
    }
    if behind.tenants.is_empty() {
        ui.say("no rollout is open, and nobody in reach is behind: nothing to go on with");
        return GoOn::Nothing;
    }
    ui.say(format!(
        "no rollout is open; did not get release {} with the others: {}",
        short_commit(&behind.release),
        some(&behind.tenants)
    ));
    GoOn::Behind(behind)
}

fn some(tenants: &BTreeSet<String>) -> String {
    const FEW: usize = 5;
    let tenants: Vec<&String> = tenants.iter().collect();
    few_of(&tenants, FEW)
}
