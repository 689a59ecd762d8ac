//! The rollout itself, by the production engine, on simulated copies and in virtual time.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::copies::{Copies, unordered};
use super::doom::doomed;
use super::faults::{Faults, storm};
use super::gates;
use super::outage::Outage;
use super::pods::Pods;
use super::report::{Ended, Report};
use super::today::Today;
use super::witness::Witness;
use crate::cli::events::{EventsArgs, Origin};
use crate::cli::rollout::VERIFY_SAMPLE;
use crate::cli::ui::Ui;
use crate::cli::voice::counted;
use crate::cli::{ending, runtime};
use crate::engine::{self, Bundles, Carried, Changed, Heard, Order, Survey, Who, World};
use crate::error::{Exit, exit_code, hints};
use crate::fleet::Fleet;
use crate::rollout::{Plan, Strategy};
use crate::secret::Secrets;
use crate::sim::Fault;

/// What is rehearsed, on what, and what goes wrong.
pub struct Rehearsal<'a> {
    pub today: Today,
    pub fleet: &'a Fleet,
    pub bundles: &'a Bundles,
    /// The commit.
    pub release: String,
    /// The same, for people.
    pub described: String,
    pub strategy: Strategy,
    /// What may pick another strategy.
    pub changed: Option<Changed<'a>>,
    pub selected: Option<BTreeSet<String>>,
    pub allowed_deletes: Option<String>,
    pub faults: Faults,
    pub seed: u64,
    /// Where what would happen is written down.
    pub events: EventsArgs,
}

/// How a rollout would end.
pub struct Verdict {
    pub words: String,
    pub exit: Exit,
    pub hints: Vec<String>,
}

/// A rollout that has not come to an end by then waits for something that will not happen.
const BOUND: Duration = Duration::from_hours(72);
/// How often the clusters are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Rehearses, inside a runtime whose clock is virtual.
pub async fn rehearse(mut rehearsal: Rehearsal<'_>, ui: &Ui) -> anyhow::Result<(Report, Exit)> {
    let fleet = rehearsal.fleet;
    let today = &rehearsal.today;
    let copies = Copies::of(today, fleet, rehearsal.seed)?;
    ui.say(format!(
        "{} on {}",
        counted(today.fleet.tenants.len(), "tenant"),
        counted(copies.sims.len(), "simulated cluster"),
    ));
    let mut notes = today.notes.clone();
    notes.extend(copies.plant(today, rehearsal.bundles, ui).await?);
    let began = copies.clock.now();
    let survey = engine::survey(&copies.clusters, &fleet.environment.name, began).await?;
    rehearsal.strategy = rehearsal.choose(&copies, &survey).await?;
    let rehearsal = &rehearsal;
    if let Some(why) = &rehearsal.strategy.chosen {
        ui.say(format!("strategy {}: {why}", rehearsal.strategy.name));
    }
    let plan = engine::plan(&rehearsal.order(rehearsal.bundles), &survey, began);
    notes.extend(gates::notes(&rehearsal.strategy));
    notes.extend(rehearsal.pointless(&plan));
    let mut witness = Witness::new(
        ui,
        &copies.sims,
        &plan,
        Pods::of(&plan, &rehearsal.today),
        began,
    );
    witness.outages = rehearsal.outages(&plan);
    let origin = Origin::of(&rehearsal.order(rehearsal.bundles));
    witness.log = rehearsal.events.open(ui, origin)?;
    let (verdict, witness) = rehearsal.perform(&copies, &plan, witness).await;
    let exit = verdict.exit;
    let ended = Ended {
        at: copies.clock.now(),
        verdict,
        notes,
    };
    Ok((Report::of(rehearsal, &plan, &witness, ended), exit))
}

