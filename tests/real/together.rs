//! Two at once: pipelines of the same merge, a newer release behind one that is under way, a rollback that somebody
//! types in mid-wave.

use std::collections::BTreeMap;

use crate::audit::Audit;
use crate::binary::{Running, escale, rollback, rollout};
use crate::clusters::CLUSTERS;
use crate::fleet::Fleet;
use crate::sites::{SITES, Sites};
use crate::turns::beside;

/// Two tenants on each cluster.
const ON: [&str; 6] = [
    CLUSTERS[0],
    CLUSTERS[1],
    CLUSTERS[2],
    CLUSTERS[0],
    CLUSTERS[1],
    CLUSTERS[2],
];

fn sites(environment: &str) -> Sites<'_> {
    Sites {
        environment,
        on: &ON,
        ..SITES
    }
}

/// Fails the test unless each tenant was written to under so many claims, one after the other.
#[track_caller]
fn each_was_claimed(sites: &Sites<'_>, audits: &[Audit; 3], times: usize) {
    for number in 0..ON.len() {
        let tenant = sites.tenant(number);
        let mut epochs = audits[number % CLUSTERS.len()].epochs_in(&tenant);
        epochs.dedup();
        assert_eq!(
            epochs.len(),
            times,
            "{tenant} was written to under {epochs:?}"
        );
        assert!(
            epochs.is_sorted(),
            "{tenant} was written to under {epochs:?}"
        );
    }
}

#[test]
fn of_pipelines_of_one_merge_one_rolls_out_and_a_newer_release_waits_for_its_turn() {
    let _turn = beside();
    let sites = sites("pair");
    let fleet = sites.begun();
    let audits = CLUSTERS.map(Audit::from_now);
    fleet.release("site", "1.1.0");
    let mut jobs = [Running::rollout(&fleet), Running::rollout(&fleet)].map(Running::told);
    jobs.sort_by_key(|told| told.code);
    let [first, second] = jobs;
    first.ends_with(0);
    // Or it came when all was done.
    if second.code != Some(0) {
        second.ends_with(5).says("is conducting a rollout");
    }
    sites.end_at("1.1.0");
    each_was_claimed(&sites, &audits, 1);

    fleet.release("site", "1.2.0");
    let mut under_way = Running::rollout(&fleet);
    under_way.wait_for("wave canary");
    fleet.release("site", "1.3.0");
    let newer = rollout(&fleet);
    under_way.told().ends_with(0);
    newer.ends_with(0);
    sites.end_at("1.3.0");
    each_was_claimed(&sites, &audits, 3);
}

#[test]
fn a_rollback_that_is_typed_in_mid_wave_wins_its_tenants() {
    let _turn = beside();
    let sites = sites("typed");
    let fleet = sites.begun_one_by_one();
    fleet.release("site", "1.1.0");
    rollout(&fleet).ends_with(0);
    fleet.release("site", "1.2.0");
    let mut under_way = Running::rollout(&fleet);
    under_way.wait_for("wave rest");
    // One that is being moved, and one whose turn has not come.
    type_rollback(&fleet, &["typed-1", "typed-4"]);
    let told = under_way.told().ends_with(6);
    told.says("typed-1").says("typed-4");
    let runs = |number: usize| match number {
        1 => "1.1.0",
        4 => "1.0.0",
        _ => "1.2.0",
    };
    let numbers = 0..ON.len();
    let expected: BTreeMap<String, String> = numbers
        .map(|one| (sites.tenant(one), runs(one).to_owned()))
        .collect();
    assert_eq!(sites.tags(), expected);
    sites.are_as_recorded();

    rollout(&fleet).ends_with(6).says("held");
    assert_eq!(sites.tags(), expected);
    let names = ["release-hold", "-e", "typed", "typed-1", "typed-4"];
    escale(fleet.folder(), &names).ends_with(0);
    fleet.release("site", "1.3.0");
    rollout(&fleet).ends_with(0);
    sites.end_at("1.3.0");
}

fn type_rollback(fleet: &Fleet, tenants: &[&str]) {
    let what = [&["-e", fleet.environment()], tenants].concat();
    rollback(fleet.folder(), &what).ends_with(0);
}
