//! What is to be written to one tenant: one object after the other, by the three-tier rule of
//! `design.md` 6.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::Value;

use crate::error::UserError;
use crate::manifest::{Bundle, EPOCH, Live, Manifest, ObjectRef, RECREATE, is_secret};
use crate::record::{TenantRecord, Written};

use super::admit::admit;
use super::autoscale::{autoscaled, hand_over, without_replicas};
use super::immutable::immutable_changes;
use super::owner::{Owner, Ownership};
use super::prune::candidates;
use super::settle::{Notice, Settled, settle, settle_reported};
use super::skip::is_as_written;
use super::step::{ApplyStep, SkipReason, Step, TenantSteps, Why};

/// What lives on the cluster, by the identity under which it was asked for.
pub type LiveObjects = BTreeMap<ObjectRef, Live>;

/// What a tenant should run.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub bundle: &'a Bundle,
    pub owner: &'a Owner,
    /// Of the claim under which is written; when planning, of the one to come.
    pub epoch: u64,
    pub secrets: OnSecrets,
}

/// What becomes of Secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSecrets {
    Apply,
    /// Those that are there stay as they are: what rotated since does not rotate back.
    Leave,
}

/// Decides every write to a tenant. Fails, before any, if an object may not be written at all.
pub fn plan_tenant(
    wanted: &Wanted,
    record: Option<&TenantRecord>,
    live: &LiveObjects,
) -> Result<TenantSteps, UserError> {
    admit(wanted.bundle, wanted.owner)?;
    let manifests: Vec<&Manifest> = wanted.bundle.ordinary().collect();
    let steps = manifests
        .into_par_iter()
        .map(|manifest| plan_object(wanted, manifest, record, live.get(manifest.object())))
        .collect();
    let prune = record.map(|record| candidates(&record.ordinary(), wanted.bundle.objects()));
    Ok(TenantSteps {
        steps,
        prune: prune.unwrap_or_default(),
    })
}

/// Decides about one object; also used again when the object changed under our hands.
pub fn plan_object(
    wanted: &Wanted,
    manifest: &Manifest,
    record: Option<&TenantRecord>,
    live: Option<&Live>,
) -> Step {
    let planning = Planning::of(wanted, manifest, record);
    match live {
        None => planning.create(),
        Some(live) => planning.change(live),
    }
}

/// Decides anew about a step that the server refused over fields that others own:
/// `(field, manager)`, as the server spells them. `None` if the fields cannot be told apart.
pub fn settle_step(
    step: &ApplyStep,
    live: &Live,
    reported: &[(String, String)],
) -> Option<ApplyStep> {
    let settled = settle_reported(step.manifest.clone(), live, reported)?;
    let mut notices = step.notices.clone();
    notices.extend(settled.notices);
    Some(ApplyStep {
        manifest: settled.manifest,
        force: true,
        uid: Some(live.uid().to_owned()),
        resource_version: Some(live.resource_version().to_owned()),
        notices,
        ..step.clone()
    })
}

/// The decision about one object.
pub(super) struct Planning<'a> {
    wanted: &'a Wanted<'a>,
    manifest: &'a Manifest,
    record: Option<&'a TenantRecord>,
    is_autoscaled: bool,
}

impl<'a> Planning<'a> {
    pub(super) fn of(
        wanted: &'a Wanted<'a>,
        manifest: &'a Manifest,
        record: Option<&'a TenantRecord>,
    ) -> Self {
        let object = manifest.object();
        let scaled = (object.kind.clone(), object.name.clone());
        Self {
            wanted,
            manifest,
            record,
            is_autoscaled: autoscaled(wanted.bundle).contains(&scaled),
        }
    }

    fn create(&self) -> Step {
        Step::Apply(ApplyStep {
            object: self.manifest.object().clone(),
            manifest: self.payload(Some(&self.wanted.epoch.to_string())),
            digest: self.manifest.digest(),
            uid: None,
            resource_version: None,
            force: false,
            why: Why::New,
            restarts: false,
            notices: Vec::new(),
            hand_over: None,
        })
    }

