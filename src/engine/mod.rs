//! The conductor: asks the pure rooms, tells the outside rooms, keeps the records.
//!
//! `rollouts` starts or continues a rollout, `rollbacks` carries out a typed one; both hand a frozen
//! plan to the one loop in `conductor`. `work` is what is done to one tenant, `observe` how its
//! health is seen.

mod brake;
mod clock;
mod clusters;
mod conductor;
mod desks;
pub mod holds;
mod identity;
mod lease;
mod ledger;
mod lists;
mod live_diff;
mod looks;
mod observe;
mod planning;
mod resume;
mod rollbacks;
mod rollouts;
mod soaks;
mod stop;
pub mod store;
pub mod sweep;
mod taken;
mod words;
mod work;

pub use brake::deletes;
pub use clock::Clock;
pub use clusters::Clusters;
pub use conductor::Ending;
pub use live_diff::{LiveChanges, live_changes};
pub use planning::{Bundles, Records};
pub use rollbacks::{Destination, Return, RollbackOrder, destination, roll_back};
pub use rollouts::{
    Carried, Ended, Order, Survey, Who, World, conductor_of, keep, latest_rollout, plan, roll_out,
    survey,
};
pub use stop::Stop;
