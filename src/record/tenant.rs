//! The record of one tenant: what it runs, who may write to it, what it owns, what happened.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::manifest::Digest;

use super::claim::Claim;
use super::hooks::Hooks;
use super::inventory::Inventory;
use super::outcome::Outcome;

/// The truth about one tenant, kept on the tenant's own cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRecord {
    pub environment: String,
    pub tenant: String,
    pub cluster: String,
    pub namespace: String,
    pub class: String,
    /// How the last closed claim ended; `NotAttempted` before the first.
    pub state: Outcome,
    /// The bundle that the tenant runs, or was last moved to; `None` before the first.
    pub digest: Option<Digest>,
    /// The commit that `digest` was rendered from.
    pub release: Option<String>,
    /// The rollout that last touched the tenant.
    pub rollout: Option<String>,
    /// When `state` and `digest` came to be.
    pub since: Timestamp,
    /// When what runs may be called good without asking the hub: its wave's soak ended healthy
    /// then, unless the rollout said otherwise meanwhile. `None`: never by the clock alone.
    pub good_from: Option<Timestamp>,
    pub hold: Option<Hold>,
    /// Bundles that succeeded and whose wave's soak passed, each digest once, newest first.
    pub goods: Vec<Good>,
    /// Counts claims; the highest one that was ever taken.
    pub epoch: u64,
    pub claim: Option<Claim>,
    pub inventory: Inventory,
    /// What ran once and need not be run again.
    pub hooks: Hooks,
    /// Newest first, at most `HISTORY` entries.
    pub history: Vec<Entry>,
}

/// A bundle that is known to run well on a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Good {
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// When it succeeded.
    pub at: Timestamp,
}

/// A tenant kept as it is on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    pub reason: String,
    pub owner: String,
    pub since: Timestamp,
    /// `None`: until someone releases it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The bundle that it is kept at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// The bundle that a tenant runs, and the commit that it was rendered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running<'a> {
    pub digest: Option<&'a Digest>,
    pub release: Option<&'a str>,
}

/// What someone did to a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Rollout,
    Rollback,
    Hold,
    ReleaseHold,
    /// A claim whose holder vanished was taken over.
    TakeOver,
    Adopt,
    Leave,
    /// A leaving tenant was being deleted.
    Remove,
    /// Objects that reach held tenants too were written; it runs what it ran.
    Refresh,
}

/// One line of a tenant's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub at: Timestamp,
    pub who: String,
    pub why: String,
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Digest>,
    /// The commit of `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What was wrong, if it did not end well or went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

impl TenantRecord {
    /// What an automatic rollback returns to.
    pub fn last_good(&self) -> Option<&Good> {
        self.goods.first()
    }

    /// What a typed rollback goes to: the newest good bundle other than the one that runs.
    pub fn previous_good(&self) -> Option<&Good> {
        let running = self.running().digest;
        self.goods.iter().find(|good| Some(&good.digest) != running)
    }

    /// What runs. While a rollout moves the tenant, what it moves it to, which may be there in part; and nothing that has a
    /// name while it is put back.
    pub fn running(&self) -> Running<'_> {
        let moves = |claim: &&Claim| claim.rollout.is_some();
        let (digest, release) = match self.claim.as_ref().filter(moves) {
            Some(claim) if claim.action == Action::Rollback => (&None, &None),
            Some(claim) => (&claim.digest, &claim.release),
            None => (&self.digest, &self.release),
        };
        Running {
            digest: digest.as_ref(),
            release: release.as_deref(),
        }
    }

    /// To whom the namespace belongs, as it is told to whoever else comes.
    pub fn whose_namespace(&self) -> String {
        format!(
            "the namespace belongs to tenant `{}` of environment `{}`",
            self.tenant, self.environment
        )
    }

    /// Whether a removal was begun, and nobody did anything else with the tenant since: what is left of it is to go.
    pub fn is_being_removed(&self) -> bool {
        match &self.claim {
            Some(claim) => claim.action == Action::Remove,
            None => self
                .last_move()
                .is_some_and(|entry| entry.action == Action::Remove),
        }
    }

    /// The last time that it was moved.
    pub fn last_move(&self) -> Option<&Entry> {
        let moves = |entry: &&Entry| match entry.action {
            Action::Hold | Action::ReleaseHold | Action::Refresh => false,
            Action::Rollout
            | Action::Rollback
            | Action::TakeOver
            | Action::Adopt
            | Action::Leave
            | Action::Remove => true,
        };
        self.history.iter().find(moves)
    }

    /// What was wrong when its last claim ended, if anything was.
    pub fn what_went_wrong(&self) -> Option<&str> {
        let last = self.last_move().filter(|_| self.claim.is_none())?;
        let is_interrupted = last.outcome == Some(Outcome::Interrupted);
        let why = is_interrupted.then_some(&last.why);
        last.because.as_ref().or(why).map(String::as_str)
    }

    /// The hold, if it still holds.
    pub fn hold_at(&self, now: Timestamp) -> Option<&Hold> {
        self.hold.as_ref().filter(|hold| hold.holds_at(now))
    }

    /// Finds the good bundle that was rendered from a commit, or has this digest.
    pub fn good(&self, digest: &Digest) -> Option<&Good> {
        self.goods.iter().find(|good| good.digest == *digest)
    }
}

impl Hold {
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// `documents do not open (ana) until 2026-11-24 08:00 UTC`
impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.reason, self.owner)?;
        match self.expires {
            Some(expires) => write!(f, " until {}", expires.strftime("%Y-%m-%d %H:%M UTC")),
            None => Ok(()),
        }
    }
}

impl Entry {
    /// Why it was done, and what was wrong.
    pub fn reason(&self) -> String {
        match &self.because {
            Some(because) => format!("{}: {because}", self.why),
            None => self.why.clone(),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rollout => "rollout",
            Self::Rollback => "rollback",
            Self::Hold => "hold",
            Self::ReleaseHold => "release-hold",
            Self::TakeOver => "take-over",
            Self::Adopt => "adopt",
            Self::Leave => "leave",
            Self::Remove => "remove",
            Self::Refresh => "refresh",
        })
    }
}
