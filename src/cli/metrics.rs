//! `escale status --metrics`: how a fleet stands, as a file in the `OpenMetrics` text format. No label names a tenant.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::cli::artifacts;
use crate::engine::{HubReading, Reading};
use crate::error::UserError;
use crate::record::{Outcome, RolloutState, TenantRecord, WaveState};
use crate::rollout::{Conducted, Needs, short_commit};

/// So many releases are told apart; what fewer tenants run is `other`.
const RELEASES: usize = 10;

type Labels = Vec<(&'static str, String)>;

/// What is measured, in the order in which it is written.
#[derive(Debug, Default)]
struct Sheet(Vec<Measure>);

#[derive(Debug)]
struct Measure {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    series: Vec<(Labels, i64)>,
}

/// Writes the metrics of a reading, in one step: whoever collects them never sees half of them.
pub fn write(file: &Path, reading: &Reading, patience: SignedDuration) -> Result<(), UserError> {
    let text = text(reading, patience);
    artifacts::write(file, &text)
}

/// The metrics of a reading.
pub fn text(reading: &Reading, patience: SignedDuration) -> String {
    let environment = (
        Cow::from("environment"),
        Cow::from(reading.environment.clone()),
    );
    let mut registry = Registry::with_prefix_and_labels("escale", [environment].into_iter());
    registry.register_collector(Box::new(Sheet::of(reading, patience)));
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("a string takes every text");
    text
}

impl Collector for Sheet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        for measure in &self.0 {
            let Measure {
                name, help, unit, ..
            } = measure;
            let mut family =
                encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            for (labels, value) in &measure.series {
                ConstGauge::new(*value).encode(family.encode_family(labels)?)?;
            }
        }
        Ok(())
    }
}

impl Sheet {
    fn of(reading: &Reading, patience: SignedDuration) -> Self {
        let mut sheet = Self::default();
        sheet.clusters(reading);
        sheet.tenants(reading);
        sheet.releases(reading);
        if let Ok(hub) = &reading.hub {
            sheet.rollout(hub, reading);
            sheet.waves(hub, reading);
        }
        sheet.stalled(reading, patience);
        let read = (Labels::new(), reading.at.as_second());
        sheet.seconds(
            "read_timestamp",
            "When this was read, in Unix time",
            vec![read],
        );
        sheet
    }

    fn clusters(&mut self, reading: &Reading) {
        let reachable = reading
            .records
            .clusters()
            .map(|(cluster, answered)| (labels(&[("cluster", cluster)]), i64::from(answered)));
        self.count(
            "cluster_reachable",
            "Whether the cluster answers",
            reachable,
        );
        let hub = [(Labels::new(), i64::from(reading.hub.is_ok()))];
        self.count("hub_readable", "Whether rollouts are known", hub);
        let unreadable = per_cluster(reading, |reading, cluster| {
            let records = reading.records.unreadable();
            records.filter(|(of, ..)| *of == cluster).count()
        });
        let help = "Records of tenants that cannot be read";
        self.count("records_unreadable", help, unreadable);
    }

    fn tenants(&mut self, reading: &Reading) {
        let mut states: BTreeMap<(&str, Outcome), i64> = BTreeMap::new();
        for (cluster, _) in reading.records.clusters().filter(|(_, answered)| *answered) {
            states.extend(ends().map(|state| ((cluster, state), 0)));
        }
        for record in reading.tenants() {
            *states.entry((&record.cluster, record.state)).or_default() += 1;
        }
        let states = states.into_iter().map(|((cluster, state), count)| {
            (
                labels(&[("cluster", cluster), ("state", state.as_str())]),
                count,
            )
        });
        self.count(
            "tenants",
            "Tenants by how the last work on them ended",
            states,
        );
        let held = per_cluster(reading, |reading, cluster| {
            count(reading, cluster, |record| {
                record.hold_at(reading.at).is_some()
            })
        });
        self.count(
            "tenants_held",
            "Tenants that a hold keeps as they are",
            held,
        );
        let claimed = per_cluster(reading, |reading, cluster| {
            count(reading, cluster, |record| record.claim.is_some())
        });
        self.count(
            "tenants_claimed",
            "Tenants that are being written to",
            claimed,
        );
    }

    fn releases(&mut self, reading: &Reading) {
        let mut releases: BTreeMap<&str, i64> = BTreeMap::new();
        for record in reading.tenants() {
            *releases.entry(release(record)).or_default() += 1;
        }
        let mut releases: Vec<(&str, i64)> = releases.into_iter().collect();
        releases.sort_by_key(|(_, count)| -count);
        let others = releases.split_off(releases.len().min(RELEASES));
        if !others.is_empty() {
            releases.push(("other", others.iter().map(|(_, count)| count).sum()));
        }
        let releases = releases.into_iter();
        let releases = releases.map(|(release, count)| (labels(&[("release", release)]), count));
        self.count(
            "release_tenants",
            "Tenants by the commit that they run",
            releases,
        );
    }

