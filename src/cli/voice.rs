//! Tells a rollout while it runs: one line per event, in the words of people.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::cli::sections::Sections;
use crate::cli::ui::Ui;
use crate::engine::{Beginning, Heard, successor};
use crate::fleet::config::OnBreach;
use crate::rollout::{
    Approval, Event, Frozen, Phase, Progress, Role, Wait, What, Whom, few_of, name_of_freeze,
};

/// Above this many tenants, those that do well are told in numbers.
const MANY: usize = 40;
/// So many things that are waited for are named.
const FEW: usize = 3;
/// Nothing was said for so long: a reader of the log wonders.
const SILENCE: SignedDuration = SignedDuration::from_secs(60);
/// The same while what is waited for may take days: it was said when the wait began.
const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

/// Speaks of one rollout.
pub struct Voice<'a> {
    ui: &'a Ui,
    /// Times are told from here; `None` tells the time of day.
    from: Option<Timestamp>,
    started: BTreeMap<String, Timestamp>,
    /// What was said of fields that others have written: the same is said once, whoever it is about.
    settled: BTreeSet<String>,
    /// When something was said last, and what is waited for since.
    spoke: Option<Timestamp>,
    waits_for: String,
    /// A wave is a section.
    sections: Sections,
}

impl<'a> Voice<'a> {
    pub fn new(ui: &'a Ui, from: Option<Timestamp>) -> Self {
        Self {
            ui,
            from,
            started: BTreeMap::new(),
            settled: BTreeSet::new(),
            spoke: None,
            waits_for: String::new(),
            sections: Sections::of_this_job(),
        }
    }

    /// Says what a person wants to know.
    pub fn hear(&mut self, heard: &Heard<'_>) {
        match heard {
            Heard::Event {
                event,
                progress,
                frozen,
            } => self.happens(event, progress, frozen),
            Heard::Waits { wait, now } => self.waits(wait, *now),
            Heard::Begins(beginning) => self.begins(beginning),
        }
    }

    /// Which strategy it goes by is said where nobody named it.
    fn begins(&mut self, beginning: &Beginning<'_>) {
        let strategy = &beginning.frozen.strategy;
        if let Some(why) = &strategy.chosen {
            self.speak(beginning.at, &format!("strategy {}: {why}", strategy.name));
        }
        for warning in beginning.warnings {
            self.speak(beginning.at, &format!("warning: {warning}"));
        }
    }

    /// Whoever waits for a person is told so at once; that nothing is to be told, once a minute, or seldom where it
    /// may take days.
    fn waits(&mut self, wait: &Wait, now: Timestamp) {
        let is_new = self.waits_for != wait.on.join(", ");
        let spoke = *self.spoke.get_or_insert(now);
        let silence = match wait.whom {
            Whom::Tenants => SILENCE,
            Whom::Gate | Whom::Person { .. } => PATIENCE,
        };
        let is_silent = now.duration_since(spoke) >= silence;
        if !(is_silent || is_new && wait.whom != Whom::Tenants) {
            return;
        }
        self.waits_for = wait.on.join(", ");
        // What is waited for at a gate says itself until when, with the day.
        let until = wait.until.filter(|_| wait.whom == Whom::Tenants);
        let until = until.map_or_else(String::new, |until| {
            format!(", until {} at the latest", self.time(until))
        });
        self.speak(now, &format!("waits for {}{until}", few_of(&wait.on, FEW)));
    }

    fn speak(&mut self, at: Timestamp, text: &str) {
        self.spoke = Some(at);
        self.ui.say(format!("{}  {text}", self.time(at)));
    }

    fn happens(&mut self, event: &Event, progress: &Progress, frozen: &Frozen) {
        if let What::TenantStarted { tenant } | What::TenantGoesBack { tenant, .. } = &event.what {
            self.started.insert(tenant.clone(), event.at);
        }
        if let What::FieldsSettled { tenant, fields } = &event.what {
            self.settle(event.at, tenant, fields);
        }
        if matches!(event.what, What::Finished { .. }) {
            self.sections.end(self.ui, event.at);
        }
        let Some(text) = self.words(event, progress, frozen) else {
            return;
        };
        if matches!(event.what, What::WaveStarted { .. }) {
            let line = format!("{}  {text}", self.time(event.at));
            if self.sections.begin(self.ui, event.at, &line) {
                self.spoke = Some(event.at);
                return;
            }
        }
        self.speak(event.at, &text);
    }

