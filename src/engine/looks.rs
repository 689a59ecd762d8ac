//! When to look at whom. Tenants that move are looked at often; those that do well only as often as
//! the proof of their health asks for. What it costs follows the tenants that are due, not the fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::clock::Clock;
use super::clusters::Clusters;
use super::observe::{self, Known, Observed, Seen, Watched};
use super::sites::{Asked, Fault, Unanswered};
use super::taken::{self, Closed};
use crate::cluster::CallError;
use crate::health::Wanted;
use crate::record::{Stored, TenantRecord};
use crate::rollout::{Frozen, Health, Phase, Progress, Sample, TenantProgress};

/// How often a tenant that is not healthy yet, or not any more, is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Every page that a look asks of a cluster puts its next look off by this: 40 lists a second are what an API
/// server gives to one client without feeling it.
const REST: Duration = Duration::from_millis(25);
/// A healthy tenant is looked at at least this often, and twice in a `maxSampleGap`.
const CALM: Duration = Duration::from_secs(20);

/// The looks of one run: under way, and due.
pub struct Looks {
    begun: Instant,
    calm: Duration,
    clock: Clock,
    /// Every tenant that goes back is helped past pods that are in its way.
    all_go_back: bool,
    watches: BTreeMap<String, Watch>,
    due: BTreeSet<(Instant, String)>,
    running: JoinSet<Looked>,
    /// Clusters that are being looked at, and who became due on them meanwhile.
    busy: BTreeMap<String, BTreeSet<String>>,
    /// Tenants of the plan, by cluster.
    population: BTreeMap<String, usize>,
}

struct Watch {
    cluster: String,
    namespace: String,
    wanted: Arc<[Wanted]>,
    before: Known,
    /// Nobody has seen it for a while; until it is seen well.
    was_alone: bool,
    /// What was seen before it was begun anew is not known any more.
    anew: Option<Timestamp>,
    /// Pages that are not asked for.
    excused: BTreeSet<String>,
    unanswered: Unanswered,
    due: Instant,
}

/// A look that has ended.
pub struct Looked {
    cluster: String,
    tenants: Vec<String>,
    seen: Result<Observed, CallError>,
    /// Pages that do not answer well, of those whose workloads are.
    faults: BTreeMap<String, Vec<Fault>>,
    /// Records that somebody has changed since their claims were closed.
    changed: Vec<Stored<TenantRecord>>,
}

impl Looked {
    /// The cluster that did not answer, and how it did not.
    pub fn trouble(&self) -> Option<(String, String)> {
        let error = self.seen.as_ref().err()?;
        let is_away = error.is_of_the_cluster();
        is_away.then(|| (self.cluster.clone(), error.to_string()))
    }
}

impl Looks {
    pub fn new(frozen: &Frozen, clock: Clock, all_go_back: bool) -> Self {
        let gap = Duration::try_from(frozen.strategy.max_sample_gap).unwrap_or_default();
        let mut population = BTreeMap::new();
        for (_, planned) in frozen.plan.tenants() {
            *population.entry(planned.place.cluster.clone()).or_default() += 1;
        }
        Self {
            begun: Instant::now(),
            calm: (gap / 2).clamp(LOOK, CALM),
            clock,
            all_go_back,
            watches: BTreeMap::new(),
            due: BTreeSet::new(),
            running: JoinSet::new(),
            busy: BTreeMap::new(),
            population,
        }
    }

    /// Watches a tenant for these objects from now on.
    pub fn watch(&mut self, frozen: &Frozen, tenant: &str, wanted: Vec<Wanted>) {
        let Some((_, planned)) = frozen.plan.find(tenant) else {
            return;
        };
        self.forget(tenant);
        let due = Instant::now();
        let watch = Watch {
            cluster: planned.place.cluster.clone(),
            namespace: planned.place.namespace.clone(),
            wanted: wanted.into(),
            before: Known::default(),
            was_alone: false,
            anew: None,
            excused: planned.unwell_pages.clone(),
            unanswered: Unanswered::default(),
            due,
        };
        self.watches.insert(tenant.to_owned(), watch);
        self.due.insert((due, tenant.to_owned()));
    }

    /// The same, of a tenant that another process has watched before.
    pub fn watch_again(&mut self, frozen: &Frozen, tenant: &str, wanted: Vec<Wanted>) {
        self.watch(frozen, tenant, wanted);
        if let Some(watch) = self.watches.get_mut(tenant) {
            watch.was_alone = true;
        }
    }

    /// Looks at a watched tenant at once: its writes have settled, its soak begins.
    pub fn hasten(&mut self, tenant: &str) {
        self.set_due(tenant, Instant::now());
    }

