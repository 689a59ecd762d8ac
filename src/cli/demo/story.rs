//! The story that the demo tells: four releases and a rollback, each carried out for real by the
//! engine on simulated clusters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use jiff::{SignedDuration, Timestamp};
use rayon::prelude::*;

use super::fleet;
use crate::apply::OnSecrets;
use crate::cli::rollout::VERIFY_SAMPLE;
use crate::cli::ui::Ui;
use crate::cli::voice::{Voice, counted, duration};
use crate::cli::{runtime, stage};
use crate::engine::{
    self, Audience, Bundles, Carried, Clock, Clusters, Destination, Ended, Ending, Heard, Order,
    Records, Return, RollbackOrder, Who, World,
};
use crate::error::{Exit, UserError};
use crate::fleet::{Files, Fleet};
use crate::record::PackedBundle;
use crate::render::Renderer;
use crate::repo::Kinship;
use crate::rollout::{Outcome, Phase, Strategy};
use crate::secret::Secrets;
use crate::sim::{Options, SimCluster};

/// So many tenants are rendered before they are packed.
const AT_A_TIME: usize = 64;
/// Nodes of each simulated cluster.
const NODES: usize = 3;

/// The stage: simulated clusters, and what to play on them.
struct Theatre<'a> {
    ui: &'a Ui,
    clock: Clock,
    sims: BTreeMap<String, SimCluster>,
    clusters: Clusters,
}

/// A release of the story.
struct Release {
    /// Stands for a commit.
    id: &'static str,
    fleet: Fleet,
    bundles: Bundles,
}

/// Tells it all; fails if anything goes otherwise than told.
pub async fn tell(ui: &Ui, files: Files, seed: u64, start: Timestamp) -> anyhow::Result<Exit> {
    let clock = Clock::starting_at(start);
    let good_files = fleet::with_version(&files, "web", "2026.11.23-1");
    let bad_files = fleet::with_version(&files, "web", "2026.11.23-2-crash");
    let next_files = fleet::with_version(&good_files, "realtime", "2026.11.23-1");
    let first = Coming::new("a1a1a1a1", files).release()?;
    let theatre = Theatre::new(ui, &first.fleet, seed, clock);
    theatre.open(&first);

    theatre.act("Release A: the first rollout, everything is new");
    let good = Coming::new("b2b2b2b2", good_files);
    let ended = theatre.roll_out(&first, "hotfix").await?;
    expect(&ended, &[Outcome::Succeeded])?;
    drop((first, ended));
    theatre.pass(SignedDuration::from_hours(3)).await;

    theatre.act("Release B: a good one, one image changed; canary first, then wave by wave");
    let good = good.release()?;
    let bad = Coming::new("c3c3c3c3", bad_files);
    let ended = theatre.roll_out(&good, "normal").await?;
    expect(&ended, &[Outcome::Succeeded])?;
    let Release { fleet: good, .. } = good;
    drop(ended);
    theatre.pass(SignedDuration::from_hours(2)).await;

    theatre.act("Release C: a bad one, its web pods crash; the canary is there for that");
    let bad = bad.release()?;
    let next = Coming::new("d4d4d4d4", next_files);
    let ended = theatre.roll_out(&bad, "normal").await?;
    expect(&ended, &[Outcome::RolledBack])?;
    theatre.tell_untouched(&bad.fleet, &ended);
    theatre.tell_quarantine(&bad).await?;
    drop((bad, ended));

    theatre.act("A client complains about release B: on call types a rollback for one tenant");
    Box::pin(theatre.roll_back(&good)).await?;

    theatre.act("The next rollout respects the hold");
    let ended = theatre.roll_out(&next.release()?, "normal").await?;
    expect(&ended, &[Outcome::SucceededWithExceptions])?;
    theatre.close();
    Ok(Exit::Done)
}

/// A release that is rendered while the one before it rolls out.
struct Coming(JoinHandle<anyhow::Result<Release>>);

impl Coming {
    fn new(id: &'static str, files: Files) -> Self {
        Self(std::thread::spawn(move || release(id, &files)))
    }

