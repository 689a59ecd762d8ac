//! Where a worker sits while it writes: at a desk of its cluster, or nowhere, if it need not wait for a place.

use crate::engine::desks::{Desk, Seat};

/// A worker's place.
pub struct Place {
    desk: Option<Desk>,
    seat: Option<Seat>,
}

impl Place {
    /// Who closes a claim holds no trees, and its deadline runs: it waits for nobody.
    pub fn nowhere() -> Self {
        Self {
            desk: None,
            seat: None,
        }
    }

    /// Waits for a seat at the desk.
    pub async fn at(desk: Desk) -> Self {
        let seat = desk.clone().seat().await;
        Self {
            desk: Some(desk),
            seat: Some(seat),
        }
    }

    /// Gives the seat to somebody else for a while.
    pub fn leave(&mut self) {
        self.seat = None;
    }

    /// Waits for a seat again.
    pub async fn come_back(&mut self) {
        if let (Some(desk), None) = (&self.desk, &self.seat) {
            self.seat = Some(desk.clone().seat().await);
        }
    }
}
