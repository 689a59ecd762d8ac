//! Releases that wait for their turn: while one is rolled out, the newest of those that came later goes next.
//!
//! Whoever waits has a record on the hub without a plan. A newer one that comes marks it superseded, so that the
//! history says which releases were never rolled out, and for which one.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::ledger;
use super::lineage::{self, Ahead, AheadAt};
use super::prepare;
use super::rollouts::{Carried, Heard, Order, World};
use super::stop::unless_stopped;
use super::store::{self, Trouble};
use crate::cluster::{CallError, Writer};
use crate::error::UserError;
use crate::fleet::config::OnNewer;
use crate::record::{self, RolloutRecord, RolloutState, Stored, Verb, Word};
use crate::rollout::{Wait, Whom};

/// How often a waiting process looks.
const LOOK: Duration = Duration::from_secs(2);

/// A release's place among those that wait.
pub enum Place {
    /// Its own record, if it had to wait.
    First(Option<Box<Stored<RolloutRecord>>>),
    Behind(String),
}

/// A process that waits, and what it has said already.
pub struct Queue {
    since: Instant,
    /// The record that waits.
    place: Option<String>,
    asked: Option<String>,
}

impl Queue {
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            place: None,
            asked: None,
        }
    }

    /// One look at whoever conducts: `None` to try for the lease again.
    pub async fn look(
        &mut self,
        order: &Order<'_>,
        world: &mut World<'_>,
        conductor: &str,
    ) -> anyhow::Result<Option<Carried>> {
        let hub = world.clusters.hub()?.clone();
        let writer = hub.writer();
        let now = world.clock.now();
        let advise = |error: CallError| error.advise(hub.name());
        let found = store::rollouts(writer.reader(), &order.fleet.environment.name);
        let rollouts = found.await.map_err(advise)?;
        let rollouts: Vec<Stored<RolloutRecord>> = rollouts
            .into_iter()
            .map(|found| found.record)
            .collect::<Result<_, UserError>>()?;
        let running = rollouts.iter().find(|one| one.value.state.is_open());
        let is_ours = |one: &RolloutRecord| order.is_of(one);
        if running.is_some_and(|one| is_ours(&one.value))
            || order.strategy.spec.on_newer == OnNewer::Refuse
            || order.rebuild.is_some()
        {
            let by = conductor.to_owned();
            return Ok(Some(Carried::Taken { by }));
        }
        if let Some(release) = running.and_then(|one| one.value.release.clone())
            && lineage::is_older(order, &release)?
        {
            let at = AheadAt::Rollout;
            return Ok(Some(Carried::Ahead(Ahead { release, at })));
        }
        match come_first(&writer, order, &rollouts, now).await? {
            Place::Behind(release) => {
                let at = AheadAt::Queue;
                return Ok(Some(Carried::Ahead(Ahead { release, at })));
            }
            Place::First(None) => match self.passed_by(&rollouts) {
                Some(release) => {
                    let at = AheadAt::Queue;
                    return Ok(Some(Carried::Ahead(Ahead { release, at })));
                }
                None => self.join(&writer, order, now).await?,
            },
            Place::First(Some(own)) => self.place = Some(own.value.id),
        }
        if let Some(running) = running {
            self.ask_for_rest(order, &writer, &running.value, now)
                .await
                .map_err(advise)?;
        }
        let behind = running.map_or_else(
            || conductor.to_owned(),
            |one| format!("rollout {}", one.value.id),
        );
        let wait = Wait {
            until: None,
            on: vec![format!("{behind} to come to its end")],
            whom: Whom::Gate,
        };
        (world.audience)(Heard::Waits { wait: &wait, now });
        if world
            .wait_limit
            .is_some_and(|limit| self.since.elapsed() >= limit)
        {
            return Ok(Some(Carried::Queued { behind }));
        }
        // Who is told to stop meanwhile hears it when it asks for the lease again.
        let _stopped = unless_stopped(&world.stop, tokio::time::sleep(LOOK)).await;
        Ok(None)
    }

    /// The release that took the place that was ours.
    fn passed_by(&self, rollouts: &[Stored<RolloutRecord>]) -> Option<String> {
        let place = self.place.as_ref()?;
        let ours = rollouts.iter().find(|one| one.value.id == *place)?;
        ours.value.superseded_by.clone()
    }

    /// Notes that a release waits. Of two processes of one release that do so in the same second, one notes it for both;
    /// a rollout that begins in that second has another name.
    async fn join(
        &mut self,
        hub: &Writer,
        order: &Order<'_>,
        now: Timestamp,
    ) -> Result<(), UserError> {
        let begun = ledger::rollout(prepare::opening(order, now), &order.strategy.name);
        let record = RolloutRecord {
            id: format!("{}-waits", begun.id),
            state: RolloutState::Planned,
            reason: Some("waits for its turn".to_owned()),
            ..begun
        };
        self.place = Some(record.id.clone());
        match store::create_rollout(hub, &record, &[]).await {
            Ok(_) | Err(Trouble::Call(CallError::Exists(_))) => Ok(()),
            Err(trouble) => Err(trouble.advise("the hub")),
        }
    }

    /// A rollout that waits for a person, or is told to by the strategy, makes way.
    async fn ask_for_rest(
        &mut self,
        order: &Order<'_>,
        hub: &Writer,
        running: &RolloutRecord,
        now: Timestamp,
    ) -> Result<(), CallError> {
        let makes_way = order.strategy.spec.on_newer == OnNewer::Supersede
            || running.state == RolloutState::Paused;
        // What is not brought back yet must not begin anew at another release.
        let makes_way = makes_way && running.rebuild.is_none();
        if !makes_way || self.asked.as_ref() == Some(&running.id) {
            return Ok(());
        }
        let word = Word {
            verb: Verb::Supersede,
            environment: running.environment.clone(),
            scope: record::Scope::Rollout(running.id.clone()),
            author: order.who.name.clone(),
            reason: order.release.clone(),
            at: now,
            expires: None,
        };
        store::say(hub, &word).await?;
        self.asked = Some(running.id.clone());
        Ok(())
    }

    /// Whoever is told to stop gives its place away, if it has one.
    pub async fn give_up(&self, hub: &Writer, environment: &str, now: Timestamp) {
        let Some(place) = &self.place else {
            return;
        };
        let found = store::rollouts(hub.reader(), environment).await;
        let records = found
            .into_iter()
            .flatten()
            .filter_map(|one| one.record.ok());
        let mut waiting = records.filter(|one| one.value.state == RolloutState::Planned);
        let own = waiting.find(|one| one.value.id == *place).map(Box::new);
        leave(hub, own, "the process that waited was stopped", now).await;
    }
}

