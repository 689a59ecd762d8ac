//! Gates by chance: windows, freezes and approvals, and what must not happen while one is closed.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::dice::Dice;

/// What a strategy says of gates.
#[derive(Clone, Debug, Default)]
pub struct Gates {
    /// On the first day, in UTC, no window is open from here to there.
    pub closed: Option<(&'static str, &'static str)>,
    /// Whether somebody has to approve the wave `rest`.
    pub approval: bool,
}

/// What people said, as far as it may stop a start.
#[derive(Default)]
pub struct Heard {
    freezes: Vec<Freeze>,
    approved: BTreeSet<String>,
}

struct Freeze {
    /// None: the whole environment.
    cluster: Option<&'static str>,
    from: Timestamp,
    until: Timestamp,
}

/// The day on which scenes begin.
const DAY: &str = "2026-11-23";
/// Within this time a word acts, and a decision is carried out.
const HEARD: SignedDuration = SignedDuration::from_secs(5);

impl Gates {
    pub fn roll(dice: &mut Dice) -> Self {
        let gaps = [("08:04", "08:14"), ("08:12", "08:20"), ("08:15", "09:00")];
        Self {
            closed: dice.percent(30).then(|| dice.one_of(&gaps)),
            approval: dice.percent(30),
        }
    }

    /// The line of the strategy.
    pub fn windows(&self) -> String {
        let Some((closes, opens)) = self.closed else {
            return "windows: []".to_owned();
        };
        let open = [
            format!("Mon 00:00-{closes}"),
            format!("Mon {opens}-24:00"),
            "Tue-Sun 00:00-24:00".to_owned(),
        ];
        let open = open.map(|allow| format!("{{allow: \"{allow}\", zone: UTC}}"));
        format!("windows: [{}]", open.join(", "))
    }

    fn is_closed(&self, now: Timestamp) -> bool {
        let at = |time: &str| -> Timestamp {
            let text = format!("{DAY}T{time}:00Z");
            text.parse().expect("a time")
        };
        self.closed
            .is_some_and(|(closes, opens)| at(closes) + HEARD <= now && now < at(opens))
    }
}

impl Heard {
    pub fn freeze(&mut self, cluster: Option<&'static str>, from: Timestamp, until: Timestamp) {
        self.thaw(cluster);
        self.freezes.push(Freeze {
            cluster,
            from,
            until,
        });
    }

    pub fn thaw(&mut self, cluster: Option<&'static str>) {
        self.freezes.retain(|freeze| freeze.cluster != cluster);
    }

    pub fn approve(&mut self, rollout: &str) {
        self.approved.insert(rollout.to_owned());
    }

    /// Why nobody of this cluster and wave may be started in a rollout now.
    pub fn objection(
        &self,
        gates: &Gates,
        rollout: &str,
        (cluster, wave): (&str, &str),
        now: Timestamp,
    ) -> Option<(&'static str, String)> {
        if gates.is_closed(now) {
            return Some(("I39", "outside every window".to_owned()));
        }
        if gates.approval && wave == "rest" && !self.approved.contains(rollout) {
            return Some(("I26", "without an approval".to_owned()));
        }
        let covers = |freeze: &&Freeze| freeze.cluster.is_none_or(|name| name == cluster);
        let stands = |freeze: &&Freeze| freeze.from + HEARD <= now && now < freeze.until;
        let freeze = self.freezes.iter().filter(covers).find(stands)?;
        let since = now.duration_since(freeze.from);
        Some(("I41", format!("frozen {since:#} ago")))
    }
}
