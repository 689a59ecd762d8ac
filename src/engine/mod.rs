//! The conductor: asks the pure rooms, tells the outside rooms, keeps the records.
//!
//! `rollouts` starts or continues a rollout, `rollbacks` carries out a typed one; both hand a frozen
//! plan to the one loop in `conductor`. `work` is what is done to one tenant, `observe` how its
//! health is seen.

mod brake;
mod clock;
mod clusters;
mod conductor;
mod lease;
mod ledger;
mod observe;
mod planning;
mod resume;
mod rollouts;
mod soaks;
mod store;
mod words;
mod work;

pub use clock::Clock;
pub use clusters::Clusters;
pub use conductor::{Ending, Stop};
pub use planning::{Bundles, Records};
pub use rollouts::{Carried, Order, Survey, Who, World, plan, roll_out, survey};
