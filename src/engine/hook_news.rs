//! What workers tell of hooks while they still work, and which ways back hooks have barred.

use tokio::sync::{mpsc, watch};

use super::conductor::{Conductor, Stage};
use super::records::Records;
use super::work::{HookDesk, HookNews, HookTold};
use crate::error::{Exit, UserError};
use crate::record::{Action, Good, TenantRecord};
use crate::rollout::{Plan, Progress, What};

/// The line on which workers tell of hooks. Each hook of a tenant is told of twice, so that no bound is needed: a worker
/// must never wait for a conductor who waits for it.
pub struct HookLine {
    sender: mpsc::UnboundedSender<HookNews>,
    receiver: mpsc::UnboundedReceiver<HookNews>,
    leave: watch::Sender<bool>,
}

impl Default for HookLine {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self {
            sender,
            receiver,
            leave: watch::Sender::new(false),
        }
    }
}

impl HookLine {
    /// The next thing that is told; for ever, if nobody tells anything.
    pub async fn told(&mut self) -> HookNews {
        match self.receiver.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    /// Nobody waits for hooks any more: whoever comes next goes on with them.
    pub fn leave(&self) {
        self.leave.send_replace(true);
    }
}

impl Conductor<'_> {
    /// What a worker needs for hooks. On a way back none runs.
    pub(super) fn hook_desk(&self, stage: &Stage) -> Option<HookDesk> {
        (self.terms.action == Action::Rollout).then(|| HookDesk {
            deadline: self.frozen.strategy.spec.tenant.progress_deadline,
            leave: stage.hooks.leave.subscribe(),
            news: stage.hooks.sender.clone(),
        })
    }

    /// Takes in all that was told so far. What succeeded decides about ways back: it is known before its worker's report is.
    pub(super) async fn take_in_hooks(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        while let Ok(news) = stage.hooks.receiver.try_recv() {
            self.take_in_hook(stage, news).await?;
        }
        Ok(())
    }

    pub(super) async fn take_in_hook(
        &mut self,
        stage: &mut Stage,
        news: HookNews,
    ) -> anyhow::Result<()> {
        let HookNews { tenant, hook, told } = news;
        let what = match told {
            HookTold::Started { job } => What::HookStarted { tenant, hook, job },
            HookTold::Succeeded { is_irreversible } => What::HookSucceeded {
                tenant,
                hook,
                is_irreversible,
            },
        };
        self.happen(stage, what).await
    }
}

/// Notes which tenants cannot go back to their last good bundle, by their records.
pub fn note_bars(progress: &mut Progress, plan: &Plan, records: &Records) {
    for (_, planned) in plan.tenants() {
        let place = &planned.place;
        let record = records.readable(&place.cluster, &place.namespace);
        let good = |record: &TenantRecord| record.good(planned.last_good.as_ref()?).cloned();
        let bar = record.and_then(|stored| {
            let good = good(&stored.value)?;
            stored.value.bar(&good).map(|(hook, _)| hook.to_owned())
        });
        if let (Some(bar), Some(one)) = (bar, progress.tenants.get_mut(&planned.place.tenant)) {
            one.irreversible = Some(bar);
        }
    }
}

/// Refuses a way back behind a hook that cannot be undone.
pub fn refuse_barred(record: &TenantRecord, to: &Good) -> Result<(), UserError> {
    let Some((hook, at)) = record.bar(to) else {
        return Ok(());
    };
    let error = UserError::new(format!(
        "`{}` cannot go back to {}: hook `{hook}` succeeded since, at {}, and is irreversible",
        record.tenant,
        to.digest.short(),
        at.strftime("%Y-%m-%d %H:%M UTC")
    ));
    Err(error
        .hint("roll out a commit that mends it instead")
        .hint("`--even-if-irreversible --reason WHY` goes back all the same: what the hook changed stays changed")
        .exit(Exit::PersonNeeded))
}
