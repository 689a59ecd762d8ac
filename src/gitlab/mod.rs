//! GitLab: what a job knows of itself, the one note of a merge request that is kept up to date, and deployments.

mod client;
mod deployments;
mod job;
mod note;

pub use client::get_json;
pub use deployments::{Deployer, DeploymentStatus, Deployments};
pub use job::{Job, Missing};
pub use note::{Kept, LARGEST, keep_note};
