//! Clusters that did not answer when a rollout was gone on with: what they have on record is taken in once they do, and
//! before anything is decided about their tenants.

use super::absences::Answered;
use super::conductor::{Conductor, Stage};
use super::ledger::Ledger;
use super::records::Records;
use super::resume;
use crate::rollout::What;

impl Conductor<'_> {
    /// Nothing is done on them before they answer. One to which there is no way at all is never asked.
    pub(super) async fn lose_unread(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        for (cluster, why) in self.unread.clone() {
            if self.is_planned(&cluster) && self.clusters.get(&cluster).is_ok() {
                self.lose_cluster(stage, &cluster, why).await?;
            }
        }
        Ok(())
    }

    fn is_planned(&self, cluster: &str) -> bool {
        let mut planned = self.frozen.plan.tenants();
        planned.any(|(_, planned)| planned.place.cluster == cluster)
    }

    pub(super) async fn take_in_cluster(
        &mut self,
        stage: &mut Stage,
        answered: Answered,
    ) -> anyhow::Result<()> {
        let Answered { cluster, records } = answered;
        if let Some(found) = records {
            // Whatever else answers there is asked again until it is the cluster itself.
            let Ok(records) = Records::of_one(&self.terms.environment, &cluster, found) else {
                return self.probe(stage, &cluster);
            };
            self.take_in_records(stage, &cluster, records);
        }
        self.give_up_again(stage, &cluster)?;
        self.happen(stage, What::ClusterAnswers { cluster }).await
    }

    fn take_in_records(&mut self, stage: &mut Stage, cluster: &str, records: Records) {
        self.unread.remove(cluster);
        let Some(rollout) = self.ledger.as_ref().map(Ledger::record) else {
            return;
        };
        let of = (rollout, &self.frozen.plan);
        let is_at_hand = |tenant: &str| self.bundles.contains_key(tenant);
        let learned = resume::learn(&mut stage.progress, of, &records, is_at_hand);
        self.records.extend(records.into_tenants());
        for tenant in learned {
            let progress = &stage.progress.tenants[&tenant];
            self.rewatch(&mut stage.looks, &tenant, progress);
        }
    }
}