    fn release(self) -> anyhow::Result<Release> {
        let rendered = self.0.join();
        rendered.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn release(id: &'static str, files: &Files) -> anyhow::Result<Release> {
    let told = |findings: Vec<crate::fleet::Finding>| {
        UserError::new(
            findings
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    };
    let fleet = crate::fleet::load(files, fleet::NAME).map_err(told)?;
    let renderer = Renderer::new(files, BTreeMap::new()).map_err(told)?;
    let mut bundles = Bundles::new();
    let tenants: Vec<_> = fleet.tenants.iter().collect();
    for part in tenants.chunks(AT_A_TIME) {
        let some = renderer.render_some(&fleet, part).into_par_iter();
        let packed = some.map(|(tenant, bundle)| match bundle {
            Ok(bundle) => Ok((tenant, Ok(PackedBundle::of(&bundle)))),
            Err(findings) => Err(told(findings)),
        });
        bundles.extend(packed.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(Release { id, fleet, bundles })
}

impl<'a> Theatre<'a> {
    fn new(ui: &'a Ui, fleet: &Fleet, seed: u64, clock: Clock) -> Self {
        let sims: BTreeMap<String, SimCluster> = fleet
            .clusters
            .keys()
            .zip(seed..)
            .map(|(name, seed)| {
                let options = Options {
                    name: name.clone(),
                    seed,
                    clock: Arc::new(move || clock.now()),
                    nodes: NODES,
                };
                (name.clone(), SimCluster::new(options))
            })
            .collect();
        let connected = stage::connected(&sims);
        let hub = fleet.hub().map(|hub| hub.name.clone());
        Self {
            ui,
            clock,
            clusters: Clusters::new(hub, connected),
            sims,
        }
    }

    fn open(&self, first: &Release) {
        let platforms: usize = first
            .fleet
            .tenants
            .iter()
            .map(|tenant| tenant.platforms.len())
            .sum();
        self.ui.say(format!(
            "{} with {} on {} simulated clusters; the clock jumps while everybody waits.",
            counted(first.fleet.tenants.len(), "tenant"),
            counted(platforms, "platform"),
            first.fleet.clusters.len(),
        ));
    }

    fn act(&self, title: &str) {
        self.ui.say(format!("\n{title}"));
    }

    async fn roll_out(&self, release: &Release, strategy: &str) -> anyhow::Result<Ended> {
        let (name, spec) = release.fleet.strategy(Some(strategy))?;
        let order = Order {
            fleet: &release.fleet,
            bundles: &release.bundles,
            release: release.id.to_owned(),
            strategy: Strategy {
                name,
                spec,
                chosen: None,
                max_sample_gap: release
                    .fleet
                    .environment
                    .spec
                    .health
                    .max_sample_gap
                    .to_signed(),
            },
            changed: None,
            selected: None,
            who: who("pipeline", "merged"),
            lineage: &in_order,
            may_be_older: false,
            allowed_deletes: None,
            rebuild: None,
            verify_sample: VERIFY_SAMPLE,
        };
        let began = self.clock.now();
        let mut voice = Voice::new(self.ui, Some(began));
        let mut hear = |heard: Heard<'_>| voice.hear(&heard);
        let carried = engine::roll_out(&order, self.world(&mut hear)).await?;
        let Carried::Ended(ended) = carried else {
            anyhow::bail!("the rollout of the demo did not run")
        };
        self.tell_ending(&ended, began);
        Ok(*ended)
    }

    fn tell_ending(&self, ended: &Ended, began: Timestamp) {
        let took = duration(self.clock.now().duration_since(began));
        if let Ending::Finished { outcome, why } = &ended.ending {
            let words = match outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::SucceededWithExceptions => "succeeded with exceptions",
                Outcome::RolledBack => "failed, and everything it touched is back",
                Outcome::Failed => "failed",
                Outcome::Aborted => "aborted",
                Outcome::Superseded => "left to a newer release",
            };
            self.ui.say(format!("          {words} in {took}: {why}"));
        }
        for excluded in ended.frozen.plan.exceptions() {
            self.ui.say(format!(
                "          left out: {} ({})",
                excluded.tenant,
                excluded.reason.words()
            ));
        }
    }

    /// Who was never written to, by the logs of the API servers themselves.
    fn tell_untouched(&self, fleet: &Fleet, ended: &Ended) {
        let written = |tenant: &crate::fleet::Tenant| {
            let log = self.sims[&tenant.cluster].requests();
            let touches = |request: &crate::sim::LoggedRequest| {
                let about = request.namespace.as_ref().or(request.name.as_ref());
                let is_record = request.namespace.as_deref() == Some("escale-system");
                about == Some(&tenant.namespace)
                    || is_record && request.name.as_ref() == Some(&tenant.namespace)
            };
            log.mutating().any(touches)
        };
        let untouched = fleet
            .tenants
            .iter()
            .filter(|tenant| !written(tenant))
            .count();
        let back = ended
            .progress
            .tenants
            .values()
            .filter(|tenant| matches!(tenant.phase, Phase::RolledBack { .. }))
            .count();
        self.ui.say(format!(
            "          {} went back; {} never got a single write (from the API servers' own logs)",
            counted(back, "tenant"),
            counted(untouched, "tenant")
        ));
    }

    /// The same content is not tried again until a person says so.
    async fn tell_quarantine(&self, bad: &Release) -> anyhow::Result<()> {
        let survey = engine::survey(&self.clusters, fleet::NAME, self.clock.now()).await?;
        anyhow::ensure!(
            !survey.quarantined.is_empty(),
            "the bad release is not in quarantine"
        );
        self.ui.say(format!(
            "          release {} is in quarantine until `escale clear {}`, or a fix",
            bad.id, bad.id
        ));
        Ok(())
    }

    async fn roll_back(&self, fleet: &Fleet) -> anyhow::Result<()> {
        let tenant = fleet
            .tenants
            .iter()
            .find(|tenant| tenant.platforms.len() == 1 && tenant.group.is_none());
        let tenant = tenant
            .or(fleet.tenants.first())
            .ok_or_else(|| anyhow::anyhow!("the fleet is empty"))?;
        let domain = tenant
            .platforms
            .values()
            .next()
            .map_or("", |platform| platform.domain.as_str());
        self.ui.say(format!(
            "          $ escale rollback {domain} --reason \"white page since noon\""
        ));
        let records = Records::read(&self.clusters, fleet::NAME).await;
        let stored = records
            .iter()
            .find(|stored| stored.value.tenant == tenant.name)
            .cloned();
        let stored = stored.ok_or_else(|| anyhow::anyhow!("`{}` has no record", tenant.name))?;
        let alike = engine::alike(std::slice::from_ref(&stored), &self.clusters).await;
        let to = engine::destination(&stored.value, &Destination::PreviousGood, &alike)?;
        let order = RollbackOrder {
            even_if_irreversible: false,
            secrets: OnSecrets::Leave,
            returns: vec![Return { stored, to }],
            who: who("ana", "white page since noon"),
            hold_until: Some(self.clock.now() + SignedDuration::from_hours(24)),
            keep: engine::keep(fleet),
            tenant: fleet.tenant_strategy(),
        };
        let began = self.clock.now();
        let mut voice = Voice::new(self.ui, Some(began));
        let mut hear = |heard: Heard<'_>| voice.hear(&heard);
        let ended = engine::roll_back(order, self.world(&mut hear)).await?;
        expect(&ended, &[Outcome::Succeeded])?;
        self.ui.say(format!(
            "          back and held for 24h, in {}",
            duration(self.clock.now().duration_since(began))
        ));
        Ok(())
    }

    fn world<'b>(&self, audience: &'b mut Audience<'b>) -> World<'b> {
        World {
            clusters: self.clusters.clone(),
            clock: self.clock,
            stop: runtime::never_stops(),
            wait_limit: None,
            secrets: Secrets::stand_ins(),
            audience,
        }
    }

    fn forget_requests(&self) {
        for sim in self.sims.values() {
            sim.forget_requests();
        }
    }

    /// Time between two releases: what was asked of the clusters before is of no interest after it.
    async fn pass(&self, time: SignedDuration) {
        self.forget_requests();
        tokio::time::sleep(time.unsigned_abs()).await;
    }

    fn close(&self) {
        self.ui.say(
            "\nThat was all real but the clusters. What to type next:\n\
             \x20 escale check                      find every mistake in the fleet\n\
             \x20 escale diff --against HEAD~1      what a change does, over all tenants\n\
             \x20 escale rollout --sim              roll out your own commit on simulated clusters\n\
             docs/guide.md goes on from here.",
        );
    }
}

/// Releases of the story are numbered by their ids.
fn in_order(one: &str, other: &str) -> Kinship {
    match one.cmp(other) {
        std::cmp::Ordering::Less => Kinship::Older,
        std::cmp::Ordering::Equal => Kinship::Same,
        std::cmp::Ordering::Greater => Kinship::Newer,
    }
}

fn who(name: &str, why: &str) -> Who {
    Who {
        name: name.to_owned(),
        holder: format!("{name}@demo"),
        why: why.to_owned(),
    }
}

fn expect(ended: &Ended, outcomes: &[Outcome]) -> anyhow::Result<()> {
    match &ended.ending {
        Ending::Finished { outcome, .. } if outcomes.contains(outcome) => Ok(()),
        other => anyhow::bail!("the demo expected {outcomes:?}, but it ended with {other:?}"),
    }
}