    fn settle(&mut self, at: Timestamp, tenant: &str, fields: &[String]) {
        for field in fields {
            if self.settled.insert(field.clone()) {
                self.speak(at, &format!("  {tenant}: {field}"));
            }
        }
    }

    fn words(&self, event: &Event, progress: &Progress, frozen: &Frozen) -> Option<String> {
        // A typed rollback is one wave without a soak: of that there is nothing to tell.
        let is_typed = frozen.strategy.name == "rollback";
        let is_many = frozen.plan.len() > MANY;
        Some(match &event.what {
            What::WaveStarted { .. } | What::SoakStarted { .. } | What::WaveAdvanced { .. }
                if is_typed =>
            {
                return None;
            }
            What::WaveStarted { wave } => wave_starts(wave, frozen)? + &approved(wave, progress),
            What::SoakStarted { wave } => wave_soaks(wave, progress, frozen)?,
            What::WaveAdvanced { wave } => format!("wave {wave}: passed"),
            What::WaveSkipped { wave, why } => format!("wave {wave}: skipped, {why}"),
            What::WaveBreached { wave, action, why } => {
                format!("wave {wave}: STOPPED: {why}; {}", on_breach(*action))
            }
            What::HookStarted { tenant, hook, job } if !is_many => {
                format!("  {tenant}: hook {hook} runs (Job {job})")
            }
            What::HookSucceeded { tenant, hook, .. } if !is_many => {
                format!("  {tenant}: hook {hook} succeeded")
            }
            What::TenantWritten { tenant, writes } if !is_many => {
                format!("  {tenant}: {} written", counted(*writes, "object"))
            }
            What::TenantMended { tenant, objects } => format!(
                "  {tenant}: changed since it was written, maybe by a late write of the process before, and written again: {}",
                few_of(objects, FEW)
            ),
            What::FalseNoOp { tenant, objects } => format!(
                "  ALARM: {tenant}: skipped as unchanged, but the server would change it (left as it is; a mistake of escale, or an \
                 admission webhook): {}",
                few_of(objects, FEW)
            ),
            What::TenantSucceeded { tenant } if !is_many => {
                format!("  {tenant}: healthy{}", self.took(tenant, event.at))
            }
            What::TenantFailed { tenant, why, .. } => format!("  {tenant}: FAILED: {why}"),
            What::TenantGoesBack { tenant, .. } => {
                let passes = passes(tenant, progress, frozen, event.at);
                format!(
                    "  {tenant}: goes back{}{passes}",
                    destination(tenant, frozen)
                )
            }
            What::TenantRolledBack { tenant } => {
                format!("  {tenant}: is back{}", self.took(tenant, event.at))
            }
            What::TenantRollbackFailed { tenant, why } => {
                format!("  {tenant}: ROLLBACK FAILED: {why}")
            }
            What::TenantLeft { tenant, why } => format!("  {tenant}: left as it is: {why}"),
            What::TenantUnhealthyBefore { tenant, why } => {
                format!("  {tenant}: not healthy, as before: {why}")
            }
            What::TenantDeferred { tenant, why } => format!("  {tenant}: deferred: {why}"),
            What::ClusterUnreachable { cluster, why } => {
                format!("cluster {cluster} does not answer: {why}; the others go on")
            }
            What::ClusterAnswers { cluster } => format!("cluster {cluster} answers again"),
            What::ClusterUnwell { cluster, why } => {
                format!(
                    "cluster {cluster} is unwell: {why}; nobody there has failed for that, the others go on"
                )
            }
            What::ClusterWell { cluster } => format!("cluster {cluster} is well again"),
            What::TenantTakenOver { tenant, by } => format!("  {tenant}: not ours any more: {by}"),
            What::Paused { by, why } => format!("paused by {by}: {why}"),
            What::Resumed { by, why } => format!("resumed by {by}: {why}"),
            What::Aborted { by, why } => format!("aborted by {by}: {why}"),
            What::Superseded { by } => {
                format!(
                    "superseded by {}: what is in flight settles, nothing else starts",
                    successor(by)
                )
            }
            What::TenantStarted { .. }
            | What::HookStarted { .. }
            | What::HookSucceeded { .. }
            | What::TenantInterrupted { .. }
            | What::TenantWritten { .. }
            | What::TenantHealthy { .. }
            | What::TenantSucceeded { .. }
            | What::TenantBackWritten { .. }
            | What::TenantBackHealthy { .. }
            | What::FieldsSettled { .. }
            | What::Finished { .. } => return None,
        })
    }

