//! A report for terminals, wide or narrow; nothing depends on colour.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::diff::lines::lines;
use crate::diff::summary::counted;
use crate::diff::{ChangeKind, Group, Incomplete, Report};

/// The report as text of at most `width` columns where values allow it.
pub fn text(report: &Report, width: usize) -> String {
    let mut out = String::new();
    for group in &report.groups {
        push(&mut out, &headline(group));
        if group.tenants.len() > 1 {
            for line in wrapped(&some_of(&group.tenants), width.saturating_sub(4)) {
                push(&mut out, &format!("    {line}"));
            }
        }
        for field in &group.fields {
            for line in lines(field, width.saturating_sub(4)) {
                push(&mut out, &format!("    {line}"));
            }
        }
        out.push('\n');
    }
    for line in unchanged(report) {
        push(&mut out, &line);
    }
    for line in notes(report) {
        push(&mut out, &line);
    }
    push(&mut out, &report.summary().to_string());
    out
}

fn push(out: &mut String, line: &str) {
    writeln!(out, "{}", line.trim_end()).expect("writing to a string cannot fail");
}

/// `in 14 tenants: update Deployment/web, restarts`
pub fn headline(group: &Group) -> String {
    let objects = match group.objects - group.tenants.len() {
        0 => String::new(),
        _ => format!(", {} objects", group.objects),
    };
    let place = match group.tenants.as_slice() {
        [only] => format!("in {only}"),
        many => format!("in {}", counted(many.len(), "tenant")),
    };
    let restarts = if group.restarts { ", restarts" } else { "" };
    format!(
        "{place}: {} {}{objects}{restarts}",
        verb(group.change),
        group.object
    )
}

fn verb(change: ChangeKind) -> &'static str {
    match change {
        ChangeKind::Error => "cannot compare",
        ChangeKind::Delete => "DELETE",
        ChangeKind::NeedsRecreate => "NEEDS RECREATE",
        ChangeKind::HookGone => "NO MORE HOOK",
        ChangeKind::HookRuns => "run hook",
        ChangeKind::Update => "update",
        ChangeKind::Create => "create",
        ChangeKind::Unchanged => "unchanged",
    }
}

/// Names as long as they are few.
pub fn some_of(names: &[String]) -> String {
    /// One more is named than is worth an "and 1 more".
    const FEW: usize = 3;
    if names.len() <= FEW + 1 {
        return names.join(", ");
    }
    format!("{} and {} more", names[..FEW].join(", "), names.len() - FEW)
}

fn unchanged(report: &Report) -> Vec<String> {
    let unchanged = report
        .items
        .iter()
        .filter(|item| item.change == ChangeKind::Unchanged);
    let mut lines: Vec<String> = unchanged
        .map(|item| format!("in {}: unchanged {}", item.tenant, item.object))
        .collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// What is not a change, and must not be overlooked.
pub fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if !report.leaving.is_empty() {
        notes.push(format!(
            "leaving: {}: not changed any more; deleted after the last day, and only with the token that `plan` tells",
            report.leaving.join(", ")
        ));
    }
    if !report.orphaned.is_empty() {
        notes.push(format!(
            "orphaned: {} (no file any more; nothing is deleted before `lifecycle: leaving` says so)",
            report.orphaned.join(", ")
        ));
    }
    if report
        .groups
        .iter()
        .any(|group| group.change == ChangeKind::HookGone)
    {
        notes.push(
            "a hook is no more: where it has not run yet, as on a cluster that was away, it never will"
                .to_owned(),
        );
    }
    if report.is_incomplete() {
        let count = counted(report.incomplete.len(), "part");
        notes.push(format!("INCOMPLETE: {count} not compared"));
        notes.extend(not_compared(&report.incomplete));
    }
    notes
}

/// The same reason is told once, with where it goes.
fn not_compared(parts: &[Incomplete]) -> Vec<String> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for part in parts {
        let place = place_of(part);
        places.entry(&part.reason).or_default().extend(place);
    }
    let told = |(reason, places): (&str, Vec<String>)| match places.as_slice() {
        [] => format!("    {reason}"),
        places => format!("    {}: {reason}", some_of(places)),
    };
    places.into_iter().map(told).collect()
}

/// `vault-opale` or `medic-rbx, vault-opale, Deployment/web`; none if it is about everything.
fn place_of(part: &Incomplete) -> Option<String> {
    let object = part.object.as_ref().map(ToString::to_string);
    let cluster = part.cluster.clone();
    let names = match (&part.tenant, object) {
        (Some(tenant), None) => vec![tenant.clone()],
        (tenant, object) => [cluster, tenant.clone(), object]
            .into_iter()
            .flatten()
            .collect(),
    };
    (!names.is_empty()).then(|| names.join("/"))
}

/// Breaks a line at spaces.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