    fn rollout(&mut self, hub: &HubReading, reading: &Reading) {
        const OPEN: [RolloutState; 3] = [
            RolloutState::Running,
            RolloutState::Paused,
            RolloutState::RollingBack,
        ];
        let rollout = hub.latest.rollout.as_ref();
        let open = rollout.filter(|rollout| rollout.state.is_open());
        let states = OPEN.map(|state| {
            let is_it = open.is_some_and(|rollout| rollout.state == state);
            (labels(&[("state", state.as_str())]), i64::from(is_it))
        });
        self.count(
            "rollout_open",
            "Whether a rollout is open, and how it is",
            states,
        );
        let queued = i64::try_from(hub.latest.queued.len()).unwrap_or(i64::MAX);
        let help = "Releases that wait for their turn";
        self.count("releases_queued", help, [(Labels::new(), queued)]);
        let is_conducted = matches!(hub.conducted, Conducted::By(_));
        let conducted = [(Labels::new(), i64::from(is_conducted))];
        self.count("rollout_conducted", "Whether a process conducts", conducted);
        let age = |since: Timestamp| vec![(Labels::new(), seconds(reading.at, since))];
        let ages = open.map(|open| (age(open.created), age(open.since)));
        let (created, since) = ages.unwrap_or_default();
        self.seconds("rollout_age", "Since the open rollout began", created);
        self.seconds("rollout_state_age", "Since it is in this state", since);
    }

    /// Of the rollout that is open, else of the last one.
    fn waves(&mut self, hub: &HubReading, reading: &Reading) {
        let Some(rollout) = &hub.latest.rollout else {
            return;
        };
        let waves = WaveState::ALL.map(|state| {
            let waves = rollout.waves.iter().filter(|wave| wave.state == state);
            (labels(&[("state", state.as_str())]), counted(waves))
        });
        self.count("rollout_waves", "Waves of the newest rollout", waves);
        let planned = rollout.waves.iter().map(|wave| {
            let tenants = i64::try_from(wave.tenants).unwrap_or(i64::MAX);
            (labels(&[("wave", &wave.name)]), tenants)
        });
        let help = "Tenants that the newest rollout is to move";
        self.count("rollout_planned_tenants", help, planned);
        let is_of_it = |record: &&TenantRecord| record.rollout.as_ref() == Some(&rollout.id);
        let moved = ends().map(|state| {
            let records = reading.tenants().filter(is_of_it);
            let records = records.filter(|record| record.state == state);
            (labels(&[("state", state.as_str())]), counted(records))
        });
        let help = "Tenants that it has moved, and how that ended";
        self.count("rollout_moved_tenants", help, moved);
    }

    fn stalled(&mut self, reading: &Reading, patience: SignedDuration) {
        let stalls = reading.stalls(patience);
        let stalled = Needs::ALL.map(|needs| {
            let stalls = stalls.iter().filter(|stall| stall.needs == needs);
            (labels(&[("needs", needs.as_str())]), counted(stalls))
        });
        self.count(
            "stalled",
            "What stands still, by who makes it move",
            stalled,
        );
    }

    fn count(
        &mut self,
        name: &'static str,
        help: &'static str,
        series: impl IntoIterator<Item = (Labels, i64)>,
    ) {
        self.0.push(Measure {
            name,
            help,
            unit: None,
            series: series.into_iter().collect(),
        });
    }

    fn seconds(&mut self, name: &'static str, help: &'static str, series: Vec<(Labels, i64)>) {
        self.0.push(Measure {
            name,
            help,
            unit: Some(Unit::Seconds),
            series,
        });
    }
}

/// Whatever a record can say of its tenant.
fn ends() -> impl Iterator<Item = Outcome> {
    let is_recorded = |state: &Outcome| state.ends_a_claim() || *state == Outcome::NotAttempted;
    Outcome::ALL.into_iter().filter(is_recorded)
}

/// One number for each cluster that answered: of the others nothing is known.
fn per_cluster(reading: &Reading, number: impl Fn(&Reading, &str) -> usize) -> Vec<(Labels, i64)> {
    let clusters = reading.records.clusters();
    let answered = clusters.filter(|(_, answered)| *answered);
    let each = answered.map(|(cluster, _)| {
        let number = i64::try_from(number(reading, cluster)).unwrap_or(i64::MAX);
        (labels(&[("cluster", cluster)]), number)
    });
    each.collect()
}

fn count(reading: &Reading, cluster: &str, is_it: impl Fn(&TenantRecord) -> bool) -> usize {
    let tenants = reading.tenants().filter(|record| record.cluster == cluster);
    tenants.filter(|record| is_it(record)).count()
}

fn counted<T>(things: impl Iterator<Item = T>) -> i64 {
    i64::try_from(things.count()).unwrap_or(i64::MAX)
}

fn seconds(now: Timestamp, since: Timestamp) -> i64 {
    now.duration_since(since).as_secs()
}

fn release(record: &TenantRecord) -> &str {
    record.release.as_deref().map_or("none", short_commit)
}

fn labels(labels: &[(&'static str, &str)]) -> Labels {
    let owned = labels
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()));
    owned.collect()
}
