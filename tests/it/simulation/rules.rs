//! What must hold whatever happens: the invariants of `docs/simulation.md`, by the numbers used there.

use std::collections::{BTreeMap, BTreeSet};

use escale::manifest::Digest;
use escale::record::decode_rollout;
use escale::rollout::{Event, Frozen, Phase, Progress, What};
use escale::sim::SimCluster;
use jiff::{SignedDuration, Timestamp};

use super::gates::Heard;
use super::hooks::Runs;
use super::intents;
use super::once::Once;
use super::script::{BY_HAND, Script};
use super::starts::Start;
use super::truth::{Change, Truth};

/// As the scene's strategies have it.
pub(super) const MAX_SAMPLE_GAP: SignedDuration = SignedDuration::from_secs(60);
/// No script has that much to tell.
const ENDLESS: usize = 10_000;
/// Between what is true and what is sampled, by us and by the engine's own clock.
pub(super) const MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// Hears and sees everything, and says which rules were broken.
pub struct Rules {
    pub(super) script: Script,
    pub(super) sims: BTreeMap<String, SimCluster>,
    began: Timestamp,
    pub truth: Truth,
    pub trace: Vec<String>,
    pub broken: Vec<String>,
    /// Which release each bundle is.
    digests: BTreeMap<(String, Digest), usize>,
    /// The rollout that a process conducts.
    conducted: BTreeMap<String, String>,
    pub(super) rollouts: BTreeMap<String, Seen>,
    once: Once,
    runs: Runs,
    /// What a process called healthy, and was not, by tenant.
    doubts: BTreeMap<(String, String), String>,
    /// What people said about gates.
    pub gates: Heard,
    /// Tenants that somebody keeps where they are, and at what.
    pub(super) held: BTreeMap<String, (String, Timestamp)>,
    /// When they were let go last.
    let_go: BTreeMap<String, Timestamp>,
    /// Until when a cluster does not answer.
    pub(super) away: BTreeMap<&'static str, Timestamp>,
}

pub(super) const PAUSED: &str = "it is paused";

/// What happened in one rollout so far, over all processes that conducted it.
#[derive(Default)]
pub(super) struct Seen {
    rolls_back: bool,
    /// Started and not settled since: whoever goes on with them starts nobody anew.
    pub(super) in_flight: BTreeSet<String>,
    pub(super) stopped: Option<&'static str>,
}

impl Rules {
    pub fn new(script: Script, sims: BTreeMap<String, SimCluster>, began: Timestamp) -> Self {
        Self {
            script,
            sims,
            began,
            truth: Truth::default(),
            trace: Vec::new(),
            broken: Vec::new(),
            digests: BTreeMap::new(),
            conducted: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            once: Once::default(),
            runs: Runs::default(),
            doubts: BTreeMap::new(),
            gates: Heard::default(),
            held: BTreeMap::new(),
            let_go: BTreeMap::new(),
            away: BTreeMap::new(),
        }
    }

    pub fn learn(&mut self, tenant: &str, digest: Digest, release: usize) {
        self.digests.insert((tenant.to_owned(), digest), release);
    }

    pub fn say(&mut self, now: Timestamp, line: &str) {
        let last = self.trace.len().saturating_sub(12);
        assert!(
            self.trace.len() < ENDLESS,
            "I49 broken: it never comes to rest, seed {}:\n{}\n{}",
            self.script.seed,
            self.script,
            self.trace[last..].join("\n")
        );
        let seconds = now.duration_since(self.began).as_secs_f64();
        self.trace.push(format!("{seconds:8.1}  {line}"));
    }

    pub fn breaks(&mut self, now: Timestamp, rule: &str, why: &str) {
        let line = format!("{rule} broken: {why}");
        self.say(now, &line);
        self.broken.push(line);
    }

    pub fn release_of(&self, tenant: &str, digest: &Digest) -> Option<usize> {
        self.digests
            .get(&(tenant.to_owned(), digest.clone()))
            .copied()
    }

    pub(super) fn tag_of(&self, tenant: &str, digest: &Digest) -> Option<String> {
        self.release_of(tenant, digest)
            .map(|release| self.script.tag(release))
    }

    /// Takes in what is true now.
    pub fn sample(&mut self, now: Timestamp) {
        if self.script.has_hooks() {
            for why in self.runs.sample(&self.sims) {
                self.breaks(now, "HK1", &why);
            }
        }
        for change in self.truth.sample(&self.sims, now) {
            self.say(now, &change.to_string());
            self.is_announced(now, &change);
        }
        let moved: Vec<(String, String)> = self
            .held
            .iter()
            .filter(|(_, (_, until))| now < *until)
            .filter_map(|(tenant, (tag, _))| {
                let runs = &self.truth.now(tenant)?.tag;
                (runs != tag && runs != BY_HAND).then(|| {
                    (
                        tenant.clone(),
                        format!("`{tenant}` is held at {tag} and runs {runs}"),
                    )
                })
            })
            .collect();
        for (tenant, why) in moved {
            self.held.remove(&tenant);
            self.breaks(now, "I42", &why);
        }
    }

