//! Days on which not everything is there: a process that is killed, a hub that is off, a folder without git, objects
//! that somebody edited by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::audit::Audit;
use crate::binary::{Told, escale, killed_rollout, rollback, rollout};
use crate::clusters::{CLUSTERS, HUB, Trouble, forget, kubectl};
use crate::fleet::Fleet;
use crate::records::open_claims;
use crate::seen::{different_tags, tags};
use crate::turns::alone;

const OPALE: &str = "jp-vault-opale";

#[test]
fn a_rollout_that_is_killed_in_mid_wave_is_finished_by_the_next_run() {
    let _turn = alone();
    forget();
    let fleet = Fleet::in_a_hurry();
    fleet.release("web", "1.0.0");
    rollout(&fleet).ends_with(0);
    // The canary is written to by then, or even healthy; in the last wave claims are open.
    for (tag, word, after) in [("1.1.0", "wave canary", 250), ("1.2.0", "wave rest", 400)] {
        fleet.release("web", tag);
        killed_rollout(&fleet, word, Duration::from_millis(after));
        rollout(&fleet).ends_with(0);
        assert_eq!(different_tags(), BTreeSet::from([tag.to_owned()]));
        assert_eq!(open_claims(), BTreeSet::new());
    }
    let audits = CLUSTERS.map(Audit::from_now);
    rollout(&fleet).ends_with(0);
    for audit in audits {
        assert_eq!(audit.changes(), BTreeMap::new());
    }
}

#[test]
fn a_rollback_needs_neither_git_nor_hub() {
    let _turn = alone();
    forget();
    let fleet = Fleet::in_a_hurry();
    for tag in ["1.0.0", "1.1.0"] {
        fleet.release("web", tag);
        rollout(&fleet).ends_with(0);
    }
    let hub = Trouble::stopped(HUB);
    let bare = tempfile::tempdir().expect("a folder");
    rollback(bare.path(), &["vault-opall"])
        .ends_with(1)
        .says("did you mean `vault-opale`?");
    // As it is on somebody's laptop: the context is not called as the cluster is in the fleet.
    let on_a_laptop: &[&str] = &["--context", "medic-rbx-admin", "vault-opale"];
    // Two people at once: each waits for the tenant to stay well.
    std::thread::scope(|scope| {
        for what in [on_a_laptop, &["vault-borealis"]] {
            let folder = bare.path();
            scope.spawn(move || {
                let told = rollback(folder, what);
                told.ends_with(0).says("back and healthy")
            });
        }
    });
    let put_back = BTreeSet::from(["jp-vault-borealis".to_owned(), OPALE.to_owned()]);
    assert_eq!(running("1.0.0"), put_back);

    fleet.release("web", "1.2.0");
    rollout(&fleet).ends_with(1).says(HUB);
    assert_eq!(running("1.2.0"), BTreeSet::new());

    drop(hub);
    rollout(&fleet).ends_with(6).says("vault-opale");
    assert_eq!(running("1.0.0"), put_back);
    assert_eq!(different_tags().len(), 2);
}

#[test]
fn what_differs_on_the_clusters_is_told_and_nothing_else() {
    let _turn = alone();
    forget();
    let fleet = Fleet::in_a_hurry();
    rollout(&fleet).ends_with(0);
    let diff = |more: &[&str]| {
        let command = ["diff", "-e", "production", "--exit-code", "-o", "json"];
        escale(fleet.folder(), &[&command, more].concat())
    };
    let audits = CLUSTERS.map(Audit::from_now);
    assert_eq!(items(&diff(&[]).ends_with(0)), Vec::<String>::new());
    for audit in &audits {
        assert_eq!(
            audit.dry_runs(),
            0,
            "what is as recorded is not asked about"
        );
    }

    kubectl(
        "medic-rbx",
        &[
            "-n",
            OPALE,
            "patch",
            "configmap",
            "platforms",
            "--type=merge",
            "--patch",
            r#"{"data": {"note": "by hand"}, "metadata": {"labels": {"app.kubernetes.io/part-of": "somebody"}}}"#,
        ],
    );
    let edited = diff(&[]).ends_with(2);
    assert_eq!(items(&edited), ["vault-opale update ConfigMap/platforms"]);
    let paths: Vec<String> = fields(&edited);
    assert_eq!(paths, [r#".metadata.labels["app.kubernetes.io/part-of"]"#]);

    fleet.release("web", "2.0.0");
    let audits = CLUSTERS.map(Audit::from_now);
    let told = diff(&[]).ends_with(2);
    let report = json(&told);
    let restarted = |item: &&Value| item["restarts"] == true;
    let changed = report["items"].as_array().expect("items");
    assert_eq!(changed.iter().filter(restarted).count(), 17);
    assert_eq!(changed.len(), 18, "{}", told.data);
    let dry_runs: usize = audits.iter().map(Audit::dry_runs).sum();
    assert!(dry_runs <= 2 * changed.len(), "{dry_runs} dry-runs");
    for audit in audits {
        assert_eq!(audit.changes(), BTreeMap::new());
    }
}

fn running(tag: &str) -> BTreeSet<String> {
    let all = tags().into_iter();
    all.filter_map(|(namespace, runs)| (runs == tag).then_some(namespace))
        .collect()
}

fn json(told: &Told) -> Value {
    serde_json::from_str(&told.data).unwrap_or_else(|error| panic!("{error}\n{told}"))
}

/// What changes, as `TENANT CHANGE KIND/NAME`.
fn items(told: &Told) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let report = json(told);
    let items = report["items"].as_array().expect("items").iter();
    items
        .map(|item| {
            let object = &item["object"];
            format!(
                "{} {} {}/{}",
                text(&item["tenant"]),
                text(&item["change"]),
                text(&object["kind"]),
                text(&object["name"])
            )
        })
        .collect()
}

fn fields(told: &Told) -> Vec<String> {
    let report = json(told);
    let items = report["items"].as_array().expect("items").iter();
    let fields = items.flat_map(|item| item["fields"].as_array().cloned().unwrap_or_default());
    fields
        .map(|field| field["path"].as_str().unwrap_or_default().to_owned())
        .collect()
}
