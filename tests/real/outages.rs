//! API servers that stop, hang or turn requests away while a rollout is under way.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::audit::Audit;
use crate::binary::{Running, rollback, rollout};
use crate::clusters::{HUB, Trouble, forget, now};
use crate::fleet::Fleet;
use crate::sites::{SITES, Sites};
use crate::turns::alone;

/// The cluster that stops, between one with the canary and one that hangs.
const THREE: [&str; 3] = ["managed-ams", "metal-par", "medic-rbx"];
/// Longer than an answer is waited for before the request is sent again.
const HANGS: Duration = Duration::from_secs(35);

#[test]
fn a_cluster_that_stops_in_mid_wave_is_waited_for_or_deferred() {
    let _turn = alone();
    forget();
    let patient = Sites {
        environment: "patient",
        on: &THREE,
        healthy_for: "15s",
        ..SITES
    };
    let brisk = Sites {
        environment: "brisk",
        on: &THREE,
        strategy: "onUnreachable: {deadline: 5s, then: defer}",
        ..SITES
    };
    let (waits, defers) = (Watched::of(patient.begun()), Watched::of(brisk.begun()));

    // One fleet has written to the cluster by the time, the other is about to.
    let mut waiting = waits.release("2.0.0");
    waiting.wait_for("patient-1: ");
    let mut deferring = defers.release("2.0.0");
    deferring.wait_for("brisk-0: healthy");
    let stopped = Trouble::stopped("metal-par");
    let hanging = Trouble::paused("medic-rbx");
    thread::sleep(HANGS);
    drop(hanging);
    let told = deferring.told().ends_with(6);
    told.says("brisk-1: deferred").says("brisk-2: healthy");
    waiting.wait_for("patient-2: healthy");
    drop(stopped);
    let told = waiting.told().ends_with(0);
    told.says("cluster metal-par answers again");
    rollout(&defers.fleet).ends_with(0);

    patient.end_at("2.0.0");
    brisk.end_at("2.0.0");
    let seen = waits.events();
    assert!(
        seen.contains("clusterUnreachable") && seen.contains("clusterAnswers"),
        "{seen:?}"
    );
    let seen = defers.events();
    assert!(
        seen.contains("tenantInterrupted") && !seen.contains("tenantFailed"),
        "{seen:?}"
    );
}

#[test]
fn a_rollout_goes_on_after_its_hub_was_off_and_a_rollback_does_not_wait_for_it() {
    let _turn = alone();
    forget();
    let sites = Sites {
        environment: "hubless",
        ..SITES
    };
    let fleet = sites.begun();
    fleet.release("site", "2.0.0");
    let mut going_on = Running::rollout(&fleet);
    // Its claim is open, and nobody closes it before the hub is back.
    going_on.wait_for("hubless-2: ");
    let off = Trouble::stopped(HUB);
    let began = now();
    let bare = tempfile::tempdir().expect("a folder");
    let told = rollback(bare.path(), &["hubless-2"]).ends_with(0);
    told.says("back and healthy");
    let rest = began + Duration::from_mins(1);
    thread::sleep(rest.duration_since(now()).try_into().unwrap_or_default());
    drop(off);
    let told = going_on.told().ends_with(6);
    told.says("hubless-2: not ours any more");
    assert_eq!(runs(&sites), ["2.0.0", "2.0.0", "1.0.0"]);
    sites.are_as_recorded();
}

#[test]
fn an_api_server_that_turns_requests_away_is_only_slow() {
    let _turn = alone();
    forget();
    let sites = Sites {
        environment: "crowded",
        on: &["medic-rbx"; 4],
        pages: 40,
        ..SITES
    };
    let fleet = sites.begun();
    fleet.release("site", "2.0.0");
    let narrow = Trouble::narrow("medic-rbx");
    let audit = Audit::from_now("medic-rbx");
    rollout(&fleet).ends_with(0);
    assert!(
        audit.turned_away() > 50,
        "{} turned away",
        audit.turned_away()
    );
    drop(narrow);
    sites.end_at("2.0.0");
}

/// A fleet whose rollouts write an event log.
struct Watched {
    fleet: Fleet,
    log: tempfile::TempDir,
}

impl Watched {
    fn of(fleet: Fleet) -> Self {
        let log = tempfile::tempdir().expect("a folder");
        Self { fleet, log }
    }

    fn release(&self, tag: &str) -> Running {
        self.fleet.release("site", tag);
        let file = self.file();
        Running::rollout_with(
            &self.fleet,
            &["--events", file.to_str().expect("a plain path")],
        )
    }

    /// What has happened, each kind once.
    fn events(&self) -> BTreeSet<String> {
        let text = std::fs::read_to_string(self.file()).expect("an event log");
        let lines = text.lines().map(serde_json::from_str::<Value>);
        lines
            .map(|line| {
                line.expect("an event is JSON")["event"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    }

    fn file(&self) -> std::path::PathBuf {
        Path::join(self.log.path(), "events.jsonl")
    }
}

/// What the tenants run, in their order.
fn runs(sites: &Sites<'_>) -> Vec<String> {
    sites.tags().into_values().collect()
}