    pub(super) fn change(&self, live: &Live) -> Step {
        if self.wanted.secrets == OnSecrets::Leave && is_secret(live.value()) {
            return self.skip(SkipReason::LeftAsFound, Vec::new());
        }
        if let Some(why) = self.blocker(live) {
            return self.blocked(why);
        }
        let hand_over = self.is_autoscaled.then(|| hand_over(live)).flatten();
        if hand_over.is_none() && self.is_recorded(live) {
            return self.skip(SkipReason::AsRecorded, Vec::new());
        }
        let settled = self.settled(live);
        let applied = settled.applied.as_ref();
        if hand_over.is_none() && applied.is_some_and(|applied| !applied.changed) {
            return self.skip(SkipReason::NothingToChange, settled.notices);
        }
        let fields = applied.map(|applied| {
            immutable_changes(self.manifest.object(), live.value(), &applied.object)
        });
        if let Some(fields) = fields.filter(|fields| !fields.is_empty()) {
            return self.needs_recreate(fields);
        }
        self.write(live, settled, hand_over)
    }

    /// What would be sent. An object that is as wanted is not written again for the sake of a new epoch; nor where a
    /// fence took the old one away with it.
    pub(super) fn settled(&self, live: &Live) -> Settled {
        settle(self.payload(live.annotation(EPOCH)), live)
    }

    /// Why the object cannot be written now.
    fn blocker(&self, live: &Live) -> Option<String> {
        if live.is_terminating() {
            let finalizers = live.value().pointer("/metadata/finalizers");
            let waiting = finalizers.map(|list| format!(" (finalizers: {list})"));
            return Some(format!(
                "it is being deleted{}",
                waiting.unwrap_or_default()
            ));
        }
        match self.wanted.owner.owns(live) {
            Ownership::Others(owner) => Some(format!("it belongs to `{owner}`")),
            Ownership::Ours | Ownership::Nobodys | Ownership::Copy => None,
        }
    }

    fn write(&self, live: &Live, settled: Settled, hand_over: Option<Value>) -> Step {
        let why = self.why(live);
        let restarts = settled
            .applied
            .as_ref()
            .is_some_and(|applied| replaces_pods(live.value(), &applied.object));
        let mut manifest = settled.manifest;
        manifest["metadata"]["annotations"][EPOCH] = self.wanted.epoch.to_string().into();
        let step = ApplyStep {
            object: self.manifest.object().clone(),
            manifest,
            digest: self.manifest.digest(),
            uid: Some(live.uid().to_owned()),
            resource_version: Some(live.resource_version().to_owned()),
            force: settled.force,
            why,
            restarts,
            notices: settled.notices,
            hand_over,
        };
        // What git changed is applied; what only seems to have changed is looked at by the server.
        if why == Why::Drifted && step.hand_over.is_none() {
            Step::DryRun(step)
        } else {
            Step::Apply(step)
        }
    }

    fn why(&self, live: &Live) -> Why {
        match self.last_write() {
            Some(written) if written.digest == self.manifest.digest() => Why::Drifted,
            Some(_) => Why::Changed,
            None if self.wanted.owner.owns(live) == Ownership::Ours => Why::Changed,
            None => Why::Adopted,
        }
    }

    fn is_recorded(&self, live: &Live) -> bool {
        self.last_write()
            .is_some_and(|written| is_as_written(written, live, &self.manifest.digest()))
    }

    fn last_write(&self) -> Option<&Written> {
        let inventory = &self.record?.inventory;
        inventory.find(self.manifest.object())?.written.as_ref()
    }

    fn payload(&self, epoch: Option<&str>) -> Value {
        let dressed = self.wanted.owner.dress(self.manifest, epoch);
        let mut payload = dressed.into_value();
        if self.is_autoscaled {
            without_replicas(&mut payload);
        }
        payload
    }

    fn skip(&self, why: SkipReason, notices: Vec<Notice>) -> Step {
        Step::Skip {
            object: self.manifest.object().clone(),
            why,
            notices,
        }
    }

    fn blocked(&self, why: String) -> Step {
        Step::Blocked {
            object: self.manifest.object().clone(),
            why,
        }
    }

    fn needs_recreate(&self, fields: Vec<String>) -> Step {
        Step::NeedsRecreate {
            object: self.manifest.object().clone(),
            fields,
            allowed: self.manifest.annotation(RECREATE) == Some("true"),
        }
    }
}

/// Whether a change of a workload makes its controller replace pods.
fn replaces_pods(before: &Value, after: &Value) -> bool {
    const TEMPLATE: &str = "/spec/template";
    before.pointer(TEMPLATE) != after.pointer(TEMPLATE)
}
