//! Looks at tenants that the rollout has not touched, when it is in doubt whether their cluster is well.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::baseline;
use super::clock::Clock;
use super::conductor::{Conductor, Stage};
use super::observe::{self, Known, Observed, Watched};
use super::sites::{Asked, Fault, Sites, Unanswered};
use super::work;
use crate::cluster::{CallError, Cluster};
use crate::record::{Action, Stored, TenantRecord};
use crate::rollout::ControlSample;

/// How often the untouched tenants of a cluster that is unwell are looked at.
const AGAIN: Duration = Duration::from_secs(5);

/// The looks at untouched tenants: one at a time at each cluster.
#[derive(Default)]
pub struct Controls {
    running: JoinSet<Seen>,
    busy: BTreeSet<String>,
    /// When a cluster may be looked at next.
    due: BTreeMap<String, Instant>,
    /// What is known of tenants from the look before.
    known: BTreeMap<String, Known>,
}

/// A look that begins.
struct ControlLook {
    watched: Vec<Watched>,
    population: usize,
    sites: Sites,
    asked: Vec<Asked>,
}

/// A look that has ended.
pub struct Seen {
    cluster: String,
    at: jiff::Timestamp,
    observed: Result<Observed, CallError>,
    /// Pages that do not answer well, of those whose workloads are.
    faults: BTreeMap<String, Vec<Fault>>,
}

impl Controls {
    fn start(&mut self, cluster: Cluster, look: ControlLook, clock: Clock) {
        self.busy.insert(cluster.name().to_owned());
        self.running.spawn(async move {
            let at = clock.now();
            let reader = cluster.reader();
            let watched = &look.watched;
            let observed = observe::observe((&reader, None), watched, look.population, clock).await;
            let seen = observed.as_ref().map_or(&[][..], |observed| &observed.seen);
            let faults = look
                .sites
                .faults(cluster.name(), seen, &look.asked, clock)
                .await;
            Seen {
                cluster: cluster.name().to_owned(),
                at,
                observed,
                faults,
            }
        });
    }

    /// The next look that ends; for ever, if none is under way.
    pub async fn ended(&mut self) -> anyhow::Result<Seen> {
        match self.running.join_next().await {
            Some(seen) => seen.context("a look at a cluster ended without a report"),
            None => std::future::pending().await,
        }
    }

    /// When the next look is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Ends the looks that are under way.
    pub async fn stop(&mut self) {
        self.running.shutdown().await;
    }
}

impl Conductor<'_> {
    /// Starts the looks that a decision waits for, and those that tell when a cluster is well again.
    pub(super) fn look_at_controls(&self, stage: &mut Stage) -> anyhow::Result<()> {
        let now = Instant::now();
        stage.controls.due.retain(|_, due| now < *due);
        let asked = self.frozen.control_looks(&stage.progress, self.clock.now());
        for (cluster, tenants) in asked {
            if stage.controls.busy.contains(&cluster) || stage.controls.due.contains_key(&cluster) {
                continue;
            }
            let watched = tenants
                .iter()
                .filter_map(|tenant| self.control(stage, tenant));
            let watched: Vec<Watched> = watched.collect();
            let look = ControlLook {
                asked: watched
                    .iter()
                    .filter_map(|one| self.pages_of(one))
                    .collect(),
                watched,
                population: stage.looks.population(&cluster),
                sites: self.clusters.sites.clone(),
            };
            let connected = self.clusters.get(&cluster)?.clone();
            stage.controls.start(connected, look, self.clock);
        }
        Ok(())
    }

    fn pages_of(&self, watched: &Watched) -> Option<Asked> {
        let (_, planned) = self.frozen.plan.find(&watched.tenant)?;
        Some(Asked {
            tenant: watched.tenant.clone(),
            excused: planned.unwell_pages.clone(),
        })
    }

    /// A tenant that runs what it ran before, by its record. Those that a typed rollback has not come to yet run what it
    /// goes back from: they tell nothing.
    fn control(&self, stage: &Stage, tenant: &str) -> Option<Watched> {
        let is_witness = |stored: &&Stored<TenantRecord>| {
            stored.value.claim.is_none() && stored.value.state.is_settled()
        };
        let record = self.records.get(tenant).filter(is_witness)?;
        let tells = self.terms.action != Action::Rollback;
        tells.then(|| Watched {
            tenant: tenant.to_owned(),
            namespace: record.value.namespace.clone(),
            wanted: work::wanted_of(&record.value).into(),
            goes_back: false,
            was_alone: false,
            before: stage
                .controls
                .known
                .get(tenant)
                .cloned()
                .unwrap_or_default(),
        })
    }

    pub(super) async fn take_in_controls(
        &mut self,
        stage: &mut Stage,
        seen: Seen,
    ) -> anyhow::Result<()> {
        let Seen {
            cluster,
            at,
            observed,
            mut faults,
        } = seen;
        stage.controls.busy.remove(&cluster);
        let observed = match observed {
            Ok(observed) => observed.seen,
            Err(error) if error.is_of_the_cluster() => {
                return self.lose_cluster(stage, &cluster, error.to_string()).await;
            }
            // What may not be looked at is no evidence.
            Err(_) => Vec::new(),
        };
        let mut sample = ControlSample {
            at,
            seen: observed.len(),
            ailing: Vec::new(),
        };
        for mut one in observed {
            let faults = faults.remove(&one.tenant).unwrap_or_default();
            one.sample = Unanswered::default().doubt(one.sample, &faults);
            if baseline::is_unhealthy(&one) {
                let headline = one.sample.headline.clone();
                sample.ailing.push((one.tenant.clone(), headline));
            }
            stage.controls.known.insert(one.tenant, one.known);
        }
        let gap = self.frozen.strategy.max_sample_gap;
        stage.progress.observe_control(&cluster, sample, gap);
        if stage.progress.illnesses.current(&cluster).is_some() {
            stage.controls.due.insert(cluster, Instant::now() + AGAIN);
        }
        Ok(())
    }
}
