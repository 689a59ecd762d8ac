//! What time it is: the machine's clock, or a virtual one that only moves while everybody waits.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The one source of time of the engine and of simulated clusters.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    Wall,
    /// Starts at `base` and follows tokio's clock, which is paused in simulations: then it jumps to
    /// the next timer whenever nobody has anything to do.
    Virtual {
        base: Timestamp,
        start: Instant,
        step: Option<Step>,
    },
}

/// Somebody sets a clock: from then on it shows that much more, or less.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub at: Instant,
    pub by: SignedDuration,
}

impl Clock {
    /// A virtual clock that starts now, inside a runtime.
    pub fn starting_at(base: Timestamp) -> Self {
        Self::Virtual {
            base,
            start: Instant::now(),
            step: None,
        }
    }

    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the clock that is passed to the rest"
            )]
            Self::Wall => Timestamp::now(),
            Self::Virtual { base, start, step } => {
                let elapsed =
                    SignedDuration::try_from(start.elapsed()).unwrap_or(SignedDuration::MAX);
                let step = step.filter(|step| step.at <= Instant::now());
                let elapsed = elapsed.saturating_add(step.map(|step| step.by).unwrap_or_default());
                base.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
            }
        }
    }
}
