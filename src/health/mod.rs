//! Observations → verdicts: is what we wrote alive?
//!
//! The rules are those of kstatus with the corrections that other deployers paid for, and the
//! list of conditions from which a pod does not recover (`docs/health.md` has both, with
//! sources). A verdict counts only for the generation that was written, seen after the write,
//! and pods are judged only if they are of the new revision. "Timed out" is not said here: who
//! knows the deadline says it.

mod certificate;
mod container;
pub mod gap;
mod judge;
mod kinds;
mod ownership;
mod pod;
mod reading;
mod revision;
mod serving;
mod site;
mod stuck;
mod tenant;
mod tolerance;
mod troubles;
mod verdict;
mod words;
mod workload;

pub use certificate::certificate_ends;
pub use judge::judge;
pub use serving::serves;
pub use site::{Answer, Certificate, CertificateFault, Page, Question, SiteHealth, judge_site};
pub use stuck::{PodInTheWay, pods_in_the_way};
pub use tenant::{Observation, TenantHealth, Wanted, judge_tenant, must_be_observed};
pub use tolerance::Tolerance;
pub use verdict::{Culprit, ObjectHealth, Verdict};
pub use workload::{Surroundings, judge_workload};

#[cfg(test)]
mod tests;
