//! What a rollout needs the hub for: nothing is decided that is not recorded, nor without the lease.
//!
//! A hub that does not answer is waited for as long as any other cluster. Meanwhile workers go on, each under the
//! claim of its tenant.

use std::time::Duration;

use tokio::time::Instant;

use super::conductor::{Conductor, Ending, Stage};
use super::lease::Renewal;
use super::stop;
use super::store::Trouble;
use crate::cluster::CallError;
use crate::error::{Exit, UserError};
use crate::rollout::Event;

/// How often a hub that does not answer is asked again.
const AGAIN: Duration = Duration::from_secs(2);

impl Conductor<'_> {
    /// Records an event.
    pub(super) async fn note(&mut self, event: &Event) -> Result<(), UserError> {
        let give_up = self.patience();
        let Some(ledger) = &mut self.ledger else {
            return Ok(());
        };
        let hub = self.clusters.hub.as_deref().unwrap_or_default();
        loop {
            match ledger.note(event).await {
                Ok(()) => return Ok(()),
                Err(Trouble::Call(CallError::Stale(_))) => return Err(taken_over()),
                Err(trouble) if !trouble.is_of_the_cluster() => return Err(trouble.advise(hub)),
                Err(trouble) if give_up <= Instant::now() || stop::is_asked(&self.stop) => {
                    return Err(leave_off(trouble, hub));
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    /// Renews the lease; the ending, if it is lost. As long as nobody else can have taken it, and been seen to,
    /// nothing is decided.
    pub(super) async fn renew_lease(&mut self, stage: &mut Stage) -> Option<Ending> {
        let began = Instant::now();
        let ending = self.renewed_lease().await;
        stage.attention.lose(began.elapsed());
        ending
    }

    async fn renewed_lease(&mut self) -> Option<Ending> {
        let give_up = self.patience();
        let lease = self.lease.as_mut()?;
        loop {
            match lease.renew().await {
                Renewal::Kept => return None,
                Renewal::Lost => return Some(Ending::LeaseLost),
                Renewal::RanOut if give_up <= Instant::now() || stop::is_asked(&self.stop) => {
                    let why = "the hub does not answer".to_owned();
                    return Some(Ending::LeftOff { why, until: None });
                }
                Renewal::RanOut => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    fn patience(&self) -> Instant {
        let deadline = self.frozen.strategy.spec.on_unreachable.deadline;
        Instant::now() + Duration::try_from(deadline.to_signed()).unwrap_or_default()
    }
}

impl Stage {
    /// Lets the workers end what they are writing; what they did is in the records of their tenants.
    pub(super) async fn abandon(&mut self) {
        while self.work.join_next().await.is_some() {}
        self.looks.stop().await;
        self.probes.stop().await;
    }
}

/// Nobody else writes to the record of a rollout than who conducts it.
fn taken_over() -> UserError {
    UserError::new("not ours to run any more: another process conducts the rollout now")
        .hint("`escale status` shows it; run again when it has ended")
        .exit(Exit::NotOurs)
}

fn leave_off(trouble: Trouble, hub: &str) -> UserError {
    let error = trouble.advise(hub);
    error
        .hint("run the same command again when it answers: it goes on where it stopped")
        .exit(Exit::NotFinished)
}