    /// A cluster was unwell and is well again: what its tenants did meanwhile is not held against them, as what they did
    /// before they were written to.
    pub fn begin_anew(&mut self, cluster: &str) {
        let now = self.clock.now();
        let mut due = Vec::new();
        for (tenant, watch) in &mut self.watches {
            if watch.cluster == cluster {
                let anew = |wanted: &Wanted| Wanted {
                    written_at: Some(now),
                    ..wanted.clone()
                };
                watch.wanted = watch.wanted.iter().map(anew).collect();
                watch.before = Known::default();
                watch.anew = Some(now);
                watch.unanswered.forget();
                due.push(tenant.clone());
            }
        }
        for tenant in due {
            self.hasten(&tenant);
        }
    }

    /// How many tenants of the plan a cluster has.
    pub fn population(&self, cluster: &str) -> usize {
        self.population.get(cluster).copied().unwrap_or_default()
    }

    /// Looks at all that is watched at once.
    pub fn hasten_all(&mut self) {
        let tenants: Vec<String> = self.watches.keys().cloned().collect();
        for tenant in tenants {
            self.hasten(&tenant);
        }
    }

    /// When the next look is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Starts a look at every cluster that has tenants who are due and in need of one.
    pub fn start(
        &mut self,
        clusters: &Clusters,
        progress: &Progress,
        records: &BTreeMap<String, Stored<TenantRecord>>,
    ) {
        let now = Instant::now();
        let mut by_cluster: BTreeMap<String, (Vec<Watched>, Vec<Closed>)> = BTreeMap::new();
        while let Some((due, _)) = self.due.first()
            && *due <= now
        {
            let (_, tenant) = self.due.pop_first().expect("it was just looked at");
            let Some(watch) = self.watches.get_mut(&tenant) else {
                continue;
            };
            let Some(phase) = watched_phase(progress, &tenant) else {
                continue;
            };
            if let Some(waiting) = self.busy.get_mut(&watch.cluster) {
                waiting.insert(tenant);
                continue;
            }
            let watched = Watched {
                namespace: watch.namespace.clone(),
                wanted: Arc::clone(&watch.wanted),
                goes_back: self.all_go_back || phase.is_going_back(),
                was_alone: watch.was_alone,
                before: std::mem::take(&mut watch.before),
                tenant,
            };
            let (watched_there, closed_there) =
                by_cluster.entry(watch.cluster.clone()).or_default();
            if matches!(phase, Phase::Succeeded { .. })
                && let Some(record) = records.get(&watched.tenant)
            {
                closed_there.push(Closed::of(record));
            }
            watched_there.push(watched);
        }
        for (cluster, (watched, closed)) in by_cluster {
            self.look(clusters, cluster, watched, closed);
        }
    }

    fn look(
        &mut self,
        clusters: &Clusters,
        cluster: String,
        watched: Vec<Watched>,
        closed: Vec<Closed>,
    ) {
        let Ok(connected) = clusters.get(&cluster) else {
            return;
        };
        let (writer, clock) = (connected.writer(), self.clock);
        let (sites, asked) = (clusters.sites.clone(), self.asked(&watched));
        let population = self.population(&cluster);
        self.busy.insert(cluster.clone(), BTreeSet::new());
        self.running.spawn(async move {
            let seen = observe::observe(
                (writer.reader(), Some(&writer)),
                &watched,
                population,
                clock,
            )
            .await;
            // After the look: what was seen of a tenant that is ours even now was ours.
            let changed = match &seen {
                Ok(_) if !closed.is_empty() => taken::changed(writer.reader(), &closed).await.ok(),
                _ => None,
            };
            let faults = match &seen {
                Ok(observed) => sites.faults(&cluster, &observed.seen, &asked, clock).await,
                Err(_) => BTreeMap::new(),
            };
            let tenants = watched.into_iter().map(|watched| watched.tenant).collect();
            Looked {
                cluster,
                tenants,
                seen,
                faults,
                changed: changed.unwrap_or_default(),
            }
        });
    }

    /// Whose pages are asked for. Whoever types a rollback says that they are not well, and waits for an answer.
    fn asked(&self, watched: &[Watched]) -> Vec<Asked> {
        let all = watched.iter().filter(|_| !self.all_go_back);
        let asked = all.filter_map(|watched| {
            Some(Asked {
                tenant: watched.tenant.clone(),
                excused: self.watches.get(&watched.tenant)?.excused.clone(),
            })
        });
        asked.collect()
    }

    /// The next look that ends; for ever, if none is under way.
    pub async fn ended(&mut self) -> anyhow::Result<Looked> {
        match self.running.join_next().await {
            Some(looked) => looked.context("a look at a cluster ended without a report"),
            None => std::future::pending().await,
        }
    }

