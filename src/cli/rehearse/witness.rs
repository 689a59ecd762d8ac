//! Hears every event of a rehearsal, looks at the simulated clusters every second, and remembers what there is to report.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::outage::Outage;
use super::pods::Pods;
use crate::cli::events::EventLog;
use crate::cli::ui::Ui;
use crate::cli::voice::{Voice, clock};
use crate::engine::Heard;
use crate::rollout::{Event, Plan, What};
use crate::sim::SimCluster;

/// What was seen and heard so far.
pub struct Witness<'a> {
    ui: &'a Ui,
    voice: Voice<'a>,
    pub log: Option<EventLog<'a>>,
    sims: &'a BTreeMap<String, SimCluster>,
    plan: &'a Plan,
    pods: Pods,
    pub began: Timestamp,
    pub outages: Vec<Outage>,
    pub waves: BTreeMap<String, WaveSeen>,
    pub tenants: BTreeMap<String, TenantSeen>,
    in_flight: BTreeSet<String>,
    /// Moved, and not known to be well: in flight, or failed and left so.
    unsettled: BTreeSet<String>,
    pub worst: Worst,
}

/// The most at any one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    pub in_flight: usize,
    /// Tenants with fewer pods than they want, of those that ran something before.
    pub short_of_pods: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaveSeen {
    pub began: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    pub end: WaveEnd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WaveEnd {
    #[default]
    NotBegun,
    Unfinished,
    Passed,
    Skipped,
    Stopped,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantSeen {
    pub stand: Stand,
    pub began: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// Since when it goes back.
    pub back_since: Option<Timestamp>,
    /// Why it failed, was deferred, or goes back.
    pub why: Option<String>,
    pub has_failed: bool,
}

/// Where a tenant stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stand {
    #[default]
    NotTouched,
    InFlight,
    Succeeded,
    RolledBack,
    RollbackFailed,
    Left,
    UnhealthyBefore,
    Deferred,
    TakenOver,
}

impl<'a> Witness<'a> {
    pub fn new(
        ui: &'a Ui,
        sims: &'a BTreeMap<String, SimCluster>,
        plan: &'a Plan,
        pods: Pods,
        began: Timestamp,
    ) -> Self {
        Self {
            ui,
            voice: Voice::new(ui, Some(began)),
            log: None,
            sims,
            plan,
            pods,
            began,
            outages: Vec::new(),
            waves: BTreeMap::new(),
            tenants: BTreeMap::new(),
            in_flight: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            worst: Worst::default(),
        }
    }

    pub fn hear(&mut self, heard: &Heard<'_>) {
        self.voice.hear(heard);
        if let Some(log) = &mut self.log {
            log.hear(heard);
        }
        if let Heard::Event { event, .. } = heard {
            self.happens(event);
        }
    }

    fn happens(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::WaveStarted { wave } => {
                let seen = self.wave(wave);
                (seen.began, seen.end) = (Some(at), WaveEnd::Unfinished);
            }
            What::WaveAdvanced { wave } => self.end_wave(wave, at, WaveEnd::Passed),
            What::WaveSkipped { wave, .. } => self.end_wave(wave, at, WaveEnd::Skipped),
            What::WaveBreached { wave, .. } => self.end_wave(wave, at, WaveEnd::Stopped),
            What::TenantStarted { tenant } => self.start(tenant, at),
            What::TenantSucceeded { tenant } => self.settle(tenant, at, Stand::Succeeded),
            What::TenantRolledBack { tenant } => self.settle(tenant, at, Stand::RolledBack),
            What::TenantTakenOver { tenant, by } => {
                self.settle(tenant, at, Stand::TakenOver);
                self.tenant(tenant).why = Some(format!("by {by}"));
            }
            What::TenantUnhealthyBefore { tenant, why } => {
                self.settle(tenant, at, Stand::UnhealthyBefore);
                self.tenant(tenant).why = Some(why.clone());
            }
            What::TenantDeferred { tenant, why } => {
                self.settle(tenant, at, Stand::Deferred);
                self.tenant(tenant).why = Some(why.clone());
            }
            What::TenantFailed { tenant, why, .. } => {
                self.fly(tenant);
                let seen = self.tenant(tenant);
                (seen.has_failed, seen.why) = (true, Some(why.clone()));
            }
            What::TenantGoesBack { tenant, why } => {
                self.fly(tenant);
                let seen = self.tenant(tenant);
                seen.back_since = Some(at);
                seen.why.get_or_insert_with(|| why.clone());
            }
            What::TenantRollbackFailed { tenant, why } => {
                self.strand(tenant, at, Stand::RollbackFailed, why);
            }
            What::TenantInterrupted {
                tenant,
                is_touched: false,
                ..
            } => {
                self.in_flight.remove(tenant);
            }
            What::TenantLeft { tenant, why } => self.strand(tenant, at, Stand::Left, why),
            What::HookStarted { .. }
            | What::HookSucceeded { .. }
            | What::TenantWritten { .. }
            | What::TenantMended { .. }
            | What::FieldsSettled { .. }
            | What::FalseNoOp { .. }
            | What::TenantInterrupted { .. }
            | What::ClusterUnreachable { .. }
            | What::ClusterAnswers { .. }
            | What::ClusterUnwell { .. }
            | What::ClusterWell { .. }
            | What::TenantHealthy { .. }
            | What::TenantBackWritten { .. }
            | What::TenantBackHealthy { .. }
            | What::SoakStarted { .. }
            | What::Paused { .. }
            | What::Resumed { .. }
            | What::Aborted { .. }
            | What::Superseded { .. }
            | What::Finished { .. } => {}
        }
    }

    /// Looks at the clusters.
    pub fn look(&mut self, now: Timestamp) {
        for outage in &mut self.outages {
            if let Some(news) = outage.news(now) {
                let time = clock(now.duration_since(self.began));
                self.ui
                    .say(format!("{time}  cluster {}: {news}", outage.cluster));
            }
        }
        let short = self.pods.short(&self.unsettled, self.sims);
        if self.worst.short_of_pods.len() < short.len() {
            self.worst.short_of_pods = short;
        }
    }

    fn start(&mut self, tenant: &str, at: Timestamp) {
        for outage in &mut self.outages {
            if let Some(sim) = self.sims.get(&outage.cluster) {
                outage.hear(tenant, at, self.plan, sim);
            }
        }
        self.fly(tenant);
        self.tenant(tenant).began.get_or_insert(at);
    }

    fn fly(&mut self, tenant: &str) {
        self.tenant(tenant).stand = Stand::InFlight;
        self.in_flight.insert(tenant.to_owned());
        self.unsettled.insert(tenant.to_owned());
        self.worst.in_flight = self.worst.in_flight.max(self.in_flight.len());
    }

    fn settle(&mut self, tenant: &str, at: Timestamp, stand: Stand) {
        self.unsettled.remove(tenant);
        self.land(tenant, at, stand);
    }

    /// It stays as it is, and that is not well.
    fn strand(&mut self, tenant: &str, at: Timestamp, stand: Stand, why: &str) {
        self.land(tenant, at, stand);
        self.tenant(tenant).why = Some(why.to_owned());
    }

    fn land(&mut self, tenant: &str, at: Timestamp, stand: Stand) {
        self.in_flight.remove(tenant);
        let seen = self.tenant(tenant);
        (seen.stand, seen.ended) = (stand, Some(at));
    }

    fn end_wave(&mut self, wave: &str, at: Timestamp, end: WaveEnd) {
        let seen = self.wave(wave);
        (seen.ended, seen.end) = (Some(at), end);
    }

    fn wave(&mut self, name: &str) -> &mut WaveSeen {
        self.waves.entry(name.to_owned()).or_default()
    }

    fn tenant(&mut self, name: &str) -> &mut TenantSeen {
        self.tenants.entry(name.to_owned()).or_default()
    }
}
