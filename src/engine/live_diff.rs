//! What applying would change on the clusters as they are: skip what is as recorded, test the rest
//! locally, ask the server about what is left. Holds readers only; a dry-run is reading.

use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::clusters::Clusters;
use super::departures;
use super::hook_plan;
use super::planning::Bundles;
use super::records::Records;
use super::work::live;
use crate::apply::{self, ApplyStep, LiveObjects, OnSecrets, Owner, Step};
use crate::cluster::{Apply, CallError, Reader};
use crate::diff::{Change, ChangeKind, FieldChange, Incomplete, compare_objects};
use crate::fleet::Tenant;
use crate::fleet::config::Lifecycle;
use crate::manifest::{Bundle, Live, ObjectRef};
use crate::record::{PackedBundle, TenantRecord};

/// So many tenants are compared side by side: what is there of each is held in memory whole.
const AT_A_TIME: usize = 64;

/// Differences of one tenant or many, and what could not be told.
#[derive(Default)]
pub struct LiveChanges {
    pub changes: Vec<Change>,
    pub incomplete: Vec<Incomplete>,
}

/// Compares what is wanted of these tenants with what is there.
pub async fn live_changes(
    clusters: &Clusters,
    environment: &str,
    tenants: &[&Tenant],
    (bundles, records): (&Bundles, &Records),
    now: Timestamp,
) -> LiveChanges {
    let looks = tenants.iter().map(|tenant| async move {
        let look = Look {
            environment,
            tenant,
            now,
        };
        let compared = look
            .compare(clusters, bundles.get(&tenant.name), records)
            .await;
        compared.unwrap_or_else(|reason| LiveChanges {
            changes: Vec::new(),
            incomplete: vec![look.incomplete(None, reason)],
        })
    });
    let mut all = LiveChanges::default();
    let mut compared = stream::iter(looks).buffered(AT_A_TIME);
    while let Some(compared) = compared.next().await {
        all.changes.extend(compared.changes);
        all.incomplete.extend(compared.incomplete);
    }
    all
}

struct Look<'a> {
    environment: &'a str,
    tenant: &'a Tenant,
    now: Timestamp,
}