    /// How long a tenant took, if we saw it begin.
    fn took(&self, tenant: &str, at: Timestamp) -> String {
        self.started.get(tenant).map_or_else(String::new, |since| {
            format!(" after {}", duration(at.duration_since(*since)))
        })
    }

    fn time(&self, at: Timestamp) -> String {
        match self.from {
            None => at.strftime("%H:%M:%S").to_string(),
            Some(from) => clock(at.duration_since(from)),
        }
    }
}

fn wave_starts(name: &str, frozen: &Frozen) -> Option<String> {
    let wave = frozen.plan.waves.iter().find(|wave| wave.name == name)?;
    let role = if wave.role == Role::Canary {
        " (canary: tolerates no failure)"
    } else {
        ""
    };
    let mut clusters: Vec<&str> = wave
        .tenants
        .iter()
        .map(|planned| planned.place.cluster.as_str())
        .collect();
    clusters.sort_unstable();
    clusters.dedup();
    let tenants = counted(wave.tenants.len(), "tenant");
    Some(format!(
        "wave {name}{role}: {tenants} on {}",
        counted(clusters.len(), "cluster")
    ))
}

/// By whom a wave was approved, if it was.
fn approved(name: &str, progress: &Progress) -> String {
    match progress.gates.approval(name) {
        Some(Approval::Approved(word)) => format!(", approved by {}", word.author),
        Some(Approval::Rejected(_)) | None => String::new(),
    }
}

/// The freezes that a tenant passes on its way back.
fn passes(tenant: &str, progress: &Progress, frozen: &Frozen, at: Timestamp) -> String {
    let Some((_, planned)) = frozen.plan.find(tenant) else {
        return String::new();
    };
    let over = progress.gates.over(&planned.place, at);
    let each: Vec<String> = over.map(name_of_freeze).collect();
    if each.is_empty() {
        return String::new();
    }
    format!(", passes {}", each.join(" and "))
}

fn wave_soaks(name: &str, progress: &Progress, frozen: &Frozen) -> Option<String> {
    let wave = frozen.plan.waves.iter().find(|wave| wave.name == name)?;
    let is_well = |phase: &Phase| matches!(phase, Phase::Succeeded { .. });
    let healthy = wave
        .tenants
        .iter()
        .filter(|planned| is_well(&progress.tenants[&planned.place.tenant].phase))
        .count();
    Some(format!(
        "wave {name}: {healthy} of {} healthy, soaks for {}",
        counted(wave.tenants.len(), "tenant"),
        duration(wave.soak)
    ))
}

fn destination(tenant: &str, frozen: &Frozen) -> String {
    let good = frozen
        .plan
        .find(tenant)
        .and_then(|(_, planned)| planned.last_good.as_ref());
    good.map_or_else(String::new, |digest| format!(" to {}", digest.short()))
}

fn on_breach(action: OnBreach) -> &'static str {
    match action {
        OnBreach::Rollback => "what it touched goes back",
        OnBreach::Pause => "paused for a person",
        OnBreach::Continue => "going on",
    }
}

/// `1 tenant`, `3 tenants`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// `00:05:12`: the time since something began.
pub fn clock(since: SignedDuration) -> String {
    let seconds = since.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `45s`, `5m`, `1h02m`.
pub fn duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m{seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h{minutes:02}m"),
    }
}
