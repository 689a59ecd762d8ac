//! The conductor: asks the pure rooms, tells the outside rooms, keeps the records.
//!
//! `rollouts` starts or continues a rollout, `rollbacks` carries out a typed one; both hand a frozen
//! plan to the one loop in `conductor`. `work` is what is done to one tenant, `observe` how its
//! health is seen.

mod absences;
mod approvals;
mod attention;
mod baseline;
mod brake;
mod catch_up;
mod changes;
mod choice;
mod clock;
mod clusters;
mod conductor;
mod controls;
mod departures;
mod desks;
mod foreign;
mod gates;
pub mod holds;
mod hook_news;
mod hook_plan;
mod hub;
mod identity;
mod lease;
mod ledger;
mod lineage;
mod lists;
mod live_diff;
mod looks;
mod moves;
mod observe;
mod people;
mod planning;
mod prepare;
mod proof;
mod queue;
mod reading;
mod rebuild;
mod reports;
mod resume;
mod rollbacks;
mod rollouts;
mod roster;
mod soaks;
mod stop;
pub mod store;
mod survey;
pub mod sweep;
mod taken;
mod unrendered;
mod words;
mod work;

pub use approvals::unapproved;
pub use brake::deletes;
pub use catch_up::{Behind, behind};
pub use choice::{Changed, choose};
pub use clock::{Clock, Step};
pub use clusters::Clusters;
pub use conductor::Ending;
pub use gates::{closed_window, needs_approval, waits_at_gates};
pub use hook_news::refuse_barred;
pub use hook_plan::hooks;
pub use lineage::{Ahead, AheadAt, Lineage, ahead_of};
pub use live_diff::{LiveChanges, live_changes};
pub use planning::{Bundles, Records};
pub use queue::successor;
pub use reading::{HubReading, Reading, Unread, reading};
pub use rebuild::{Rebuild, allow as allow_rebuild};
pub use rollbacks::{Destination, Return, RollbackOrder, destination, roll_back};
pub use rollouts::{Audience, Beginning, Carried, Ended, Heard, Order, Who, World, keep, roll_out};
pub use roster::tell as tell_roster;
pub use stop::Stop;
pub use survey::{Latest, Survey, conducted, latest, plan, rollouts, survey, survey_of};