/// Goes before every older release that waits; behind a newer one.
pub async fn come_first(
    hub: &Writer,
    order: &Order<'_>,
    rollouts: &[Stored<RolloutRecord>],
    now: Timestamp,
) -> anyhow::Result<Place> {
    let mut own = None;
    let waiting = rollouts
        .iter()
        .filter(|one| one.value.state == RolloutState::Planned);
    let mut passed = Vec::new();
    for one in waiting {
        let release = one.value.release.clone().unwrap_or_default();
        if release == order.release {
            own = Some(Box::new(one.clone()));
        } else if lineage::is_older(order, &release)? {
            if let Some(own) = own {
                let _ = supersede(hub, &own, &release, now).await;
            }
            return Ok(Place::Behind(release));
        } else {
            passed.push(one);
        }
    }
    for one in passed {
        match supersede(hub, one, &order.release, now).await {
            // Whoever changed it meanwhile is looked at again when something is done with it.
            Ok(()) | Err(Trouble::Call(CallError::Stale(_))) => {}
            Err(trouble) => return Err(trouble.advise("the hub").into()),
        }
    }
    Ok(Place::First(own))
}

/// Its turn has come, and its rollout has a record of its own. If this one stays, the next release passes it.
pub async fn begin(hub: &Writer, place: Option<Box<Stored<RolloutRecord>>>) {
    if let Some(place) = place {
        let _ = store::delete_rollout(hub, &place.value.id).await;
    }
}

/// A place that is not needed any more. Who cannot say so now is passed by the next release.
pub async fn leave(
    hub: &Writer,
    place: Option<Box<Stored<RolloutRecord>>>,
    why: &str,
    now: Timestamp,
) {
    if let Some(place) = place {
        let ended = RolloutRecord {
            state: RolloutState::Aborted,
            reason: Some(why.to_owned()),
            since: now,
            ..place.value
        };
        let _ = store::replace_rollout(hub, &ended, &place.resource_version).await;
    }
}

/// Ends a rollout that nobody conducts, or that never began, in favour of a newer release.
pub async fn supersede(
    hub: &Writer,
    rollout: &Stored<RolloutRecord>,
    by: &str,
    now: Timestamp,
) -> Result<(), Trouble> {
    let ended = RolloutRecord {
        state: RolloutState::Superseded,
        reason: Some(format!("by {}", successor(by))),
        superseded_by: Some(by.to_owned()),
        since: now,
        ..rollout.value.clone()
    };
    store::replace_rollout(hub, &ended, &rollout.resource_version)
        .await
        .map(|_| ())
}

/// What goes on from here: a commit, or a rebuild.
pub fn successor(by: &str) -> String {
    if by.contains(' ') {
        by.to_owned()
    } else {
        format!("release {by}")
    }
}
