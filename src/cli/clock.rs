//! The time of day, for commands that have no engine to ask.

use jiff::Timestamp;

#[expect(
    clippy::disallowed_methods,
    reason = "the one place outside the engine that asks: no rollout is decided by it"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}
