//! What came of a rehearsal: one value, from which text and JSON are made.

use jiff::Timestamp;
use serde::Serialize;

use super::rehearsal::{Rehearsal, Verdict};
use super::today::From;
use super::witness::{Stand, TenantSeen, WaveEnd, WaveSeen, Witness};
use crate::fleet::config::API_VERSION;
use crate::manifest::Digest;
use crate::rollout::{Excluded, Plan, Planned, Role, Wave};

/// A rehearsal, told. Times are whole seconds from its beginning.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub environment: String,
    pub release: String,
    pub described: String,
    pub against: Against,
    pub strategy: String,
    pub seed: u64,
    pub faults: FaultsReport,
    pub waves: Vec<WaveReport>,
    pub tenants: Vec<TenantReport>,
    pub left_out: Vec<Excluded>,
    pub unchanged: usize,
    pub worst: WorstReport,
    pub took_seconds: i64,
    pub outcome: String,
    pub exit_code: u8,
    pub hints: Vec<String>,
    pub notes: Vec<String>,
}

/// What was taken for what runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Against {
    pub from: From,
    pub described: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultsReport {
    pub tenants: Vec<String>,
    pub clusters: Vec<OutageReport>,
    pub storm: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutageReport {
    pub cluster: String,
    /// `None`: the rollout ended before it came to that.
    pub from_second: Option<i64>,
    pub until_second: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveReport {
    pub name: String,
    pub role: Role,
    pub tenants: usize,
    pub succeeded: usize,
    pub failed: usize,
    pub back: usize,
    /// Neither where they should go nor back.
    pub stuck: usize,
    pub deferred: usize,
    pub begun_second: Option<i64>,
    pub took_seconds: Option<i64>,
    pub end: WaveEnd,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantReport {
    pub tenant: String,
    pub cluster: String,
    pub wave: String,
    pub outcome: Stand,
    pub has_failed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
    pub to: Digest,
    /// What it goes back to if it fails; none for a new tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_to: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_to_release: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begun_second: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_seconds: Option<i64>,
    /// How long the way back took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_took_seconds: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorstReport {
    pub in_flight: usize,
    pub short_of_pods: Vec<String>,
}

/// When it was over, and how a rollout would end.
pub struct Ended {
    pub at: Timestamp,
    pub verdict: Verdict,
    pub notes: Vec<String>,
}

impl Report {
    pub fn of(rehearsal: &Rehearsal<'_>, plan: &Plan, witness: &Witness<'_>, ended: Ended) -> Self {
        let tenants = plan.tenants().map(|(wave, planned)| {
            let seen = witness.tenants.get(&planned.place.tenant);
            tenant(
                rehearsal,
                wave,
                planned,
                &seen.cloned().unwrap_or_default(),
                witness.began,
            )
        });
        let tenants: Vec<TenantReport> = tenants.collect();
        let waves = plan.waves.iter().map(|one| {
            let seen = witness.waves.get(&one.name).cloned().unwrap_or_default();
            wave(one, &seen, &tenants, (witness.began, ended.at))
        });
        Self {
            api_version: API_VERSION,
            kind: "Rehearsal",
            environment: rehearsal.fleet.environment.name.clone(),
            release: rehearsal.release.clone(),
            described: rehearsal.described.clone(),
            against: Against {
                from: rehearsal.today.from,
                described: rehearsal.today.described.clone(),
            },
            strategy: rehearsal.strategy.name.clone(),
            seed: rehearsal.seed,
            faults: faults(rehearsal, witness),
            waves: waves.collect(),
            left_out: plan.left_out().cloned().collect(),
            unchanged: plan.unchanged(),
            worst: WorstReport {
                in_flight: witness.worst.in_flight,
                short_of_pods: witness.worst.short_of_pods.iter().cloned().collect(),
            },
            took_seconds: seconds(witness.began, ended.at),
            outcome: ended.verdict.words,
            exit_code: ended.verdict.exit as u8,
            hints: ended.verdict.hints,
            notes: ended.notes,
            tenants,
        }
    }
}

fn tenant(
    rehearsal: &Rehearsal<'_>,
    wave: &Wave,
    planned: &Planned,
    seen: &TenantSeen,
    began: Timestamp,
) -> TenantReport {
    let place = &planned.place;
    let good = planned.last_good.as_ref();
    let between = |from: Option<Timestamp>| Some(seconds(from?, seen.ended?));
    TenantReport {
        tenant: place.tenant.clone(),
        cluster: place.cluster.clone(),
        wave: wave.name.clone(),
        outcome: seen.stand,
        has_failed: seen.has_failed,
        why: seen.why.clone(),
        from: planned.from.clone(),
        to: planned.digest.clone(),
        back_to: planned.last_good.clone(),
        back_to_release: good.and_then(|good| rehearsal.today.release_of(&place.tenant, good)),
        begun_second: seen.began.map(|at| seconds(began, at)),
        took_seconds: between(seen.began),
        back_took_seconds: between(seen.back_since),
    }
}

/// A wave that was stopped lasts until all of it is over.
fn wave(
    wave: &Wave,
    seen: &WaveSeen,
    tenants: &[TenantReport],
    (began, over): (Timestamp, Timestamp),
) -> WaveReport {
    let of_wave = || tenants.iter().filter(|tenant| tenant.wave == wave.name);
    let count = |stand| of_wave().filter(|tenant| tenant.outcome == stand).count();
    let until = match seen.end {
        WaveEnd::Passed | WaveEnd::Skipped => seen.ended.unwrap_or(over),
        WaveEnd::NotBegun | WaveEnd::Unfinished | WaveEnd::Stopped => over,
    };
    WaveReport {
        name: wave.name.clone(),
        role: wave.role,
        tenants: wave.tenants.len(),
        succeeded: count(Stand::Succeeded),
        failed: of_wave().filter(|tenant| tenant.has_failed).count(),
        back: count(Stand::RolledBack),
        stuck: [Stand::RollbackFailed, Stand::Left, Stand::InFlight]
            .map(count)
            .iter()
            .sum(),
        deferred: count(Stand::Deferred),
        begun_second: seen.began.map(|at| seconds(began, at)),
        took_seconds: seen.began.map(|at| seconds(at, until)),
        end: seen.end,
    }
}

fn faults(rehearsal: &Rehearsal<'_>, witness: &Witness<'_>) -> FaultsReport {
    let clusters = witness.outages.iter().map(|outage| OutageReport {
        cluster: outage.cluster.clone(),
        from_second: outage.span.map(|(from, _)| seconds(witness.began, from)),
        until_second: outage.span.map(|(_, until)| seconds(witness.began, until)),
    });
    FaultsReport {
        tenants: rehearsal.faults.tenants.iter().cloned().collect(),
        clusters: clusters.collect(),
        storm: rehearsal.faults.storm,
    }
}

fn seconds(from: Timestamp, at: Timestamp) -> i64 {
    at.duration_since(from).as_secs()
}
