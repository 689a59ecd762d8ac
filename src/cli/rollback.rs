//! `escale rollback`: tenants go back to a bundle that was good, and stay there.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::apply::OnSecrets;
use crate::cli::announce::Announcer;
use crate::cli::audience::Readers;
use crate::cli::events::{EventLog, EventsArgs, Origin};
use crate::cli::freeze::tell_passed;
use crate::cli::hold::tell_hub;
use crate::cli::stage::Stage;
use crate::cli::targets::TargetArgs;
use crate::cli::ui::Ui;
use crate::cli::who::WhoArgs;
use crate::cli::{Common, ending};
use crate::engine::{self, Clusters, Destination, Heard, Return, RollbackOrder};
use crate::error::{Exit, UserError};
use crate::fleet::config::Duration;
use crate::manifest::Digest;
use crate::record::{Action, Stored, TenantRecord};
use crate::rollout::short_commit;
use crate::secret::Secrets;

/// The same rollback typed again so soon is a slip, or two people at once.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Put tenants back to what ran well before, and hold them there.
///
/// Needs neither git nor hub: the bundles are on the tenants' own clusters. The next rollouts leave
/// the tenants alone until `escale release-hold`, or until the hold expires.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 back and healthy, 1 error, 4 not finished, 7 a person is needed."
)]
pub struct Rollback {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    who: WhoArgs,
    /// Where to: `previous-good`, `last-good`, a commit, a digest, or a time (what ran then)
    #[arg(long, value_name = "WHERE", default_value = "previous-good")]
    to: String,
    /// How long the hold lasts
    #[arg(long, value_name = "TIME", default_value = "24h")]
    hold_for: Duration,
    /// Roll back once more although that was done minutes ago
    #[arg(long)]
    again: bool,
    /// Go back behind a hook that cannot be undone; what it changed stays changed
    #[arg(long, requires = "reason")]
    even_if_irreversible: bool,
    /// Take Secrets back too, to the versions that the bundle names; without it they stay as they are found
    #[arg(long)]
    with_secrets: bool,
    #[command(flatten)]
    events: EventsArgs,
}

impl Rollback {
    pub fn run(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        self.targets.stage.run(self.carry_out(common, ui))
    }

    async fn carry_out(&self, common: &Common, ui: &Ui) -> anyhow::Result<Exit> {
        let found = self.targets.find(common, ui).await?;
        let stage = found.stage;
        let now = stage.clock.now();
        let alike = self.alike(&found.tenants, &stage.clusters).await;
        let decide = |stored| self.decide(stored, &alike, now);
        let returns = decided(ui, found.tenants, &found.by_pattern, decide)?;
        for back in &returns {
            ui.say(announcement(back));
        }
        let order = RollbackOrder {
            returns,
            even_if_irreversible: self.even_if_irreversible,
            who: self.who.who("rolled back by hand"),
            hold_until: Some(now + self.hold_for.to_signed()),
            keep: found.keep,
            tenant: found.tenant,
            secrets: if self.with_secrets {
                OnSecrets::Apply
            } else {
                OnSecrets::Leave
            },
        };
        let origin = Origin::of_rollback(&order);
        let mut announcer = Announcer::of(&found.announce, &origin, (ui, self.targets.stage.sim));
        let log = self.events.open(ui, origin)?;
        let records: Vec<TenantRecord> = order
            .returns
            .iter()
            .map(|back| back.stored.value.clone())
            .collect();
        let (exit, ()) = tokio::join!(
            conduct(ui, (&stage, found.secrets), order, (log, &mut announcer)),
            tell_passed(ui, &stage, &records)
        );
        let Ok(exit) = exit else {
            announcer.end(ui).await;
            return exit;
        };
        tell_hub(ui, &stage, &as_they_are(&stage, &records).await).await;
        if exit == Exit::Done {
            ui.say(format!(
                "back and healthy; held for {}: `escale release-hold` lets it go again",
                self.hold_for
            ));
        }
        announcer.end(ui).await;
        stage.close()?;
        Ok(exit)
    }

