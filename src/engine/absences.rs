//! Clusters that do not answer: noticed by whoever asks them something, asked again until they do.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;

use super::conductor::{Conductor, Stage};
use super::store::{self, Found};
use super::work::{Aim, Open};
use crate::cluster::{CallError, Cluster};
use crate::record::{Stored, TenantRecord};
use crate::rollout::What;

/// How often a cluster that does not answer is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// The questions to clusters that do not answer: one at a time to each.
#[derive(Default)]
pub struct Probes {
    asked: BTreeSet<String>,
    running: JoinSet<Answered>,
}

/// A cluster that answers again.
pub struct Answered {
    pub cluster: String,
    /// Its tenants' records, if nobody could read them before.
    pub records: Option<Vec<Found<Stored<TenantRecord>>>>,
}

impl Probes {
    /// `is_unread`: it is no use before its records are read.
    fn start(&mut self, cluster: Cluster, is_unread: bool) {
        if !self.asked.insert(cluster.name().to_owned()) {
            return;
        }
        self.running.spawn(async move {
            loop {
                tokio::time::sleep(AGAIN).await;
                if let Ok(records) = ask(&cluster, is_unread).await {
                    let cluster = cluster.name().to_owned();
                    break Answered { cluster, records };
                }
            }
        });
    }

    /// The next cluster that answers again; for ever, if none is asked.
    pub async fn ended(&mut self) -> anyhow::Result<Answered> {
        let Some(answered) = self.running.join_next().await else {
            return std::future::pending().await;
        };
        let answered = answered.context("a question to a cluster ended without a report")?;
        self.asked.remove(&answered.cluster);
        Ok(answered)
    }

    /// Ends the questions that are under way.
    pub async fn stop(&mut self) {
        self.running.shutdown().await;
    }
}

async fn ask(
    cluster: &Cluster,
    is_unread: bool,
) -> Result<Option<Vec<Found<Stored<TenantRecord>>>>, CallError> {
    if is_unread {
        return store::tenants(&cluster.reader()).await.map(Some);
    }
    cluster.identity().await.map(|_| None)
}

impl Conductor<'_> {
    /// Notes that a cluster does not answer, and asks it again until it does.
    pub(super) async fn lose_cluster(
        &mut self,
        stage: &mut Stage,
        cluster: &str,
        why: String,
    ) -> anyhow::Result<()> {
        if stage.progress.absences.current(cluster).is_some() {
            return Ok(());
        }
        self.probe(stage, cluster)?;
        let cluster = cluster.to_owned();
        self.happen(stage, What::ClusterUnreachable { cluster, why })
            .await
    }

    /// Asks a cluster until it answers.
    pub(super) fn probe(&self, stage: &mut Stage, cluster: &str) -> anyhow::Result<()> {
        let asked = self.clusters.get(cluster)?.clone();
        let is_unread = self.unread.contains_key(cluster);
        stage.probes.start(asked, is_unread);
        Ok(())
    }

    pub(super) fn is_unwell(&self, stage: &Stage, tenant: &str) -> bool {
        let planned = self.frozen.plan.find(tenant);
        planned.is_some_and(|(_, planned)| {
            let illnesses = &stage.progress.illnesses;
            illnesses.current(&planned.place.cluster).is_some()
        })
    }

    /// What was being done to a tenant has to be done again, under the claim that is still ours.
    pub(super) async fn interrupt(
        &mut self,
        stage: &mut Stage,
        tenant: String,
        (aim, open, why): (Aim, Option<Box<Open>>, String),
    ) -> anyhow::Result<()> {
        let (_, planned) = self.frozen.plan.find(&tenant).context("it was started")?;
        let cluster = planned.place.cluster.clone();
        self.lose_cluster(stage, &cluster, why.clone()).await?;
        // Its claim is closed if the cluster answers again; else it runs out by itself, and whoever comes next takes it over.
        if aim == Aim::GiveUp {
            if let Some(open) = open {
                stage.open.insert(tenant, *open);
            }
            return Ok(());
        }
        self.set_aside(stage, tenant, open, why).await
    }

    /// Whoever was given up while the cluster did not answer still has a claim of ours there: it is closed now.
    pub(super) fn give_up_again(&mut self, stage: &mut Stage, cluster: &str) -> anyhow::Result<()> {
        let is_there = |tenant: &&String| {
            let found = self.frozen.plan.find(tenant);
            found.is_some_and(|(_, planned)| planned.place.cluster == cluster)
        };
        let why = |tenant: &String| stage.progress.tenants[tenant].phase.given_up();
        let claimed = stage.open.keys().filter(is_there);
        let given_up: Vec<(String, String)> = claimed
            .filter_map(|tenant| Some((tenant.clone(), why(tenant)?.to_owned())))
            .collect();
        for (tenant, why) in given_up {
            self.start(stage, &tenant, Aim::GiveUp, Some(&why))?;
        }
        Ok(())
    }

    /// It is done again when its cluster allows it.
    pub(super) async fn set_aside(
        &mut self,
        stage: &mut Stage,
        tenant: String,
        open: Option<Box<Open>>,
        why: String,
    ) -> anyhow::Result<()> {
        let is_touched = open.is_some();
        if let Some(open) = open {
            stage.open.insert(tenant.clone(), *open);
        }
        stage.looks.hasten(&tenant);
        let interrupted = What::TenantInterrupted {
            tenant,
            is_touched,
            why,
        };
        self.happen(stage, interrupted).await
    }
}
