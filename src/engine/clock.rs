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
    },
}

impl Clock {
    /// A virtual clock that starts now, inside a runtime.
    pub fn starting_at(base: Timestamp) -> Self {
        Self::Virtual {
            base,
            start: Instant::now(),
        }
    }

    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "this is the clock that is passed to the rest"
            )]
            Self::Wall => Timestamp::now(),
            Self::Virtual { base, start } => {
                let elapsed =
                    SignedDuration::try_from(start.elapsed()).unwrap_or(SignedDuration::MAX);
                base.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
            }
        }
    }
}