    /// What nobody means who does not say where to.
    async fn alike(
        &self,
        tenants: &[Stored<TenantRecord>],
        clusters: &Clusters,
    ) -> BTreeSet<Digest> {
        if self.with_secrets || self.destination() != Destination::PreviousGood {
            return BTreeSet::new();
        }
        engine::alike(tenants, clusters).await
    }

    fn destination(&self) -> Destination {
        match self.to.as_str() {
            "previous-good" => Destination::PreviousGood,
            "last-good" => Destination::LastGood,
            other => other
                .parse()
                .map_or_else(|_| Destination::Named(other.to_owned()), Destination::At),
        }
    }

    fn decide(
        &self,
        stored: Stored<TenantRecord>,
        alike: &BTreeSet<Digest>,
        now: Timestamp,
    ) -> Result<Return, UserError> {
        let last = stored
            .value
            .history
            .iter()
            .find(|entry| entry.action == Action::Rollback);
        if let Some(last) = last.filter(|last| !self.again && now.duration_since(last.at) < AGAIN) {
            return Err(UserError::new(format!(
                "`{}` was rolled back by {} at {} already",
                stored.value.tenant,
                last.who,
                last.at.strftime("%H:%M:%S UTC")
            ))
            .hint("`--again` goes back once more, to the good bundle before"));
        }
        let to = engine::destination(&stored.value, &self.destination(), alike)?;
        Ok(Return { stored, to })
    }
}

/// Where each goes. Whoever only a pattern names and cannot go is left out: he must not keep the others where they are.
fn decided(
    ui: &Ui,
    tenants: Vec<Stored<TenantRecord>>,
    by_pattern: &BTreeSet<String>,
    decide: impl Fn(Stored<TenantRecord>) -> Result<Return, UserError>,
) -> Result<Vec<Return>, UserError> {
    let mut returns = Vec::new();
    let mut first = None;
    for stored in tenants {
        let is_by_pattern = by_pattern.contains(&stored.value.tenant);
        match decide(stored) {
            Ok(back) => returns.push(back),
            Err(error) if is_by_pattern => {
                ui.say(format!("left out: {error}"));
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match first {
        Some(error) if returns.is_empty() => Err(error),
        Some(_) | None => Ok(returns),
    }
}

/// Records after what was done; of a cluster that does not answer now, none.
async fn as_they_are(stage: &Stage, records: &[TenantRecord]) -> Vec<TenantRecord> {
    let mut found = Vec::new();
    for record in records {
        let Ok(cluster) = stage.clusters.get(&record.cluster) else {
            continue;
        };
        let stored = engine::store::tenant(&cluster.reader(), &record.namespace).await;
        found.extend(stored.ok().flatten().map(|stored| stored.value));
    }
    found
}

async fn conduct(
    ui: &Ui,
    (stage, secrets): (&Stage, Secrets),
    order: RollbackOrder,
    (log, announcer): (Option<EventLog<'_>>, &mut Announcer),
) -> anyhow::Result<Exit> {
    let mut readers = Readers::new(ui, stage, log);
    let mut hear = |heard: Heard<'_>| {
        readers.hear(&heard);
        announcer.hear(&heard);
    };
    let world = stage.world(secrets, &mut hear);
    let ended = engine::roll_back(order, world).await?;
    Ok(ending::ended(ui, &ended))
}

/// From where to where, and when that last ran.
fn announcement(back: &Return) -> String {
    let record = &back.stored.value;
    let running = record.running();
    let from = running.digest.map_or("nothing", |digest| digest.short());
    format!(
        "{} on {}: {from}{} → {}{}, good since {}",
        record.tenant,
        record.cluster,
        of_release(running.release),
        back.to.digest.short(),
        of_release(back.to.release.as_deref()),
        back.to.at.strftime("%Y-%m-%d %H:%M UTC"),
    )
}

/// ` (4f2a91c0)`.
pub fn of_release(release: Option<&str>) -> String {
    release.map_or_else(String::new, |release| {
        format!(" ({})", short_commit(release))
    })
}
