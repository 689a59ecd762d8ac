//! Who uses the clusters at a time. Most of a rollout is waiting: tests that keep to an environment of their own run side
//! by side. All others have the clusters to themselves.

use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};

use crate::clusters::forget;

/// So many fleets of a few small tenants go forward at their pace on two cores.
const SIDE_BY_SIDE: usize = 3;

static HALL: Mutex<Hall> = Mutex::new(Hall {
    waiting: 0,
    beside: 0,
    is_alone: false,
});
static CHANGED: Condvar = Condvar::new();

struct Hall {
    /// Those who wait to run beside others: they come first.
    waiting: usize,
    beside: usize,
    is_alone: bool,
}

/// Ends when it is dropped.
pub struct Turn {
    is_alone: bool,
}

/// Waits for the clusters to be free.
pub fn alone() -> Turn {
    let is_taken = |hall: &mut Hall| hall.is_alone || hall.beside + hall.waiting > 0;
    wait_while(hall(), is_taken).is_alone = true;
    Turn { is_alone: true }
}

/// Waits for nobody to need the clusters alone. What tests before this one left is forgotten once, by the first.
pub fn beside() -> Turn {
    static FORGOTTEN: Once = Once::new();
    let mut waiting = hall();
    waiting.waiting += 1;
    let is_full = |hall: &mut Hall| hall.is_alone || hall.beside >= SIDE_BY_SIDE;
    let mut hall = wait_while(waiting, is_full);
    hall.waiting -= 1;
    hall.beside += 1;
    drop(hall);
    let turn = Turn { is_alone: false };
    FORGOTTEN.call_once(forget);
    turn
}

fn hall() -> MutexGuard<'static, Hall> {
    HALL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_while(
    hall: MutexGuard<'static, Hall>,
    condition: impl FnMut(&mut Hall) -> bool,
) -> MutexGuard<'static, Hall> {
    let hall = CHANGED.wait_while(hall, condition);
    hall.unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut hall = hall();
        if self.is_alone {
            hall.is_alone = false;
        } else {
            hall.beside -= 1;
        }
        CHANGED.notify_all();
    }
}
