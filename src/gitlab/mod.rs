//! GitLab: what a job knows of itself, and the one note of a merge request that is kept up to date.

mod client;
mod job;
mod note;

pub use client::get_json;
pub use job::{Job, Missing};
pub use note::{Kept, LARGEST, keep_note};
