//! The machine that a job runs on: its clock, and whether it gets time to run.

use std::pin::pin;
use std::time::Duration;

use escale::engine::{Clock, Step};
use jiff::SignedDuration;
use tokio::time::Instant;

use super::script::Machine;

/// The clock of a machine on which a job starts now.
pub fn clock(scene: Clock, machine: Machine) -> Clock {
    let Clock::Virtual { base, start, .. } = scene else {
        unreachable!("it is simulated")
    };
    let step = |(after, ahead): (Duration, i64)| Step {
        at: Instant::now() + after,
        by: SignedDuration::from_secs(ahead - machine.ahead),
    };
    Clock::Virtual {
        base: base + SignedDuration::from_secs(machine.ahead),
        start,
        step: machine.set.map(step),
    }
}

/// Work that gets no time to run, from then on, for so long.
pub async fn starve<F: Future>(work: F, starved: Option<(Duration, Duration)>) -> F::Output {
    let mut work = pin!(work);
    if let Some((after, for_so_long)) = starved {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(after) => {}
        }
        tokio::time::sleep(for_so_long).await;
    }
    work.await
}
