//! Our verdicts beside those of Argo CD and kstatus, on their own test data.
//!
//! The data is read from `../shared/conformance/health` (or `$ESCALE_SHARED`), not copied.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use escale::cluster::read_bare;
use escale::health::Verdict::{self, Failed, Healthy, Progressing, Suspended};
use escale::health::judge;
use escale::manifest::Live;
use serde_json::Value;

/// A file on which we say something else than they do, on purpose.
struct Deviation {
    file: &'static str,
    ours: Verdict,
    theirs: Verdict,
    reason: &'static str,
}

const fn deviation(
    file: &'static str,
    ours: Verdict,
    theirs: Verdict,
    reason: &'static str,
) -> Deviation {
    Deviation {
        file,
        ours,
        theirs,
        reason,
    }
}

const DEVIATIONS: &[Deviation] = &[
    deviation(
        "kstatus/jobInProgress.yaml",
        Progressing,
        Healthy,
        "a Job that runs is not done (cli-utils#329; Flux and Helm 4 override it too)",
    ),
    deviation(
        "kstatus/podCompletedFail.yaml",
        Failed,
        Healthy,
        "a bare pod that failed has failed: nobody makes a new one",
    ),
    deviation(
        "objects/hpa-v1-degraded-failedgetobjectmetric.yaml",
        Healthy,
        Failed,
        "metrics come from elsewhere: without them replicas stay as they are (krane)",
    ),
    deviation(
        "objects/hpa-v1-degraded.yaml",
        Healthy,
        Failed,
        "metrics lag behind new pods, and some clusters have no metrics server",
    ),
    deviation(
        "objects/ingress-unassigned.yaml",
        Healthy,
        Progressing,
        "some controllers never write an address: waited for only with escale.dev/wait-for: address",
    ),
    deviation(
        "objects/pod-running-restart-never-with-ignore-annotation.yaml",
        Progressing,
        Healthy,
        "the annotation is Argo CD's: for us a pod that is not restarted runs to its end",
    ),
    deviation(
        "objects/pod-running-restart-onfailure.yaml",
        Failed,
        Progressing,
        "four crashes of a pod that nobody else looks after (kstatus fails it at the first)",
    ),
    deviation(
        "objects/svc-loadbalancer-unassigned.yaml",
        Healthy,
        Progressing,
        "without a provider the address never comes: waited for only with escale.dev/wait-for: address",
    ),
];

/// Where we say healthy and they do not: the dangerous kind. Nothing joins this list unseen.
const WE_ALONE_SAY_HEALTHY: &[&str] = &[
    "objects/hpa-v1-degraded-failedgetobjectmetric.yaml",
    "objects/hpa-v1-degraded.yaml",
    "objects/ingress-unassigned.yaml",
    "objects/svc-loadbalancer-unassigned.yaml",
];

#[test]
fn our_verdicts_are_theirs_but_for_the_listed_deviations() {
    let mut found = Vec::new();
    for Case { file, ours, theirs } in cases() {
        if ours != theirs {
            found.push(format!("{file}: ours {ours}, theirs {theirs}"));
        }
    }
    let mut listed: Vec<String> = DEVIATIONS
        .iter()
        .map(|it| format!("{}: ours {}, theirs {}", it.file, it.ours, it.theirs))
        .collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
    assert!(DEVIATIONS.iter().all(|it| !it.reason.is_empty()));
}

#[test]
fn healthy_where_they_say_otherwise_is_exactly_this_list() {
    let mut dangerous: Vec<String> = cases()
        .into_iter()
        .filter(|case| case.ours == Healthy && case.theirs != Healthy)
        .map(|case| case.file)
        .collect();
    dangerous.sort();
    assert_eq!(dangerous, WE_ALONE_SAY_HEALTHY);
}

#[test]
fn what_a_rollout_does_not_read_of_an_object_changes_no_verdict() {
    for case in cases() {
        let whole = object(&folder().join(&case.file));
        let bare = read_bare(whole.to_string().as_bytes()).expect("an object");
        assert_eq!(verdict_on(bare), case.ours, "{}", case.file);
    }
}

#[test]
fn every_file_of_theirs_is_judged() {
    let by_tool = cases()
        .into_iter()
        .fold(BTreeMap::new(), |mut count, case| {
            let tool = case.file.split('/').next().unwrap().to_owned();
            *count.entry(tool).or_insert(0) += 1;
            count
        });
    let expected = BTreeMap::from([("kstatus".to_owned(), 52), ("objects".to_owned(), 46)]);
    assert_eq!(by_tool, expected);
}

struct Case {
    file: String,
    ours: Verdict,
    theirs: Verdict,
}

fn cases() -> Vec<Case> {
    let folder = folder();
    let mut cases = Vec::new();
    for (list, below) in [
        ("expected-by-argo.tsv", "objects"),
        ("expected-by-kstatus.tsv", "kstatus"),
    ] {
        for line in read(&folder.join(list)).lines() {
            let (file, theirs) = line
                .split_once('\t')
                .expect("each line is file, tab, verdict");
            let file = format!("{below}/{file}");
            cases.push(Case {
                ours: verdict_on(object(&folder.join(&file))),
                theirs: theirs_as_ours(theirs),
                file,
            });
        }
    }
    cases
}

fn object(file: &Path) -> Value {
    let documents = escale::yaml::read_as_found(&read(file))
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut value = documents[0].to_value();
    let metadata = value["metadata"]
        .as_object_mut()
        .expect("metadata is a map");
    metadata.entry("name").or_insert(Value::from("unnamed"));
    value
}

fn verdict_on(object: Value) -> Verdict {
    let now = "2026-11-22T00:00:00Z".parse().expect("a time");
    judge(&Live::from_value(object).expect("an object"), now).verdict
}

fn theirs_as_ours(theirs: &str) -> Verdict {
    match theirs {
        "Healthy" | "Current" => Healthy,
        "Progressing" | "InProgress" | "Terminating" => Progressing,
        "Degraded" | "Failed" => Failed,
        "Suspended" => Suspended,
        other => panic!("`{other}` is no verdict of theirs that we know"),
    }
}

fn folder() -> PathBuf {
    let shared = std::env::var_os("ESCALE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"),
        PathBuf::from,
    );
    let folder = shared.join("conformance/health");
    assert!(
        folder.is_dir(),
        "{} is missing: set ESCALE_SHARED to the folder with the conformance data",
        folder.display()
    );
    folder
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
