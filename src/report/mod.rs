//! What pipelines read: counts, test cases and findings, in the formats that GitLab shows beside a merge request.

mod code_quality;
mod junit;
mod terraform;

pub use code_quality::code_quality;
pub use junit::junit;
pub use terraform::terraform;
