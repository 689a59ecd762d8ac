//! What stands still although it should move: judged from records, the lease and the time alone.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::few::short_commit;
use crate::record::{
    self, Action, Claim, Hold, RolloutRecord, RolloutState, TenantRecord, Verb, WaveState, Word,
};

/// A hold that ends within this time is told: half a working day is enough to prolong it.
const SOON: SignedDuration = SignedDuration::from_hours(4);

/// What is on record at one time.
pub struct Sight<'a> {
    pub environment: &'a str,
    pub now: Timestamp,
    /// Who moves again within this time does not stand still.
    pub patience: SignedDuration,
    /// `None`: the hub does not answer.
    pub hub: Option<HubSight<'a>>,
    pub tenants: Vec<&'a TenantRecord>,
}

/// What the hub knows.
pub struct HubSight<'a> {
    /// The rollout that is open, else the newest.
    pub rollout: Option<&'a RolloutRecord>,
    /// Oldest first.
    pub queued: &'a [RolloutRecord],
    pub conducted: &'a Conducted,
    /// The last that was said to the rollout since it is in its state, and that nobody has acted on yet.
    pub said: Option<&'a Word>,
}

/// Whether a process conducts the environment's rollouts, as far as the lease tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conducted {
    By(String),
    /// `since` is the last sign of life; `last` is known of who vanished without giving the lease back.
    Nobody {
        since: Option<Timestamp>,
        last: Option<String>,
    },
}

/// Something that stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stall {
    pub needs: Needs,
    pub about: About,
    pub what: String,
    pub since: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Commands, one of which is to be typed.
    pub next: Vec<String>,
}

/// Who makes it move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Needs {
    /// Somebody has to decide.
    Person,
    /// `rollout --continue` is enough.
    Continue,
    /// Good to know: nothing is wrong yet.
    Nobody,
}

/// What stands still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum About {
    Rollout { id: String },
    Release { commit: String },
    Tenant { tenant: String, cluster: String },
}

impl Needs {
    pub const ALL: [Self; 3] = [Self::Person, Self::Continue, Self::Nobody];

    /// The spelling in JSON and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Continue => "continue",
            Self::Nobody => "nobody",
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rollout { id } => write!(f, "rollout {id}"),
            Self::Release { commit } => write!(f, "release {}", short_commit(commit)),
            Self::Tenant { tenant, cluster } => write!(f, "{tenant} on {cluster}"),
        }
    }
}