impl Rehearsal<'_> {
    async fn perform<'w>(
        &self,
        copies: &Copies,
        plan: &Plan,
        witness: Witness<'w>,
    ) -> (Verdict, Witness<'w>) {
        if self.faults.storm {
            for sim in copies.sims.values() {
                sim.tell(Fault::Requests(storm()));
            }
        }
        let bundles = self.failing(plan);
        let order = self.order(&bundles);
        let witness = Mutex::new(witness);
        let carried = tokio::select! {
            biased;
            () = keep_looking(copies, &witness) => unreachable!("it never ends"),
            carried = timeout(BOUND, carry_out(&order, copies, &witness)) => carried,
        };
        let witness = witness.into_inner();
        (
            verdict(carried),
            witness.unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// With which strategy, settled before its gates are opened.
    async fn choose(&self, copies: &Copies, survey: &Survey) -> anyhow::Result<Strategy> {
        let order = Order {
            changed: self.changed,
            strategy: self.strategy.clone(),
            ..self.order(self.bundles)
        };
        let hub = copies.clusters.hub()?;
        let now = copies.clock.now();
        let chosen = engine::choose(&order, survey, &hub.reader(), now).await;
        Ok(chosen.map_err(|trouble| trouble.advise(hub.name()))?)
    }

    fn order<'b>(&'b self, bundles: &'b Bundles) -> Order<'b> {
        Order {
            fleet: self.fleet,
            bundles,
            release: self.release.clone(),
            strategy: gates::opened(&self.strategy),
            changed: None,
            selected: self.selected.clone(),
            who: Who {
                name: "rehearsal".to_owned(),
                holder: "rehearsal".to_owned(),
                why: "a rehearsal".to_owned(),
            },
            lineage: &unordered,
            may_be_older: true,
            allowed_deletes: self.allowed_deletes.clone(),
            rebuild: None,
            verify_sample: VERIFY_SAMPLE,
        }
    }

    /// The bundles, those of the tenants that are to fail doomed.
    fn failing(&self, plan: &Plan) -> Bundles {
        let mut bundles = self.bundles.clone();
        let tenants = self.faults.tenants.iter();
        for tenant in tenants.filter(|tenant| plan.find(tenant).is_some()) {
            if let Some(Ok(bundle)) = bundles.get_mut(tenant) {
                *bundle = doomed(bundle, self.today.bundle(tenant));
            }
        }
        bundles
    }

    fn outages(&self, plan: &Plan) -> Vec<Outage> {
        let clusters = self.faults.clusters.iter();
        clusters
            .filter_map(|cluster| self.outage(cluster, plan))
            .collect()
    }

    fn outage(&self, cluster: &str, plan: &Plan) -> Option<Outage> {
        let is_hub = self.fleet.hub().is_some_and(|hub| hub.name == cluster);
        Outage::of(cluster, is_hub, plan, self.seed)
    }

    /// What is to fail and cannot: the plan does not touch it.
    fn pointless(&self, plan: &Plan) -> Vec<String> {
        let tenants = self.faults.tenants.iter();
        let tenants = tenants.filter(|tenant| plan.find(tenant).is_none());
        let tenants = tenants.map(|tenant| {
            let mut excluded = plan.excluded.iter();
            let excluded = excluded.find(|excluded| excluded.tenant == *tenant);
            let reason = excluded.map(|excluded| excluded.reason.words());
            let reason = reason.unwrap_or_else(|| "not selected".to_owned());
            format!("`{tenant}` cannot fail: the plan does not touch it ({reason})")
        });
        let clusters = self.faults.clusters.iter();
        let clusters = clusters.filter(|cluster| self.outage(cluster, plan).is_none());
        let clusters = clusters.map(|cluster| {
            format!("cluster `{cluster}` cannot fail: the plan does not come to it")
        });
        tenants.chain(clusters).collect()
    }
}

async fn carry_out(
    order: &Order<'_>,
    copies: &Copies,
    witness: &Mutex<Witness<'_>>,
) -> anyhow::Result<Carried> {
    let mut hear = |heard: Heard<'_>| locked(witness).hear(&heard);
    let world = World {
        clusters: copies.clusters.clone(),
        clock: copies.clock,
        stop: runtime::never_stops(),
        wait_limit: None,
        secrets: Secrets::stand_ins(),
        audience: &mut hear,
    };
    engine::roll_out(order, world).await
}

async fn keep_looking(copies: &Copies, witness: &Mutex<Witness<'_>>) {
    loop {
        locked(witness).look(copies.clock.now());
        tokio::time::sleep(LOOK).await;
    }
}

fn locked<'l, 'w>(witness: &'l Mutex<Witness<'w>>) -> MutexGuard<'l, Witness<'w>> {
    witness.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a rollout would end.
fn verdict(carried: Result<anyhow::Result<Carried>, Elapsed>) -> Verdict {
    let told = |(words, exit)| Verdict {
        words,
        exit,
        hints: Vec::new(),
    };
    match carried {
        Ok(Ok(Carried::Ended(ended))) => told(ending::verdict(&ended.ending)),
        Ok(Ok(Carried::NothingToDo { plan })) => told(ending::idle(&plan)),
        Ok(Ok(Carried::Taken { by })) => told((format!("not ours to run: {by}"), Exit::NotOurs)),
        Ok(Ok(Carried::Ahead(ahead))) => told((ending::newer(&ahead), Exit::NotOurs)),
        Ok(Ok(Carried::Rebuilding { .. })) => unreachable!("copies keep no rollout that is open"),
        Ok(Ok(Carried::Queued { behind })) => {
            told((format!("not begun: waits for {behind}"), Exit::NotFinished))
        }
        Ok(Err(error)) => Verdict {
            words: format!("stops with an error: {error:#}"),
            exit: exit_code(&error),
            hints: hints(&error).map(str::to_owned).collect(),
        },
        Err(_) => told((
            "not finished after three days".to_owned(),
            Exit::NotFinished,
        )),
    }
}
