//! What GitLab shows of a rollout: a deployment for each cluster and ring, begun and ended beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::cli::ui::Ui;
use crate::cli::who::variable;
use crate::engine::Heard;
use crate::gitlab::{Deployer, DeploymentStatus, Deployments};
use crate::rollout::{Frozen, Phase, Place, Progress, What};

/// At the end so long is waited for GitLab.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tells GitLab. Slow or away, it keeps nothing waiting.
pub struct Recorder {
    environment: String,
    sender: mpsc::UnboundedSender<Step>,
    task: JoinHandle<Result<(), String>>,
}

/// A rollout begins and ends once for each process: no more than two are ever waiting.
enum Step {
    Begin(Vec<String>),
    End(BTreeMap<String, DeploymentStatus>),
}

impl Recorder {
    /// Nothing outside of a job of GitLab; it is said why.
    pub fn of(environment: &str, commit: &str, ui: &Ui) -> Option<Self> {
        let deployer =
            Deployer::of(commit, variable).map_err(|name| format!("`{name}` is not set"));
        match deployer.and_then(Deployments::new) {
            Ok(deployments) => {
                let (sender, receiver) = mpsc::unbounded_channel();
                Some(Self {
                    environment: environment.to_owned(),
                    sender,
                    task: tokio::spawn(tell(deployments, receiver)),
                })
            }
            Err(why) => {
                ui.say(format!("no deployments in GitLab: {why}"));
                None
            }
        }
    }

    pub fn hear(&mut self, heard: &Heard<'_>) {
        let step = match heard {
            Heard::Begins(beginning) => {
                let parts = self.parts(beginning.frozen).into_keys();
                Step::Begin(parts.collect())
            }
            Heard::Event {
                event,
                progress,
                frozen,
            } if matches!(event.what, What::Finished { .. }) => {
                let parts = self.parts(frozen).into_iter();
                let ended = parts.map(|(part, tenants)| (part, status(&tenants, progress)));
                Step::End(ended.collect())
            }
            Heard::Event { .. } | Heard::Waits { .. } => return,
        };
        // Whoever had trouble before listens no more.
        let _ = self.sender.send(step);
    }

    /// Waits for what is under way, not for ever, and says what did not get through.
    pub async fn end(self, ui: &Ui) {
        drop(self.sender);
        let abort = self.task.abort_handle();
        let trouble = match tokio::time::timeout(PATIENCE, self.task).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(trouble))) => trouble,
            Ok(Err(_)) | Err(_) => "GitLab is too slow".to_owned(),
        };
        abort.abort();
        ui.say(format!(
            "deployments in GitLab are not up to date: {trouble}"
        ));
    }

    /// The tenants of a plan, by the environment of GitLab that they are shown in.
    fn parts<'a>(&self, frozen: &'a Frozen) -> BTreeMap<String, BTreeSet<&'a str>> {
        let mut parts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (_, planned) in frozen.plan.tenants() {
            let part = self.part(&planned.place);
            parts.entry(part).or_default().insert(&planned.place.tenant);
        }
        parts
    }

    /// `production/metal-par/canary`: GitLab shows what is before the slash as a folder.
    fn part(&self, place: &Place) -> String {
        let (environment, cluster) = (&self.environment, &place.cluster);
        match place.labels.get("ring") {
            Some(ring) => format!("{environment}/{cluster}/{ring}"),
            None => format!("{environment}/{cluster}"),
        }
    }
}

async fn tell(
    mut deployments: Deployments,
    mut steps: mpsc::UnboundedReceiver<Step>,
) -> Result<(), String> {
    while let Some(step) = steps.recv().await {
        match step {
            Step::Begin(parts) => deployments.begin(&parts).await?,
            Step::End(statuses) => deployments.end(&statuses).await?,
        }
    }
    Ok(())
}

/// Failed if anybody failed there; canceled if nobody there runs the release.
fn status(tenants: &BTreeSet<&str>, progress: &Progress) -> DeploymentStatus {
    let there = || tenants.iter().filter_map(|tenant| progress.tenant(tenant));
    if there().any(|tenant| tenant.failure.is_some()) {
        return DeploymentStatus::Failed;
    }
    let runs_it = there().any(|tenant| {
        matches!(
            tenant.phase,
            Phase::Succeeded { .. } | Phase::UnhealthyBefore { .. }
        )
    });
    if runs_it {
        DeploymentStatus::Success
    } else {
        DeploymentStatus::Canceled
    }
}
