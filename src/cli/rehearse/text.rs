//! A report for people: at most as wide as they can read.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::report::{Report, TenantReport, WaveReport};
use super::witness::{Stand, WaveEnd};
use crate::cli::paragraph::wrapped;
use crate::cli::rollback::of_release;
use crate::cli::tables;
use crate::cli::voice::{clock, counted, duration};
use crate::rollout::few_of;

/// So many names are told, then only how many more.
const NAMED: usize = 12;

/// The waves, then whoever did not simply succeed, the worst that was seen, and how a rollout would end.
pub fn text(report: &Report, width: usize) -> String {
    let mut lines = troubles(report);
    let notes = report.notes.iter().map(|note| format!("note: {note}"));
    lines.extend(shortened(notes.collect()));
    if !report.waves.is_empty() {
        lines.push(touched(report));
    }
    if 0 < report.worst.in_flight {
        lines.push(worst(report));
    }
    lines.push(ending(report));
    lines.extend(report.hints.iter().map(|hint| format!("hint: {hint}")));
    let lines = lines.iter().map(|line| wrapped(line, width));
    waves(report) + &lines.collect::<String>()
}

fn waves(report: &Report) -> String {
    if report.waves.is_empty() {
        return String::new();
    }
    let heading = [
        "WAVE", "TENANTS", "WELL", "FAILED", "BACK", "STUCK", "DEFERRED", "BEGUN", "TOOK", "END",
    ];
    let mut table = tables::plain(&heading);
    for wave in &report.waves {
        table.add_row(row(wave));
    }
    table.trim_fmt() + "\n\n"
}

fn row(wave: &WaveReport) -> [String; 10] {
    let time = |seconds: Option<i64>, words: fn(SignedDuration) -> String| {
        seconds.map_or_else(
            || "-".to_owned(),
            |seconds| words(SignedDuration::from_secs(seconds)),
        )
    };
    [
        wave.name.clone(),
        wave.tenants.to_string(),
        wave.succeeded.to_string(),
        wave.failed.to_string(),
        wave.back.to_string(),
        wave.stuck.to_string(),
        wave.deferred.to_string(),
        time(wave.begun_second, clock),
        time(wave.took_seconds, duration),
        end(wave.end).to_owned(),
    ]
}

fn end(end: WaveEnd) -> &'static str {
    match end {
        WaveEnd::NotBegun => "-",
        WaveEnd::Unfinished => "open",
        WaveEnd::Passed => "passed",
        WaveEnd::Skipped => "skipped",
        WaveEnd::Stopped => "STOPPED",
    }
}

/// Who did not simply succeed, and who was left out.
fn troubles(report: &Report) -> Vec<String> {
    let mut lines = shortened(report.tenants.iter().filter_map(failed).collect());
    lines.extend(shortened(others(report)));
    let left_out = report.left_out.iter().map(|excluded| {
        let reason = excluded.reason.words();
        format!(
            "left out: {} on {} ({reason})",
            excluded.tenant, excluded.cluster
        )
    });
    lines.extend(shortened(left_out.collect()));
    lines
}

fn failed(tenant: &TenantReport) -> Option<String> {
    if !tenant.has_failed {
        return None;
    }
    let why = tenant.why.as_deref().unwrap_or("for no known reason");
    let to = tenant.back_to.as_ref().map_or("", |digest| digest.short());
    let to = format!("{to}{}", of_release(tenant.back_to_release.as_deref()));
    let fate = match tenant.outcome {
        Stand::RolledBack => format!("; back at {to}{}", took(tenant.back_took_seconds)),
        Stand::RollbackFailed => format!("; NOT BACK at {to}"),
        other => fate(other).map_or_else(String::new, |fate| format!("; {fate}")),
    };
    Some(format!(
        "failed: {} on {}, wave {}: {why}{fate}",
        tenant.tenant, tenant.cluster, tenant.wave
    ))
}

/// Those that did not fail, and did not stay where they went: who shares a fate and its cause is told together.
fn others(report: &Report) -> Vec<String> {
    let mut groups: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for tenant in report.tenants.iter().filter(|tenant| !tenant.has_failed) {
        let Some(fate) = fate(tenant.outcome) else {
            continue;
        };
        // Why a whole wave goes back is said in the end, and what each runs again are many digests of one release.
        let (fate, why) = if tenant.outcome == Stand::RolledBack {
            let release = of_release(tenant.back_to_release.as_deref());
            (
                format!("{fate} at what it ran before{release}"),
                String::new(),
            )
        } else {
            let why = tenant.why.as_deref().map(|why| format!(": {why}"));
            let place = format!(" on {}, wave {}", tenant.cluster, tenant.wave);
            (fate.to_owned(), place + &why.unwrap_or_default())
        };
        groups.entry((fate, why)).or_default().push(&tenant.tenant);
    }
    let lines = groups.iter();
    lines
        .map(|((fate, why), tenants)| format!("{fate}: {}{why}", few_of(tenants, NAMED)))
        .collect()
}

/// What became of a tenant that did not stay where it went.
fn fate(outcome: Stand) -> Option<&'static str> {
    match outcome {
        Stand::NotTouched | Stand::Succeeded => None,
        Stand::RolledBack => Some("back"),
        Stand::RollbackFailed => Some("NOT BACK"),
        Stand::Left => Some("LEFT AS IT IS"),
        Stand::InFlight => Some("in the middle"),
        Stand::UnhealthyBefore => Some("not healthy, as before"),
        Stand::Deferred => Some("deferred"),
        Stand::TakenOver => Some("taken over"),
    }
}

fn took(seconds: Option<i64>) -> String {
    seconds.map_or_else(String::new, |seconds| {
        format!(" after {}", duration(SignedDuration::from_secs(seconds)))
    })
}

/// Who was touched, by name where those are few.
fn touched(report: &Report) -> String {
    let touched = report
        .tenants
        .iter()
        .filter(|one| one.begun_second.is_some());
    let touched: Vec<&str> = touched.map(|one| one.tenant.as_str()).collect();
    let all = report.tenants.len() + report.left_out.len() + report.unchanged;
    let has_stopped = report.waves.iter().any(|wave| wave.end != WaveEnd::Passed);
    let when = if has_stopped {
        " before it stopped"
    } else {
        ""
    };
    let who = match touched.len() {
        0 => String::new(),
        count if count <= NAMED => format!(": {}", few_of(&touched, NAMED)),
        _ => String::new(),
    };
    format!(
        "touched{when}: {} of {all}{who}",
        counted(touched.len(), "tenant")
    )
}

fn worst(report: &Report) -> String {
    let short: Vec<&str> = report
        .worst
        .short_of_pods
        .iter()
        .map(String::as_str)
        .collect();
    let short = match short.len() {
        0 => "no tenant was ever short of pods".to_owned(),
        count => format!(
            "short of pods at once: at most {}: {}",
            counted(count, "tenant"),
            few_of(&short, NAMED)
        ),
    };
    let in_flight = counted(report.worst.in_flight, "tenant");
    format!("in flight at once: at most {in_flight}; {short}")
}

fn ending(report: &Report) -> String {
    format!(
        "took {} of virtual time; a rollout would end with exit code {}: {}",
        duration(SignedDuration::from_secs(report.took_seconds)),
        report.exit_code,
        report.outcome
    )
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    if 0 < more {
        lines.push(format!("… and {more} more like these"));
    }
    lines
}