impl Sight<'_> {
    /// Everything that stands still: first what needs a person, of that the oldest.
    pub fn stalls(&self) -> Vec<Stall> {
        let mut stalls = Vec::new();
        if let Some(hub) = &self.hub {
            stalls.extend(self.rollout(hub));
            let queued = hub.queued.iter();
            stalls.extend(queued.filter_map(|release| self.queued(hub, release)));
        }
        for record in &self.tenants {
            stalls.extend(self.tenant(record));
            stalls.extend(self.hold(record));
        }
        stalls.sort_by_key(|stall| (stall.needs, stall.since));
        stalls
    }

    // --- Rollouts ---

    fn rollout(&self, hub: &HubSight<'_>) -> Option<Stall> {
        let rollout = hub.open()?;
        if hub.is_paused() {
            self.paused(hub, rollout)
        } else {
            self.left(hub, rollout)
        }
    }

    /// A pause after a failure is told at once: nothing but a person ends it.
    fn paused(&self, hub: &HubSight<'_>, rollout: &RolloutRecord) -> Option<Stall> {
        let is_breached = |wave: &record::WaveRecord| wave.state == WaveState::Breached;
        let has_failed = rollout.waves.iter().any(is_breached);
        let asked = hub.said.filter(|_| rollout.state == RolloutState::Running);
        let since = asked.map_or(rollout.since, |word| word.at);
        if !has_failed && !self.is_due(since) {
            return None;
        }
        let resume = match hub.conducted {
            Conducted::By(_) => self.command("resume", ""),
            Conducted::Nobody { .. } => format!(
                "{} && {}",
                self.command("resume", ""),
                self.command("rollout", "--continue")
            ),
        };
        let what = if has_failed {
            "paused because it failed"
        } else {
            "paused"
        };
        let asked = asked.map(|word| format!("by {}: {}", word.author, word.reason));
        Some(Stall {
            needs: Needs::Person,
            about: about(rollout),
            what: what.to_owned(),
            since,
            why: asked.or_else(|| rollout.reason.clone()),
            next: vec![resume, self.command("abort", "")],
        })
    }

    fn left(&self, hub: &HubSight<'_>, rollout: &RolloutRecord) -> Option<Stall> {
        let since = hub.silent_since(rollout.since)?;
        self.is_due(since).then(|| Stall {
            needs: Needs::Continue,
            about: about(rollout),
            what: "nobody conducts it".to_owned(),
            since,
            why: Some(left_while(hub, rollout)),
            next: vec![self.command("rollout", "--continue")],
        })
    }

    /// Who waits for its turn tries for the lease every few seconds, so that an idle lease means that it is gone too.
    fn queued(&self, hub: &HubSight<'_>, release: &RolloutRecord) -> Option<Stall> {
        let since = hub.silent_since(release.since)?;
        let commit = release.release.clone().unwrap_or_default();
        let behind = hub.open().map_or_else(
            || "no rollout is open".to_owned(),
            |rollout| format!("it comes after rollout {}", rollout.id),
        );
        // A paused rollout makes way only for somebody who says which release is to go on.
        let (needs, next) = if hub.is_paused() {
            let arguments = format!("--ref {}", short_commit(&commit));
            (Needs::Person, self.command("rollout", &arguments))
        } else {
            (Needs::Continue, self.command("rollout", "--continue"))
        };
        self.is_due(since).then(|| Stall {
            needs,
            about: About::Release { commit },
            what: "waits for its turn, and nobody is there to take it".to_owned(),
            since,
            why: Some(behind),
            next: vec![next],
        })
    }

    // --- Tenants ---

    fn tenant(&self, record: &TenantRecord) -> Option<Stall> {
        match &record.claim {
            Some(claim) => self.claimed(record, claim),
            None => self.unwell(record),
        }
    }

    /// A claim that nobody closed: its tenant may be written in part.
    fn claimed(&self, record: &TenantRecord, claim: &Claim) -> Option<Stall> {
        if claim.is_live_at(self.now) || !self.is_due(claim.deadline) {
            return None;
        }
        let (needs, next) = self.way_on(record, claim.action, claim.rollout.as_deref());
        Some(Stall {
            needs,
            about: self.about(record),
            what: format!("a {} began to write to it and never ended", claim.action),
            since: claim.deadline,
            why: Some(format!("its claim is that of {}", claim.holder)),
            next: vec![next],
        })
    }

    fn unwell(&self, record: &TenantRecord) -> Option<Stall> {
        let by_hand = (Needs::Person, self.command("rollback", &record.tenant));
        let (what, (needs, next)) = match record.state {
            record::Outcome::RollbackFailed => ("its rollback failed", by_hand),
            record::Outcome::Failed => ("failed, and was left as it is", by_hand),
            record::Outcome::TimedOut => {
                ("was not healthy in time, and was left as it is", by_hand)
            }
            record::Outcome::Interrupted => (
                "was left in the middle",
                self.way_on(record, Action::Rollout, record.rollout.as_deref()),
            ),
            record::Outcome::Unchanged
            | record::Outcome::Succeeded
            | record::Outcome::RolledBack
            | record::Outcome::Deferred
            | record::Outcome::Held
            | record::Outcome::NotAttempted
            | record::Outcome::UnhealthyBefore => return None,
        };
        // Whoever has held it since has seen it. A rollback that failed began with a hold of its own.
        let hold = record.hold_at(self.now);
        let is_seen = hold.is_some_and(|hold| hold.since > record.since);
        let needs = if is_seen { Needs::Nobody } else { needs };
        Some(Stall {
            needs,
            about: self.about(record),
            what: what.to_owned(),
            since: record.since,
            why: record.last_move().map(done),
            next: vec![self.command("history", &record.tenant), next],
        })
    }

    /// What goes on with a tenant that was left in the middle.
    fn way_on(
        &self,
        record: &TenantRecord,
        action: Action,
        rollout: Option<&str>,
    ) -> (Needs, String) {
        let open = self.hub.as_ref().and_then(HubSight::open);
        if open.is_some_and(|open| Some(open.id.as_str()) == rollout) {
            return (Needs::Continue, self.command("rollout", "--continue"));
        }
        let next = match action {
            Action::Rollback => self.command("rollback", &record.tenant),
            Action::Rollout
            | Action::Hold
            | Action::ReleaseHold
            | Action::TakeOver
            | Action::Adopt
            | Action::Leave
            | Action::Remove
            | Action::Refresh => self.command("rollout", ""),
        };
        (Needs::Person, next)
    }

    fn hold(&self, record: &TenantRecord) -> Option<Stall> {
        let hold = record.hold.as_ref()?;
        let expires = hold.expires?;
        let left = expires.duration_since(self.now);
        let (what, why, since) = if left.is_positive() && left <= SOON {
            let until = expires.strftime("%Y-%m-%d %H:%M UTC");
            (format!("held until {until}"), said(hold), hold.since)
        } else if !left.is_positive() && record.since < expires {
            let why = format!("the next rollout takes it along; it was {}", said(hold));
            ("no longer held".to_owned(), why, expires)
        } else {
            return None;
        };
        let keeping = format!("{} --for 7d", record.tenant);
        Some(Stall {
            needs: Needs::Nobody,
            about: self.about(record),
            what,
            since,
            why: Some(why),
            next: vec![
                self.command("hold", &keeping),
                self.command("release-hold", &record.tenant),
            ],
        })
    }

    // --- Words ---

    fn is_due(&self, since: Timestamp) -> bool {
        self.now.duration_since(since) >= self.patience
    }

    fn about(&self, record: &TenantRecord) -> About {
        About::Tenant {
            tenant: record.tenant.clone(),
            cluster: record.cluster.clone(),
        }
    }

    fn command(&self, verb: &str, arguments: &str) -> String {
        let command = format!("escale {verb} -e {} {arguments}", self.environment);
        command.trim_end().to_owned()
    }
}

