//! Whether a conductor watches what it decides about.
//!
//! It does not while it waits for the hub, or while the machine sleeps: what was seen before says little then.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::clock::Clock;
use super::conductor::Stage;

/// Whoever was away for longer looks again before deciding. Tenants that are not well are looked at every 2 s.
const LONGEST: Duration = Duration::from_secs(5);

/// How long a conductor was away since it last looked.
pub struct Attention {
    lost: Duration,
    /// The same moment on both clocks: one of them stands still while the machine sleeps.
    seen: (Timestamp, Instant),
}

impl Attention {
    pub fn new(clock: Clock) -> Self {
        Self {
            lost: Duration::ZERO,
            seen: (clock.now(), Instant::now()),
        }
    }

    /// Waited for something else for so long.
    pub fn lose(&mut self, duration: Duration) {
        self.lost += duration;
    }

    pub fn is_lost(&self) -> bool {
        self.lost > LONGEST
    }

    /// Whether it was lost; begins anew.
    pub fn was_lost(&mut self, clock: Clock) -> bool {
        let (then, awake) = self.seen;
        self.seen = (clock.now(), Instant::now());
        let passed = self.seen.0.duration_since(then);
        let asleep = passed - SignedDuration::try_from(awake.elapsed()).unwrap_or_default();
        let is_lost = self.is_lost() || asleep.unsigned_abs() > LONGEST;
        self.lost = Duration::ZERO;
        is_lost
    }
}

impl Stage {
    /// Nothing that was seen before settles anybody.
    pub(super) fn look_again(&mut self) {
        self.progress.forget_settling();
        self.looks.hasten_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attention_is_lost_by_waiting_for_long_and_found_again() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let mut attention = Attention::new(clock);
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!attention.was_lost(clock), "looking is no waiting");
        attention.lose(Duration::from_secs(3));
        assert!(!attention.is_lost());
        attention.lose(Duration::from_secs(3));
        assert!(attention.was_lost(clock));
        assert!(!attention.was_lost(clock));
    }

    #[tokio::test(start_paused = true)]
    async fn attention_is_lost_when_the_clock_jumps() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let mut attention = Attention::new(clock);
        let later = Clock::starting_at(Timestamp::UNIX_EPOCH + SignedDuration::from_mins(3));
        assert!(attention.was_lost(later));
        assert!(!attention.was_lost(later));
        assert!(attention.was_lost(clock), "also backwards");
    }
}