    /// Whoever moves a tenant has said so in its record before.
    fn is_announced(&mut self, now: Timestamp, change: &Change) {
        if !change.is_moved || change.state.tag == BY_HAND {
            return;
        }
        let named = intents::named(&self.sims[&change.cluster], &change.tenant);
        let tags = named.iter();
        let tags: Vec<String> = tags
            .filter_map(|digest| self.tag_of(&change.tenant, digest))
            .collect();
        if self.script.has_hooks() && !self.runs.has_succeeded(&change.tenant, &change.state.tag) {
            let why = format!("{change}, and its hook has not succeeded");
            self.breaks(now, "HK2", &why);
        }
        if !tags.contains(&change.state.tag) {
            let why = format!("{change}, and its record names {tags:?}");
            self.breaks(now, "I43", &why);
        }
    }

    /// From now on the tenant stays as it is.
    pub fn hold(&mut self, tenant: &str, until: Timestamp) {
        if let Some(state) = self.truth.now(tenant) {
            let tag = state.tag.clone();
            if tag != BY_HAND {
                self.held.insert(tenant.to_owned(), (tag, until));
            }
        }
    }

    /// Whether what a process conducts waits for a person.
    pub fn waits_for_a_person(&mut self, process: &str) -> bool {
        let rollout = self.rollout_of(process);
        let seen = self.rollouts.get(&rollout);
        seen.is_some_and(|seen| seen.stopped == Some(PAUSED))
    }

    pub fn let_go(&mut self, now: Timestamp, tenant: &str) {
        self.held.remove(tenant);
        self.let_go.insert(tenant.to_owned(), now);
    }

    pub fn was_let_go_after(&self, time: Timestamp, tenant: &str) -> bool {
        self.let_go.get(tenant).is_some_and(|at| time < *at)
    }

    /// Takes in an event of a process: a rollout, or a typed rollback.
    pub fn hear(
        &mut self,
        process: &str,
        (event, now): (&Event, Timestamp),
        progress: &Progress,
        frozen: &Frozen,
    ) {
        self.say(now, &format!("{process}: {}", words(&event.what)));
        self.sample(now);
        let rollout = self.rollout_of(process);
        if let Some(why) = self.once.hear(&rollout, &event.what) {
            self.breaks(now, "I30", &why);
        }
        match &event.what {
            What::TenantStarted { tenant } => self.starts(Start {
                now,
                by_its_clock: event.at,
                rollout: &rollout,
                tenant,
                progress,
                frozen,
            }),
            What::TenantHealthy { tenant } => {
                let planned = frozen.plan.find(tenant).map(|(_, planned)| planned);
                let digest = planned.map(|planned| planned.digest.clone());
                self.is_called_healthy(now, process, tenant, digest.as_ref());
            }
            What::TenantBackHealthy { tenant } => {
                let planned = frozen.plan.find(tenant).map(|(_, planned)| planned);
                let last_good = planned.and_then(|planned| planned.last_good.clone());
                self.is_called_healthy(now, process, tenant, last_good.as_ref());
            }
            // Whoever lost the tenant meanwhile is told so when it closes the claim: that decides.
            What::TenantSucceeded { tenant } | What::TenantRolledBack { tenant } => {
                if let Some(why) = self.doubts.remove(&(process.to_owned(), tenant.clone())) {
                    self.breaks(now, "I10", &why);
                }
            }
            What::FalseNoOp { tenant, objects } => {
                let why = format!("`{tenant}`: {} was skipped", objects.join(", "));
                self.breaks(now, "NO1", &why);
            }
            What::WaveAdvanced { wave } => self.advances(now, wave, progress, frozen),
            What::TenantGoesBack { tenant, .. } => self.goes_back(now, tenant, frozen),
            What::WaveBreached { .. }
            | What::Paused { .. }
            | What::Resumed { .. }
            | What::Superseded { .. }
            | What::Aborted { .. } => {
                self.stops_or_goes_on(&rollout, &event.what);
            }
            What::Finished { outcome, .. } => {
                self.finishes(now, &rollout, *outcome, progress, frozen);
                // It may conduct another one now.
                self.conducted.remove(process);
            }
            _ => {}
        }
        self.keep_in_flight(&rollout, progress);
    }

