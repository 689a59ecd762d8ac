//! What workers report, as events of the rollout.

use anyhow::Context as _;
use tokio::task::JoinError;
use tokio::time::Instant;

use super::conductor::{Conductor, Stage};
use super::work::{Aim, Done};
use crate::manifest::ObjectRef;
use crate::rollout::{Failure, What};

/// A tenant, what was to be done to it, and how that went.
pub type Report = (String, Aim, Done);

impl Conductor<'_> {
    /// Takes in what the first worker reports, and all others that are done by now: each question what to do next
    /// looks at every tenant.
    pub(super) async fn take_in_all(
        &mut self,
        stage: &mut Stage,
        first: Result<Report, JoinError>,
    ) -> anyhow::Result<()> {
        let mut report = Some(first);
        while let Some(done) = report {
            let (tenant, aim, done) = done.context("a worker ended without a report")?;
            self.take_in_hooks(stage).await?;
            self.take_in(stage, tenant, aim, done).await?;
            report = stage.work.try_join_next();
        }
        Ok(())
    }

    /// Takes in what a worker reports.
    async fn take_in(
        &mut self,
        stage: &mut Stage,
        tenant: String,
        aim: Aim,
        done: Done,
    ) -> anyhow::Result<()> {
        stage.idle_since = Instant::now();
        let what = match done {
            Done::Written {
                open,
                writes,
                wanted,
                again,
                false_no_ops,
                settled,
            } => {
                stage.looks.watch(&self.frozen, &tenant, wanted);
                stage.open.insert(tenant.clone(), *open);
                if !again.is_empty() {
                    self.happen(stage, mended(&tenant, &again)).await?;
                }
                if !false_no_ops.is_empty() {
                    let (tenant, objects) = (tenant.clone(), false_no_ops);
                    self.happen(stage, What::FalseNoOp { tenant, objects })
                        .await?;
                }
                if !settled.is_empty() {
                    let (tenant, fields) = (tenant.clone(), settled);
                    self.happen(stage, What::FieldsSettled { tenant, fields })
                        .await?;
                }
                match aim {
                    Aim::Forward | Aim::Close => What::TenantWritten { tenant, writes },
                    _ => What::TenantBackWritten { tenant, writes },
                }
            }
            Done::Closed { record } => {
                self.records.insert(tenant.clone(), *record);
                match aim {
                    Aim::CloseBack => What::TenantRolledBack { tenant },
                    Aim::GiveUp => return Ok(()),
                    _ => What::TenantSucceeded { tenant },
                }
            }
            // An admission webhook may be among what is ill.
            Done::Refused { open, why } if aim != Aim::GiveUp && self.is_unwell(stage, &tenant) => {
                return self.set_aside(stage, tenant, open, why).await;
            }
            Done::Refused { open, why } => {
                if let Some(open) = open {
                    stage.open.insert(tenant.clone(), *open);
                }
                match aim {
                    Aim::Forward | Aim::Close => What::TenantFailed {
                        tenant,
                        how: Failure::Refused,
                        why,
                    },
                    Aim::Back | Aim::CloseBack => What::TenantRollbackFailed { tenant, why },
                    Aim::GiveUp => return Ok(()),
                }
            }
            Done::HookFailed {
                open,
                why,
                is_final: false,
            } if self.is_unwell(stage, &tenant) => {
                return self.set_aside(stage, tenant, open, why).await;
            }
            Done::HookFailed { open, why, .. } => {
                if let Some(open) = open {
                    stage.open.insert(tenant.clone(), *open);
                }
                let how = Failure::Hook;
                What::TenantFailed { tenant, how, why }
            }
            Done::TakenOver { by } => What::TenantTakenOver { tenant, by },
            // It is as it was, and so says its record.
            Done::NotBegun => return Ok(()),
            Done::Unreachable { open, why } => {
                return self.interrupt(stage, tenant, (aim, open, why)).await;
            }
        };
        if let What::TenantSucceeded { tenant } = &what {
            stage.looks.hasten(tenant);
        }
        self.happen(stage, what).await
    }
}

fn mended(tenant: &str, again: &[ObjectRef]) -> What {
    What::TenantMended {
        tenant: tenant.to_owned(),
        objects: again.iter().map(ToString::to_string).collect(),
    }
}
