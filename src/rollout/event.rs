//! Everything that can happen in a rollout: one closed type, folded into progress, written to the
//! event log as it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::progress::Outcome;
use crate::fleet::config::OnBreach;

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    pub at: Timestamp,
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum What {
    WaveStarted {
        wave: String,
    },
    /// The tenant's claim is about to be taken and its objects written.
    TenantStarted {
        tenant: String,
    },
    /// The Job of a hook is there, and its end is waited for.
    HookStarted {
        tenant: String,
        hook: String,
        job: String,
    },
    HookSucceeded {
        tenant: String,
        hook: String,
        /// From now on nobody puts the tenant back by himself.
        is_irreversible: bool,
    },
    /// Every write of the tenant was accepted.
    TenantWritten {
        tenant: String,
        writes: usize,
    },
    /// Between our writes and the end of a claim that we took over, these objects were changed, maybe by a late write of
    /// the process that is gone. They were written again, and the tenant settles anew.
    TenantMended {
        tenant: String,
        objects: Vec<String>,
    },
    /// Objects that were skipped as unchanged: the server says that they would change. They were left as they are.
    FalseNoOp {
        tenant: String,
        objects: Vec<String>,
    },
    /// Fields that others have written since: taken back from people, left to other controllers, each in words.
    FieldsSettled {
        tenant: String,
        fields: Vec<String>,
    },
    /// Healthy for long enough; what is left is pruning and closing the record.
    TenantHealthy {
        tenant: String,
    },
    /// Pruned, recorded, claim closed.
    TenantSucceeded {
        tenant: String,
    },
    TenantFailed {
        tenant: String,
        how: Failure,
        why: String,
    },
    TenantGoesBack {
        tenant: String,
        why: String,
    },
    /// Every write of the way back was accepted.
    TenantBackWritten {
        tenant: String,
        writes: usize,
    },
    TenantBackHealthy {
        tenant: String,
    },
    TenantRolledBack {
        tenant: String,
    },
    TenantRollbackFailed {
        tenant: String,
        why: String,
    },
    /// Failed and stays as it is: there is nothing to go back to, or the strategy says so.
    TenantLeft {
        tenant: String,
        why: String,
    },
    /// Not healthy, as it was not before: it keeps what was written, and nobody counts it.
    TenantUnhealthyBefore {
        tenant: String,
        why: String,
    },
    TenantDeferred {
        tenant: String,
        why: String,
    },
    /// Its cluster did not answer while something was done to it, which is done again once it does; or its cluster is
    /// unwell while it settles, which goes on once it is well.
    TenantInterrupted {
        tenant: String,
        /// Whether anything may have been written.
        is_touched: bool,
        why: String,
    },
    /// Somebody else (a typed rollback) took the tenant's claim.
    TenantTakenOver {
        tenant: String,
        by: String,
    },
    ClusterUnreachable {
        cluster: String,
        why: String,
    },
    ClusterAnswers {
        cluster: String,
    },
    /// It answers, and tenants turned unhealthy there that the rollout has not touched.
    ClusterUnwell {
        cluster: String,
        why: String,
    },
    ClusterWell {
        cluster: String,
    },
    SoakStarted {
        wave: String,
    },
    WaveAdvanced {
        wave: String,
    },
    /// Nothing in the wave succeeded or failed: there is no evidence, and nothing to wait for.
    WaveSkipped {
        wave: String,
        why: String,
    },
    WaveBreached {
        wave: String,
        action: OnBreach,
        why: String,
    },
    Paused {
        by: String,
        why: String,
    },
    Resumed {
        by: String,
        why: String,
    },
    Aborted {
        by: String,
        why: String,
    },
    /// A newer release takes over once what is in flight has settled.
    Superseded {
        by: String,
    },
    Finished {
        outcome: Outcome,
        why: String,
    },
}

/// How a tenant failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// The API server refused a write.
    Refused,
    /// A hook did not succeed.
    Hook,
    /// A workload of the new revision is beyond hope.
    Unhealthy,
    /// Not healthy by the progress deadline.
    TimedOut,
    /// Its cluster did not answer for longer than `onUnreachable` waits, which says `fail`.
    Unreachable,
    /// Its cluster was unwell for longer than `onUnreachable` waits, which says `fail`.
    Unwell,
    /// Was healthy, then no longer, while its wave soaked or a later wave ran.
    DiedLater,
}

impl What {
    pub fn at(self, at: Timestamp) -> Event {
        Event { at, what: self }
    }
}
