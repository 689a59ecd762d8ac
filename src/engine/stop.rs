//! Being told to stop: at once while nothing is written, else after the writes that are under way.

use tokio::sync::watch;

use crate::error::{Exit, UserError};

/// What whoever started the process wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    GoOn,
    /// Finish the writes that are under way, then leave.
    Gently,
}

/// Whether somebody has asked to stop.
pub fn is_asked(stop: &watch::Receiver<Stop>) -> bool {
    *stop.borrow() == Stop::Gently
}

/// Does what comes before the first write of a rollout, and leaves it when told to stop. A lease that was just being
/// taken then runs out by itself, as after a kill.
pub async fn unless_stopped<T>(
    stop: &watch::Receiver<Stop>,
    doing: impl Future<Output = T>,
) -> Result<T, UserError> {
    let mut stop = stop.clone();
    tokio::select! {
        biased;
        done = doing => Ok(done),
        // Where nobody is left who could say so, this never happens.
        Ok(_) = stop.wait_for(|stop| *stop == Stop::Gently) => {
            let error = UserError::new("stopped before anything was written");
            Err(error.hint("run the same command again").exit(Exit::NotFinished))
        }
    }
}
