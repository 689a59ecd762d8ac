//! What is wrong with the pods of one workload, told once.

use crate::health::pod::{Crashes, Prospect, Trouble, prospect};
use crate::health::tolerance::Moment;
use crate::health::verdict::{Finding, Verdict};
use crate::health::words::counted;
use crate::manifest::Live;

/// The pods of a workload's newest revision that are not fine.
pub(super) struct Troubles<'a> {
    doomed: Vec<(&'a Live, Trouble)>,
    waiting: Vec<(&'a Live, Trouble)>,
    pods: usize,
    quorum: Quorum,
}

/// How many doomed pods doom their workload.
enum Quorum {
    /// Pods are alike: while one lives, the others may.
    All,
    /// Each pod has its own place: an ordinal, a node.
    Any,
}

impl<'a> Troubles<'a> {
    pub fn among(workload: &Live, pods: &[&'a Live], moment: &Moment) -> Self {
        let kind = workload.object().kind.as_str();
        let crashes = match kind {
            "Job" => Crashes::AreCountedElsewhere,
            _ => Crashes::Count,
        };
        let mut troubles = Self {
            doomed: Vec::new(),
            waiting: Vec::new(),
            pods: pods.len(),
            quorum: match kind {
                "Deployment" | "ReplicaSet" => Quorum::All,
                _ => Quorum::Any,
            },
        };
        for pod in pods {
            match prospect(pod, moment, crashes) {
                Prospect::Fine => {}
                Prospect::Waiting(trouble) => troubles.waiting.push((pod, trouble)),
                // A node without room is not the fault of what wants to run on every node.
                Prospect::Doomed(trouble)
                    if kind == "DaemonSet" && trouble.reason == "Unschedulable" =>
                {
                    troubles.waiting.push((pod, trouble));
                }
                Prospect::Doomed(trouble) => troubles.doomed.push((pod, trouble)),
            }
        }
        troubles
    }

    /// Why the workload does not recover, if it does not.
    pub fn doom(&self) -> Option<Finding> {
        let is_doomed = match self.quorum {
            Quorum::All => self.doomed.len() == self.pods,
            Quorum::Any => !self.doomed.is_empty(),
        };
        is_doomed.then(|| self.told(&self.doomed, Verdict::Failed))?
    }

    /// What the workload waits for, the worst first.
    pub fn delay(&self) -> Option<Finding> {
        self.told(&self.doomed, Verdict::Progressing)
            .or_else(|| self.told(&self.waiting, Verdict::Progressing))
    }

    /// Tells the trouble that most pods share, with one pod as the example.
    fn told(&self, troubled: &[(&'a Live, Trouble)], verdict: Verdict) -> Option<Finding> {
        let (pod, trouble) = troubled.iter().min_by_key(|(pod, trouble)| {
            let alike = alike(troubled, trouble);
            (usize::MAX - alike, &pod.object().name)
        })?;
        let name = &pod.object().name;
        let pods = counted(self.pods, "new pod");
        let which = match alike(troubled, trouble) {
            1 => format!("pod `{name}`"),
            alike if alike == self.pods => format!("all {pods}, such as `{name}`"),
            alike => format!("{alike} of {pods}, such as `{name}`"),
        };
        let message = format!("{which}: {}", trouble.message);
        let mut finding = Finding::new(verdict, &trouble.reason, message);
        finding.culprit = Some(trouble.of(pod));
        Some(finding)
    }
}

fn alike(troubled: &[(&Live, Trouble)], trouble: &Trouble) -> usize {
    let cause = |trouble: &Trouble| (trouble.container.clone(), trouble.reason.clone());
    let wanted = cause(trouble);
    troubled
        .iter()
        .filter(|(_, other)| cause(other) == wanted)
        .count()
}
