//! The fleet as `escale status` lists it: a line for each tenant, and what a person should know of it.

use std::collections::BTreeMap;

use comfy_table::Table;
use jiff::Timestamp;

use crate::cli::tables;
use crate::cli::voice::counted;
use crate::engine::{LifeCycle, Records};
use crate::record::TenantRecord;
use crate::rollout::{few_of, short_commit};

/// Above this many tenants, only those are listed of which there is something to say.
const MANY: usize = 40;
/// Tenants without a record that are named.
const FEW: usize = 5;

pub fn text(records: &Records, life: &LifeCycle, now: Timestamp) -> String {
    let all: Vec<&TenantRecord> = records.iter().map(|stored| &stored.value).collect();
    let mut table = tables::plain(&[
        "TENANT", "CLUSTER", "STATE", "RUNS", "RELEASE", "SINCE", "NOTE",
    ]);
    for record in &all {
        let notes = notes(record, life, now);
        if all.len() <= MANY || !record.state.is_settled() || !notes.is_empty() {
            add_row(&mut table, record, &notes);
        }
    }
    let rows = if table.row_count() > 0 {
        table.trim_fmt() + "\n"
    } else {
        String::new()
    };
    let coming = if life.coming.is_empty() {
        String::new()
    } else {
        format!("not deployed yet: {}\n", few_of(&life.coming, FEW))
    };
    format!("{rows}{coming}{}\n", total(&all))
}

/// `17 tenants: 1 rolled back, 16 succeeded`
fn total(all: &[&TenantRecord]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for record in all {
        *counts.entry(record.state.to_string()).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let total = counted(all.len(), "tenant");
    if counts.is_empty() {
        return total;
    }
    format!("{total}: {}", counts.join(", "))
}

fn add_row(table: &mut Table, record: &TenantRecord, notes: &[String]) {
    table.add_row([
        record.tenant.clone(),
        record.cluster.clone(),
        record.state.to_string(),
        record
            .digest
            .as_ref()
            .map_or_else(|| "-".to_owned(), |digest| digest.short().to_owned()),
        record
            .release
            .as_deref()
            .map_or("-", short_commit)
            .to_owned(),
        record.since.strftime("%Y-%m-%d %H:%M").to_string(),
        notes.join("; "),
    ]);
}

/// What is under way, what was wrong, what keeps it where it is.
fn notes(record: &TenantRecord, life: &LifeCycle, now: Timestamp) -> Vec<String> {
    let claim = record.claim.as_ref().map(|claim| {
        let because = claim.because.as_ref();
        format!(
            "{} by {} since {}{}",
            claim.action,
            claim.who,
            claim.since.strftime("%H:%M:%S"),
            because.map_or_else(String::new, |because| format!(": {because}"))
        )
    });
    let wrong = record.what_went_wrong().map(str::to_owned);
    let hold = record.hold_at(now).map(|hold| {
        let until = hold.expires.map_or_else(String::new, |expires| {
            format!(" until {}", expires.strftime("%Y-%m-%d %H:%M"))
        });
        format!("held by {}{until}: {}", hold.owner, hold.reason)
    });
    let going = life.going.get(&record.tenant).cloned();
    let notes = claim.into_iter().chain(wrong).chain(hooks(record));
    notes.chain(hold).chain(going).collect()
}

/// Hooks whose Jobs run, and the one behind which nobody goes back.
fn hooks(record: &TenantRecord) -> Vec<String> {
    let newest = record.hooks.iter();
    let newest = newest.filter_map(|(name, hook)| Some((name, hook.newest()?)));
    let running = newest.filter(|(_, run)| run.end.is_none());
    let running = running.map(|(name, run)| {
        let since = run.since.strftime("%H:%M:%S");
        format!("hook {name} runs since {since} (Job {})", run.job.name)
    });
    let bar = record.previous_good().and_then(|good| record.bar(good));
    let barred = bar.map(|(hook, _)| format!("cannot go back: hook {hook} is irreversible"));
    running.chain(barred).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::manifest::Digest;
    use crate::record::{Good, HookRecord, Inventory, Outcome};

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_795_600_800 + minute * 60).expect("a time")
    }

    fn record(hooks: BTreeMap<String, HookRecord>) -> TenantRecord {
        let good = |text: &str, minute| Good {
            digest: Digest::of_object(&json!({ "x": text })),
            release: None,
            at: at(minute),
        };
        TenantRecord {
            environment: "production".to_owned(),
            tenant: "vault-opale".to_owned(),
            cluster: "medic-rbx".to_owned(),
            namespace: "jp-vault-opale".to_owned(),
            class: "vault".to_owned(),
            state: Outcome::Succeeded,
            digest: Some(good("new", 60).digest),
            release: None,
            rollout: None,
            since: at(60),
            good_from: None,
            hold: None,
            goods: vec![good("new", 60), good("old", 0)],
            epoch: 2,
            claim: None,
            inventory: Inventory::default(),
            hooks,
            history: Vec::new(),
        }
    }

    #[test]
    fn a_hook_that_runs_and_one_that_bars_the_way_back_are_noted() {
        let running = HookRecord {
            count: 1,
            runs: serde_json::from_value(json!([{
                "job": {"apiVersion": "batch/v1", "kind": "Job", "namespace": "jp-vault-opale", "name": "index-3"},
                "key": "o1:00", "since": at(30),
            }]))
            .expect("a run"),
            ..HookRecord::default()
        };
        let undone = HookRecord {
            irreversible: Some(at(20)),
            ..HookRecord::default()
        };
        let hooks = [("index", running), ("migrate", undone)];
        let record = record(hooks.map(|(name, hook)| (name.to_owned(), hook)).into());
        assert_eq!(
            notes(&record, &LifeCycle::default(), at(61)),
            [
                "hook index runs since 10:30:00 (Job index-3)",
                "cannot go back: hook migrate is irreversible"
            ]
        );
    }
}
