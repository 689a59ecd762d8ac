//! What ends: Job, CronJob.

use crate::health::judge::said;
use crate::health::reading::{Condition, Reading};
use crate::health::verdict::Finding;
use crate::health::words::counted;

/// A running Job is on its way, not done (kstatus says otherwise: cli-utils#329).
pub(super) fn job(reading: Reading) -> Finding {
    let holds = |kind| {
        reading
            .condition(kind)
            .filter(|it: &Condition| it.is_true())
    };
    if holds("Complete").is_some() {
        return Finding::healthy("Complete", "has completed");
    }
    if let Some(failed) = holds("Failed") {
        let reason = Some(failed.reason()).filter(|reason| !reason.is_empty());
        let message = said(failed, "has failed");
        return Finding::failed(reason.unwrap_or("JobFailed"), message);
    }
    if reading.is_true("/spec/suspend") {
        return Finding::suspended("Suspended", "is suspended");
    }
    if reading.time("/status/startTime").is_none() {
        return Finding::progressing("NotStarted", "has not started yet");
    }
    Finding::progressing("Running", running(reading))
}

fn running(reading: Reading) -> String {
    let wanted = reading.integer("/spec/completions").unwrap_or(1);
    let succeeded = reading.count("succeeded");
    let retried = match reading.count("failed") {
        0 => String::new(),
        failed => format!(
            ", {} failed",
            counted(failed, "try").replace("trys", "tries")
        ),
    };
    format!(
        "runs: {succeeded} of {} done{retried}",
        counted(wanted, "completion")
    )
}

/// Runs of a CronJob are not ours to wait for: a nightly run that failed yesterday says nothing
/// about what was written today (argo-cd#24429).
pub(super) fn cron_job(reading: Reading) -> Finding {
    if reading.is_true("/spec/suspend") {
        Finding::suspended("Suspended", "is suspended")
    } else {
        Finding::healthy("Scheduled", "is scheduled")
    }
}