    /// Takes in what was seen, and returns the records that somebody else has changed. A cluster that did not answer
    /// says nothing: its tenants' samples grow old, and what is not seen healthy does not count as healthy.
    pub fn take_in(
        &mut self,
        looked: Looked,
        frozen: &Frozen,
        progress: &mut Progress,
    ) -> Vec<Stored<TenantRecord>> {
        let now = Instant::now();
        for tenant in self.busy.remove(&looked.cluster).into_iter().flatten() {
            self.set_due(&tenant, now);
        }
        let observed = match looked.seen {
            Ok(observed) => observed,
            Err(error) => {
                self.leave_alone(&looked.tenants);
                self.unseen(&looked.tenants, &error)
            }
        };
        let pace = LOOK.max(REST * u32::try_from(observed.pages).unwrap_or(u32::MAX));
        let mut faults = looked.faults;
        for mut seen in observed.seen {
            if let Some(watch) = self.watches.get_mut(&seen.tenant) {
                watch.was_alone &= seen.sample.health != Health::Healthy;
                let faults = faults.remove(&seen.tenant).unwrap_or_default();
                seen.sample = watch.unanswered.doubt(seen.sample, &faults);
                if watch.anew.is_none_or(|anew| anew <= seen.sample.at) {
                    watch.before = seen.known;
                }
            }
            progress.observe(&seen.tenant, seen.sample, frozen.strategy.max_sample_gap);
            if let Some(since) = seen.quiet_since {
                progress.prove(&seen.tenant, since);
            }
        }
        for tenant in looked.tenants {
            // Who was watched anew meanwhile is due already.
            let is_due = |watch: &Watch| self.due.contains(&(watch.due, tenant.clone()));
            if self.watches.get(&tenant).is_some_and(is_due) {
                continue;
            }
            if let Some(then) = self.when_again(frozen, progress, &tenant, pace) {
                self.set_due(&tenant, then);
            }
        }
        looked.changed
    }

    /// A cluster that answers, and does not let itself be looked at, is told as what was seen.
    fn unseen(&self, tenants: &[String], error: &CallError) -> Observed {
        let unknown = |tenant: &String| Seen {
            tenant: tenant.clone(),
            sample: Sample {
                at: self.clock.now(),
                health: Health::Unknown,
                serves: false,
                headline: format!("its health cannot be seen: {error}"),
            },
            quiet_since: None,
            known: Known::default(),
        };
        let seen = if error.is_of_the_cluster() {
            Vec::new()
        } else {
            tenants.iter().map(unknown).collect()
        };
        Observed { seen, pages: 0 }
    }

    /// Nobody sees these now: what happens meanwhile is read off their pods later.
    fn leave_alone(&mut self, tenants: &[String]) {
        for tenant in tenants {
            if let Some(watch) = self.watches.get_mut(tenant) {
                watch.was_alone = true;
            }
        }
    }

    /// Ends the looks that are under way.
    pub async fn stop(&mut self) {
        self.running.shutdown().await;
    }

    fn when_again(
        &self,
        frozen: &Frozen,
        progress: &Progress,
        tenant: &str,
        pace: Duration,
    ) -> Option<Instant> {
        let phase = watched_phase(progress, tenant)?;
        let seen = progress.tenant(tenant)?;
        let now = Instant::now();
        if !is_well(seen) {
            return Some(now + pace.min(self.calm));
        }
        if matches!(phase, Phase::Succeeded { .. }) {
            return Some(self.next_beat(now));
        }
        // Healthy: the look that ends its `minHealthyTime` is the next one that decides anything.
        let healthy_for = frozen.strategy.spec.tenant.min_healthy_time.to_signed();
        let until = seen.healthy_since? + healthy_for;
        let rest = Duration::try_from(until.duration_since(self.clock.now())).unwrap_or_default();
        Some(now + rest.min(self.calm))
    }

    /// All that soaks is looked at in the same beat, so that one list serves many.
    fn next_beat(&self, now: Instant) -> Instant {
        let beats = now.duration_since(self.begun).as_millis() / self.calm.as_millis();
        let next = u32::try_from(beats + 1).unwrap_or(u32::MAX);
        self.begun + self.calm * next
    }

    fn set_due(&mut self, tenant: &str, due: Instant) {
        if let Some(watch) = self.watches.get_mut(tenant) {
            self.due.remove(&(watch.due, tenant.to_owned()));
            watch.due = due;
            self.due.insert((due, tenant.to_owned()));
        }
    }

    fn forget(&mut self, tenant: &str) {
        if let Some(watch) = self.watches.remove(tenant) {
            self.due.remove(&(watch.due, tenant.to_owned()));
        }
    }
}

fn watched_phase<'a>(progress: &'a Progress, tenant: &str) -> Option<&'a Phase> {
    let phase = &progress.tenant(tenant)?.phase;
    phase.is_watched().then_some(phase)
}

fn is_well(seen: &TenantProgress) -> bool {
    let sample = seen.last_sample.as_ref();
    sample.is_some_and(|sample| sample.health == Health::Healthy)
}
