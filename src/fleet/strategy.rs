//! Strategies that could never work as written.

use std::collections::BTreeSet;

use crate::fleet::config::{Limit, LimitSet, StrategySpec, WaveRole};
use crate::fleet::finding::Finding;
use crate::fleet::names::check_name;
use crate::fleet::parts::Parts;
use crate::fleet::read::Read;
use crate::fleet::when;

pub fn all(parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for strategy in &parts.strategies {
        if !seen.insert(strategy.name()) {
            let message = format!("strategy `{}` is there twice", strategy.name());
            findings.push(Finding::error(strategy.place("/metadata/name"), message));
        }
        findings.extend(limits(strategy));
        findings.extend(waves(strategy, parts));
        findings.extend(windows(strategy));
    }
    findings.extend(when::all(&parts.strategies, !parts.strategies_missing));
    findings
}

/// A limit of nothing would never let a tenant start.
fn limits(strategy: &Read<StrategySpec>) -> Vec<Finding> {
    let spec = strategy.spec();
    [
        ("limits/maxConcurrency", spec.limits.max_concurrency),
        ("limits/maxUnavailable", spec.limits.max_unavailable),
        ("rollback/maxConcurrency", spec.rollback.max_concurrency),
    ]
    .into_iter()
    .flat_map(|(field, limits)| zeros(limits).map(move |scope| format!("/spec/{field}/{scope}")))
    .map(|pointer| {
        let message = "a limit of 0 never lets a tenant start".to_owned();
        Finding::error(strategy.place(&pointer), message).hint("write 1 or more".to_owned())
    })
    .collect()
}

fn zeros(limits: LimitSet) -> impl Iterator<Item = &'static str> {
    [
        ("all", limits.all),
        ("cluster", limits.cluster),
        ("provider", limits.provider),
        ("group", limits.group),
        ("wave", limits.wave),
    ]
    .into_iter()
    .filter(|(_, limit)| matches!(limit, Some(Limit::Count(0) | Limit::Share(0))))
    .map(|(scope, _)| scope)
}

fn waves(strategy: &Read<StrategySpec>, parts: &Parts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, wave) in strategy.spec().waves.iter().enumerate() {
        let at = |field: &str| strategy.place(&format!("/spec/waves/{index}{field}"));
        findings.extend(check_name("the wave's name", &wave.name, at("/name")));
        if !seen.insert(&wave.name) {
            findings.push(Finding::error(
                at("/name"),
                format!("wave `{}` is there twice", wave.name),
            ));
        }
        if wave.role == Some(WaveRole::Canary) && index > 0 {
            let message = format!("canary wave `{}` is not the first", wave.name);
            findings.push(Finding::warning(at("/role"), message));
        }
        if wave.cover.is_some() && wave.role != Some(WaveRole::Canary) {
            let message = format!("wave `{}` is no canary, and covers nothing", wave.name);
            let finding = Finding::error(at("/cover"), message);
            findings.push(finding.hint("write `role: canary`, or leave `cover` out".to_owned()));
        }
        // Only told where every tenant could be read: else the one it selects may be among the others.
        let is_known = parts.tenants.len() == parts.promised_tenants.len();
        if is_known && !wave.select.is_empty() && !selects_any(&wave.select, parts) {
            let labels: Vec<String> = wave
                .select
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let message = format!(
                "wave `{}` selects no tenant: `{}`",
                wave.name,
                labels.join(",")
            );
            findings.push(Finding::warning(at("/select"), message));
        }
    }
    findings
}

fn selects_any(wanted: &std::collections::BTreeMap<String, String>, parts: &Parts) -> bool {
    parts.tenants.iter().any(|tenant| {
        let cluster = parts
            .clusters
            .iter()
            .find(|cluster| cluster.name() == tenant.spec().cluster);
        wanted.iter().all(|(key, value)| {
            let spec = tenant.spec();
            let found = match key.as_str() {
                "tenant" => Some(tenant.document.metadata.name.as_str()),
                "cluster" => Some(spec.cluster.as_str()),
                "class" => spec.class.as_deref(),
                "group" => spec.group.as_deref(),
                _ => {
                    let own = tenant.document.metadata.labels.get(key);
                    let inherited = || cluster?.document.metadata.labels.get(key);
                    own.or_else(inherited).map(String::as_str)
                }
            };
            found == Some(value)
        })
    })
}

fn windows(strategy: &Read<StrategySpec>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, window) in strategy.spec().windows.iter().enumerate() {
        let at = |field: &str| strategy.place(&format!("/spec/windows/{index}/{field}"));
        if window.time_zone().is_none() {
            findings.push(
                Finding::error(at("zone"), format!("no time zone named `{}`", window.zone))
                    .hint("write a name of the IANA database: `Europe/Paris`, `UTC`".to_owned()),
            );
        }
        if window.hours().is_none() {
            findings.push(
                Finding::error(at("allow"), format!("`{}` is no window", window.allow)).hint(
                    "write days and hours: `Mon-Fri 08:00-19:00`, `Sat,Sun 10:00-12:00`".to_owned(),
                ),
            );
        }
    }
    findings
}
