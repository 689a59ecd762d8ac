//! What people do while a rollout runs: words that they say to it, tenants that they take from it.

use std::time::Duration;

use tokio::time::Instant;

use super::conductor::{Conductor, Stage};
use super::ledger::Ledger;
use super::store;
use super::taken;
use super::words;
use crate::record::{self, Stored, TenantRecord, Verb, Word};
use crate::rollout::{Gates, Phase, What};

/// How often the hub is asked for people's words: they act within this time.
const LISTEN: Duration = Duration::from_secs(2);

impl Conductor<'_> {
    /// Looks a last time at the records of all that succeeded, so that nothing is told that is true no more. Whether
    /// somebody has taken any of them.
    pub(super) async fn lose_taken_by_now(&mut self, stage: &mut Stage) -> anyhow::Result<bool> {
        let mut changed = Vec::new();
        for (cluster, closed) in taken::closed(&self.frozen, &stage.progress, &self.records) {
            let reader = self.clusters.get(&cluster)?.reader();
            // A cluster that does not answer takes nothing away from what was seen.
            changed.extend(taken::changed(&reader, &closed).await.unwrap_or_default());
        }
        self.lose_taken(stage, changed).await
    }

    /// A typed rollback wins its tenants, also those that have succeeded: they prove nothing any more. Whether any
    /// was lost.
    pub(super) async fn lose_taken(
        &mut self,
        stage: &mut Stage,
        changed: Vec<Stored<TenantRecord>>,
    ) -> anyhow::Result<bool> {
        let mut is_any_lost = false;
        for found in changed {
            let tenant = found.value.tenant.clone();
            let left = self.records.insert(tenant.clone(), found);
            let by =
                left.and_then(|left| taken::by_whom(&left.value, &self.records[&tenant].value));
            let phase = stage.progress.tenant(&tenant).map(|one| &one.phase);
            if let (Some(by), Some(Phase::Succeeded { .. })) = (by, phase) {
                is_any_lost = true;
                self.happen(stage, What::TenantTakenOver { tenant, by })
                    .await?;
            }
        }
        Ok(is_any_lost)
    }

    /// What was said before the rollout came into the state that it is in has done its work.
    pub(super) async fn skip_old_words(&self, stage: &mut Stage) {
        let (Some(ledger), Ok(hub)) = (&self.ledger, self.clusters.hub()) else {
            return;
        };
        let rollout = ledger.record();
        let words = store::words(&hub.reader(), &rollout.environment)
            .await
            .unwrap_or_default();
        let old = words.iter().filter(|word| word.at < rollout.since);
        stage.heard.extend(old.map(words::key));
    }

    /// Hears what people said since the last time.
    pub(super) async fn listen(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        if Instant::now() < stage.next_listen {
            return Ok(());
        }
        stage.next_listen = Instant::now() + LISTEN;
        let Some(rollout) = self.ledger.as_ref().map(Ledger::record) else {
            return Ok(());
        };
        let hub = self.clusters.hub()?.reader();
        // A hub that does not answer now is asked again in two seconds; the lease, not this,
        // decides when we have been away from it for too long.
        let began = Instant::now();
        let words = stage.words.renew(&hub, &rollout.environment).await;
        stage.attention.lose(began.elapsed());
        let Ok(words) = words else {
            return Ok(());
        };
        stage.progress.gates = Gates::of(&record::last_words(&words), rollout);
        for word in words::about(&words, rollout)
            .into_iter()
            .cloned()
            .collect::<Vec<_>>()
        {
            if !stage.heard.insert(words::key(&word)) {
                continue;
            }
            if let Some(what) = words::event(&word, &stage.progress.state) {
                self.happen(stage, what).await?;
            }
        }
        Ok(())
    }

    /// The release must not go forward again until a person clears it.
    pub(super) async fn quarantine(&self, why: &str) -> anyhow::Result<()> {
        let Some(rollout) = self.ledger.as_ref().map(Ledger::record) else {
            return Ok(());
        };
        let Some(release) = rollout.release.clone() else {
            return Ok(());
        };
        let word = Word {
            verb: Verb::Quarantine,
            environment: rollout.environment.clone(),
            scope: record::Scope::Release(release),
            author: "escale".to_owned(),
            reason: format!("rollout {}: {why}", rollout.id),
            at: self.clock.now(),
            expires: None,
        };
        let hub = self.clusters.hub()?;
        store::say(&hub.writer(), &word)
            .await
            .map_err(|error| error.advise(hub.name()))?;
        Ok(())
    }
}