impl HubSight<'_> {
    fn open(&self) -> Option<&RolloutRecord> {
        self.rollout.filter(|rollout| rollout.state.is_open())
    }

    /// Whether it waits for a person, or will as soon as somebody runs it. One that makes way for a newer release does
    /// not.
    fn is_paused(&self) -> bool {
        let said = self.said.map(|word| word.verb);
        let is_lifted = matches!(said, Some(Verb::Resume | Verb::Abort));
        self.open().is_some_and(|rollout| match rollout.state {
            RolloutState::Paused => !is_lifted && rollout.superseded_by.is_none(),
            RolloutState::Running => said == Some(Verb::Pause),
            RolloutState::Planned
            | RolloutState::RollingBack
            | RolloutState::Succeeded
            | RolloutState::SucceededWithExceptions
            | RolloutState::Failed
            | RolloutState::Aborted
            | RolloutState::Superseded
            | RolloutState::RolledBack => false,
        })
    }

    /// Since when nobody conducts; nothing, if somebody does.
    fn silent_since(&self, at_least: Timestamp) -> Option<Timestamp> {
        match self.conducted {
            Conducted::By(_) => None,
            Conducted::Nobody { since, .. } => {
                Some(since.map_or(at_least, |since| since.max(at_least)))
            }
        }
    }
}

fn about(rollout: &RolloutRecord) -> About {
    About::Rollout {
        id: rollout.id.clone(),
    }
}

/// What was under way, and who is known to have vanished.
fn left_while(hub: &HubSight<'_>, rollout: &RolloutRecord) -> String {
    let is_under_way =
        |wave: &&record::WaveRecord| matches!(wave.state, WaveState::Running | WaveState::Soaking);
    let doing = if rollout.state == RolloutState::RollingBack {
        "it takes back what it broke".to_owned()
    } else {
        let under_way = rollout.waves.iter().find(is_under_way);
        under_way.map_or_else(
            || "no wave is under way".to_owned(),
            |wave| format!("wave {} is under way", wave.name),
        )
    };
    match hub.conducted {
        Conducted::Nobody {
            last: Some(last), ..
        } => format!("{doing}; {last} vanished"),
        Conducted::Nobody { last: None, .. } | Conducted::By(_) => doing,
    }
}

fn said(hold: &Hold) -> String {
    format!("{} ({})", hold.reason, hold.owner)
}

/// Who did what last, and why.
fn done(entry: &record::Entry) -> String {
    format!("{} by {}: {}", entry.action, entry.who, entry.reason())
}