impl Look<'_> {
    async fn compare(
        &self,
        clusters: &Clusters,
        bundle: Option<&Result<PackedBundle, String>>,
        records: &Records,
    ) -> Result<LiveChanges, String> {
        let tenant = self.tenant;
        let reader = clusters
            .get(&tenant.cluster)
            .map_err(|error| error.to_string())?
            .reader();
        let record = match records.of(&tenant.cluster, &tenant.namespace) {
            Ok(Some(Ok(stored))) => Some(&stored.value),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => None,
            Err(why) => {
                return Err(format!(
                    "cluster `{}` does not answer: {why}",
                    tenant.cluster
                ));
            }
        };
        if tenant.lifecycle == Lifecycle::Leaving {
            return self.departing(&reader, record).await;
        }
        let (bundle, due) = match bundle {
            Some(Ok(bundle)) => (bundle.unpack(), hook_plan::due(bundle, record)),
            Some(Err(mistake)) => return Err(format!("not rendered: {mistake}")),
            None => return Err("not rendered".to_owned()),
        };
        let known = record.map(TenantRecord::ordinary).unwrap_or_default();
        let objects = live::objects_of(&bundle, &known);
        let live = live::read(&reader, &tenant.namespace, &objects)
            .await
            .map_err(|error| error.to_string())?;
        let steps = self.steps(&bundle, record, &live)?;
        let mut found = LiveChanges::default();
        let runs = due.iter().map(|hook| &hook.object);
        let runs = runs.map(|job| self.change(job, ChangeKind::HookRuns));
        found.changes.extend(runs);
        for step in &steps.steps {
            self.tell(&reader, step, &live, &mut found).await;
        }
        let deleted = steps
            .prune
            .iter()
            .filter(|object| live.contains_key(object));
        found
            .changes
            .extend(deleted.map(|object| self.change(object, ChangeKind::Delete)));
        Ok(found)
    }

    /// A leaving tenant is not changed; after its last day it goes.
    async fn departing(
        &self,
        reader: &Reader,
        record: Option<&TenantRecord>,
    ) -> Result<LiveChanges, String> {
        let is_due =
            |one: &&TenantRecord| departures::is_due(self.tenant, self.environment, one, self.now);
        let Some(record) = record.filter(is_due) else {
            return Ok(LiveChanges::default());
        };
        let objects = apply::removals(&record.inventory);
        let known = objects.iter().cloned().collect();
        let live = live::read(reader, &self.tenant.namespace, &known).await;
        let live = live.map_err(|error| error.to_string())?;
        let there = objects.iter().filter(|object| live.contains_key(object));
        Ok(LiveChanges {
            changes: there
                .map(|object| self.change(object, ChangeKind::Delete))
                .collect(),
            incomplete: Vec::new(),
        })
    }

    fn steps(
        &self,
        bundle: &Bundle,
        record: Option<&TenantRecord>,
        live: &LiveObjects,
    ) -> Result<apply::TenantSteps, String> {
        let owner = Owner {
            environment: self.environment.to_owned(),
            tenant: self.tenant.name.clone(),
            namespace: self.tenant.namespace.clone(),
        };
        let epoch = record.map_or(0, |record| record.epoch) + 1;
        let wanted = apply::Wanted {
            bundle,
            owner: &owner,
            epoch,
            secrets: OnSecrets::Apply,
        };
        apply::plan_tenant(&wanted, record, live).map_err(|error| error.to_string())
    }

    async fn tell(
        &self,
        reader: &Reader,
        step: &Step,
        live: &LiveObjects,
        found: &mut LiveChanges,
    ) {
        match step {
            Step::Skip { object, .. } => found
                .changes
                .push(self.change(object, ChangeKind::Unchanged)),
            Step::Apply(step) | Step::DryRun(step) => match live.get(&step.object) {
                None => found
                    .changes
                    .push(self.compared(&step.object, None, &step.manifest)),
                Some(live) => self.ask(reader, step, live, found).await,
            },
            Step::NeedsRecreate { object, fields, .. } => found.changes.push(Change {
                fields: fields
                    .iter()
                    .map(|path| FieldChange {
                        path: path.clone(),
                        before: None,
                        after: None,
                    })
                    .collect(),
                ..self.change(object, ChangeKind::NeedsRecreate)
            }),
            Step::Blocked { object, why } => {
                found.changes.push(self.change(object, ChangeKind::Error));
                found
                    .incomplete
                    .push(self.incomplete(Some(object), why.clone()));
            }
        }
    }

    /// The server says what would become of it.
    async fn ask(&self, reader: &Reader, step: &ApplyStep, live: &Live, found: &mut LiveChanges) {
        let options = Apply {
            force: step.force,
            uid: step.uid.clone(),
            ..Apply::default()
        };
        let sent = apply::with_stand_ins(step, live);
        match reader.dry_run(&sent, &options).await {
            Ok(answer) if !apply::dry_run_changes(live, &answer) => {
                found
                    .changes
                    .push(self.change(&step.object, ChangeKind::Unchanged));
            }
            Ok(answer) => {
                found
                    .changes
                    .push(self.compared(&step.object, Some(live), answer.value()));
            }
            // Without the right to dry-run, that it differs is known, and not how.
            Err(CallError::Denied(why)) => {
                found
                    .changes
                    .push(self.change(&step.object, ChangeKind::Update));
                found
                    .incomplete
                    .push(self.incomplete(Some(&step.object), format!("not validated: {why}")));
            }
            Err(error) => {
                found
                    .changes
                    .push(self.change(&step.object, ChangeKind::Error));
                found
                    .incomplete
                    .push(self.incomplete(Some(&step.object), error.to_string()));
            }
        }
    }

    fn compared(
        &self,
        object: &ObjectRef,
        live: Option<&Live>,
        after: &serde_json::Value,
    ) -> Change {
        let difference = compare_objects(live.map(Live::value), Some(after));
        Change {
            restarts: difference.restarts,
            fields: difference.fields,
            ..self.change(object, difference.change)
        }
    }

    fn change(&self, object: &ObjectRef, change: ChangeKind) -> Change {
        Change {
            cluster: self.tenant.cluster.clone(),
            tenant: self.tenant.name.clone(),
            object: object.clone(),
            change,
            restarts: false,
            fields: Vec::new(),
        }
    }

    fn incomplete(&self, object: Option<&ObjectRef>, reason: String) -> Incomplete {
        Incomplete {
            cluster: Some(self.tenant.cluster.clone()),
            tenant: Some(self.tenant.name.clone()),
            object: object.cloned(),
            reason,
        }
    }
}
