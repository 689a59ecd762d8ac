//! The state that everything must come to rest in.

use std::collections::BTreeMap;

use escale::engine::{self, Records};
use escale::record::TenantRecord;

use super::play::Stage;
use super::script::TENANTS;

impl Stage {
    /// What must be true when all is mended and nothing is left to do.
    pub(super) async fn rests(&self, last: usize) {
        self.nothing_is_open().await;
        let records = Records::read(&self.scene.clusters, "test").await;
        let records: BTreeMap<String, TenantRecord> = records
            .iter()
            .map(|stored| (stored.value.tenant.clone(), stored.value.clone()))
            .collect();
        self.rules().sample(self.scene.clock.now());
        let now = self.scene.clock.now();
        let life = self.script.life;
        for tenant in TENANTS
            .into_iter()
            .filter(|tenant| !life.is_leaving(tenant, last))
        {
            let Some(record) = records.get(tenant) else {
                self.breaks("I19", &format!("`{tenant}` has no record"));
                continue;
            };
            let digest = record.digest.clone();
            let recorded = digest
                .as_ref()
                .and_then(|digest| self.rules().release_of(tenant, digest));
            let truth = self.rules().truth.now(tenant).cloned();
            let runs = truth
                .as_ref()
                .map(|state| state.tag.clone())
                .unwrap_or_default();
            if record.hold_at(now).is_none() {
                if recorded != Some(last) || runs != self.script.tag(last) {
                    let state = record.state;
                    self.breaks("I19", &format!("`{tenant}` runs {runs}, its record says {recorded:?} ({state:?}), not {last}"));
                }
                if truth.is_some_and(|state| !state.is_healthy) {
                    self.breaks("I19", &format!("`{tenant}` is not healthy in the end"));
                }
            }
            if let Some(claim) = &record.claim
                && record.hold_at(now).is_none()
            {
                self.breaks(
                    "I28",
                    &format!("`{tenant}` is still claimed by {}", claim.holder),
                );
            }
            for good in &record.goods {
                let release = self.rules().release_of(tenant, &good.digest);
                if let Some(release) =
                    release.filter(|release| self.script.is_bad_for(*release, tenant))
                {
                    self.breaks(
                        "I34",
                        &format!("release {release} counts as good for `{tenant}`"),
                    );
                }
            }
        }
    }

    async fn nothing_is_open(&self) {
        let latest = engine::latest(&self.scene.clusters, "test").await;
        let latest = latest.expect("all is mended");
        if let Some(open) = latest.rollout.filter(|rollout| rollout.state.is_open()) {
            self.breaks(
                "I47",
                &format!("rollout {} is {:?} in the end", open.id, open.state),
            );
        }
        for queued in latest.queued {
            self.breaks(
                "I25",
                &format!("rollout {} waits for its turn in the end", queued.id),
            );
        }
    }
}