    fn keep_in_flight(&mut self, rollout: &str, progress: &Progress) {
        let in_flight = progress.tenants.iter();
        let in_flight = in_flight.filter(|(_, one)| one.phase.is_in_flight());
        let in_flight = in_flight.map(|(tenant, _)| tenant.clone()).collect();
        let seen = self.rollouts.entry(rollout.to_owned()).or_default();
        seen.in_flight = in_flight;
    }

    /// A tenant that is called healthy on a bundle runs it, and was healthy on it just now.
    fn is_called_healthy(
        &mut self,
        now: Timestamp,
        process: &str,
        tenant: &str,
        digest: Option<&Digest>,
    ) {
        let key = (process.to_owned(), tenant.to_owned());
        self.doubts.remove(&key);
        let Some(tag) = digest.and_then(|digest| self.tag_of(tenant, digest)) else {
            return;
        };
        let since = now - MARGIN - MARGIN;
        if !self.truth.was_healthy_since(tenant, &tag, since) {
            let state = format!("{:?}", self.truth.now(tenant));
            let why = format!("`{tenant}` is called healthy on {tag}; the truth: {state}");
            self.doubts.insert(key, why);
        }
    }

    fn advances(&mut self, now: Timestamp, wave: &str, progress: &Progress, frozen: &Frozen) {
        let Some(wave) = frozen.plan.waves.iter().find(|one| one.name == wave) else {
            return;
        };
        let counted: Vec<&str> = wave
            .tenants
            .iter()
            .map(|planned| planned.place.tenant.as_str())
            .filter(|tenant| matches!(progress.tenants[*tenant].phase, Phase::Succeeded { .. }))
            .collect();
        if counted.is_empty() {
            self.breaks(
                now,
                "I13",
                &format!("wave {} advances without a success", wave.name),
            );
        }
        for tenant in counted {
            let trouble = self.truth.longest_trouble(tenant, now - wave.soak, now);
            if trouble >= MAX_SAMPLE_GAP + MARGIN {
                self.breaks(
                    now,
                    "I11",
                    &format!(
                        "wave {} soaked while `{tenant}` was dead for {trouble:#}",
                        wave.name
                    ),
                );
            }
        }
    }

    fn goes_back(&mut self, now: Timestamp, tenant: &str, frozen: &Frozen) {
        let Some((_, planned)) = frozen.plan.find(tenant) else {
            return;
        };
        let Some(last_good) = &planned.last_good else {
            self.breaks(now, "I27", &format!("`{tenant}` goes back to nothing"));
            return;
        };
        let Some(tag) = self.tag_of(tenant, last_good) else {
            return;
        };
        if !self.truth.was_healthy_since(tenant, &tag, Timestamp::MIN) {
            self.breaks(
                now,
                "I27",
                &format!("`{tenant}` goes back to {tag}, on which it never was healthy"),
            );
        }
    }

    fn stops_or_goes_on(&mut self, rollout: &str, what: &What) {
        use escale::fleet::config::OnBreach;
        let seen = self.rollouts.entry(rollout.to_owned()).or_default();
        match what {
            What::WaveBreached {
                action: OnBreach::Rollback,
                ..
            } => {
                seen.rolls_back = true;
                seen.stopped = Some("a breach takes it back");
            }
            What::WaveBreached {
                action: OnBreach::Pause,
                ..
            } => seen.stopped = Some("a breach stopped it"),
            What::Paused { .. } if !seen.rolls_back => seen.stopped = Some(PAUSED),
            What::Aborted { .. } => seen.stopped = Some("it was aborted"),
            What::Superseded { .. } => seen.stopped = Some("a newer release waits"),
            What::Resumed { .. } if !seen.rolls_back => seen.stopped = None,
            _ => {}
        }
    }

    /// By the hub's own objects; empty for a typed rollback.
    fn rollout_of(&mut self, process: &str) -> String {
        if process.starts_with("rollback") {
            return String::new();
        }
        if let Some(known) = self.conducted.get(process) {
            return known.clone();
        }
        let open = self.sims["hub"]
            .objects("configmaps")
            .into_iter()
            .filter_map(|object| decode_rollout(&object).ok())
            .map(|stored| stored.value)
            .find(|rollout| rollout.state.is_open());
        let id = open.map(|rollout| rollout.id).unwrap_or_default();
        self.conducted.insert(process.to_owned(), id.clone());
        id
    }
}

fn words(what: &What) -> String {
    let json = serde_json::to_value(what).unwrap_or_default();
    let fields = json.as_object().into_iter().flatten();
    let mut words: Vec<String> = fields
        .filter(|(key, _)| *key != "event")
        .map(|(_, value)| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        })
        .collect();
    words.insert(0, json["event"].as_str().unwrap_or_default().to_owned());
    words.join(" ")
}
