//! What a tenant's record knows of its hooks: what succeeded, and which Jobs may be there.
//!
//! A run is noted three times: before its Job is made, once its uid is known, once its end was seen. Whoever is killed in
//! between leaves enough for the next one to go on with that Job instead of making another.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::ObjectRef;

use super::claim::{Claim, ClaimLost, Intent, IntentAct, own_claim};
use super::inventory::Inventory;
use super::tenant::{Good, TenantRecord};

/// The Jobs of so many runs of each hook are kept, for their logs.
const KEPT: usize = 2;

/// The hooks that ever ran in a tenant, by name.
pub type Hooks = BTreeMap<String, HookRecord>;

/// What is known of one hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookRecord {
    /// As long as its key stays the same, the hook does not run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<HookSuccess>,
    /// When it last succeeded as one that cannot be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreversible: Option<Timestamp>,
    /// How many runs were ever begun.
    pub count: u32,
    /// Runs whose Jobs may be there, newest first.
    pub runs: Vec<HookRun>,
}

/// The run that succeeded last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookSuccess {
    pub key: String,
    pub uid: String,
    pub at: Timestamp,
}

/// One run of a hook: one Job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookRun {
    pub job: ObjectRef,
    pub key: String,
    /// The rollout that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// `None` until the Job was made, or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    pub since: Timestamp,
    /// What it changes cannot be undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_irreversible: bool,
    /// `None` until its end was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<HookEnd>,
}

/// How a run ended, as far as anybody saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "camelCase")]
pub enum HookEnd {
    Succeeded,
    Failed {
        why: String,
    },
    /// Its Job went away before anybody saw how it ended.
    Lost,
}

/// What is to be noted of the newest run of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookNote {
    /// Before the Job is made.
    Begun(HookRun),
    /// The Job is there.
    Made {
        uid: String,
    },
    Ended {
        end: HookEnd,
        at: Timestamp,
    },
}

/// Notes something of a hook, under a claim that is ours. A Job that is to be made is in claim and inventory from then on.
pub fn note_hook(
    record: &TenantRecord,
    mine: &Claim,
    hook: &str,
    note: HookNote,
) -> Result<TenantRecord, ClaimLost> {
    own_claim(record, mine.epoch, &mine.holder)?;
    let mut noted = record.clone();
    if let HookNote::Begun(run) = &note {
        noted.inventory = noted.inventory.union([&run.job]);
        if let Some(claim) = &mut noted.claim {
            claim.steps.push(Intent {
                act: IntentAct::Apply,
                object: run.job.clone(),
            });
        }
    }
    noted.hooks.entry(hook.to_owned()).or_default().take(note);
    Ok(noted)
}

impl HookRecord {
    pub fn newest(&self) -> Option<&HookRun> {
        self.runs.first()
    }

    fn take(&mut self, note: HookNote) {
        match note {
            // To note it twice is the same as once: the first answer may have been lost.
            HookNote::Begun(run) if self.newest().is_some_and(|newest| newest.job == run.job) => {}
            HookNote::Begun(run) => {
                self.count += 1;
                self.runs.insert(0, run);
            }
            HookNote::Made { uid } => {
                if let Some(newest) = self.runs.first_mut() {
                    newest.uid = Some(uid);
                }
            }
            HookNote::Ended { end, at } => self.end(end, at),
        }
    }

    fn end(&mut self, end: HookEnd, at: Timestamp) {
        let Some(newest) = self.runs.first_mut() else {
            return;
        };
        if end == HookEnd::Succeeded {
            self.succeeded = Some(HookSuccess {
                key: newest.key.clone(),
                uid: newest.uid.clone().unwrap_or_default(),
                at,
            });
            if newest.is_irreversible {
                self.irreversible = Some(at);
            }
        }
        newest.end = Some(end);
    }

    /// Runs whose Jobs stay: those that still run, and the newest ones for their logs.
    fn kept(&self) -> impl Iterator<Item = &HookRun> {
        let runs = self.runs.iter().enumerate();
        let kept = runs.filter(|(at, run)| *at < KEPT || run.end.is_none());
        kept.map(|(_, run)| run)
    }

    /// Forgets runs whose Jobs are gone.
    pub(super) fn forget_gone(&mut self, inventory: &Inventory) {
        self.runs
            .retain(|run| run.end.is_none() || inventory.contains(&run.job));
    }
}

impl TenantRecord {
    /// The Jobs of hooks that may be there.
    pub fn hook_jobs(&self) -> impl Iterator<Item = &ObjectRef> {
        let runs = self.hooks.values().flat_map(|hook| &hook.runs);
        runs.map(|run| &run.job)
    }

    /// Jobs of hooks whose end nobody has seen.
    pub fn open_hook_jobs(&self) -> impl Iterator<Item = &ObjectRef> {
        let runs = self.hooks.values().flat_map(|hook| &hook.runs);
        runs.filter(|run| run.end.is_none()).map(|run| &run.job)
    }

    /// Jobs of hooks that stay when the tenant is tidied up; of a hook that `is_gone`, only what still runs.
    pub fn kept_hook_jobs(&self, is_gone: impl Fn(&str) -> bool) -> Vec<ObjectRef> {
        let kept = self.hooks.iter().flat_map(|(name, hook)| {
            let is_gone = is_gone(name);
            hook.kept().filter(move |run| !is_gone || run.end.is_none())
        });
        kept.map(|run| run.job.clone()).collect()
    }

    /// The inventory without the Jobs of hooks, which are nobody's health and nobody's manifest.
    pub fn ordinary(&self) -> Cow<'_, Inventory> {
        if self.hooks.is_empty() {
            return Cow::Borrowed(&self.inventory);
        }
        let mut ordinary = self.inventory.clone();
        for job in self.hook_jobs() {
            ordinary.remove(job);
        }
        Cow::Owned(ordinary)
    }

    /// The hook that bars the way back to a bundle: it cannot be undone, and succeeded after that bundle did.
    pub fn bar(&self, back_to: &Good) -> Option<(&str, Timestamp)> {
        let irreversible = self
            .hooks
            .iter()
            .filter_map(|(name, hook)| Some((name.as_str(), hook.irreversible?)));
        irreversible
            .filter(|(_, at)| back_to.at < *at)
            .max_by_key(|(_, at)| *at)
    }
}
