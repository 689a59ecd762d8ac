//! Strategy, plan, progress, next: the pure state machine.
//!
//! `Plan::new` says who is in which wave; `Progress` is a fold of events and health samples;
//! `Frozen::next` decides. A rollback is a plan of older bundles, a resume is a progress rebuilt
//! from records: both go through the same `next`.

mod absence;
mod after;
mod choice;
mod control;
mod coverage;
mod event;
mod exclusion;
mod few;
mod gates;
mod limits;
mod next;
mod plan;
mod progress;
mod rebuild;
mod stalled;
mod strategy;
mod tenant;
mod unrendered;
mod window;

pub use absence::{Absence, Absences};
pub use choice::{Choice, Running};
pub use control::{Control, ControlSample, Controls};
pub use coverage::{Coverage, Look};
pub use event::{Event, Failure, What};
pub use exclusion::{Excluded, Exclusion};
pub use few::{few_of, short_commit};
pub use gates::{Approval, Gates, end_of_freeze, missing_approval, name_of_freeze};
pub use limits::Scope;
pub use next::{Frozen, Next, Wait, Whom};
pub use plan::{Candidate, Place, Plan, Planned, Wanted, Wave};
pub use progress::{Outcome, Progress, State, WaveProgress, WaveState};
pub use rebuild::{LastGood, Target, targets, wanted};
pub use stalled::{About, Conducted, HubSight, Needs, Sight, Stall};
pub use strategy::{Role, Strategy};
pub use tenant::{Failed, Health, Phase, Sample, TenantProgress};
pub use unrendered::Unrendered;
pub use window::{Door, Windows, opening_words};
