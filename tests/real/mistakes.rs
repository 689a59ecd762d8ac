//! What is wrong with the way to the clusters, or with what is kept on them: told clearly, and nothing written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::audit::Audit;
use crate::binary::{Told, escale_with, rollback, rollout};
use crate::clusters::{CLUSTERS, HUB, edited_user, forget, kubeconfig, kubectl};
use crate::fleet::Fleet;
use crate::seen::{different_tags, tags};
use crate::turns::alone;

const OPALE: &str = "jp-vault-opale";

#[test]
fn a_way_that_leads_nowhere_or_elsewhere_is_told_and_nothing_is_written() {
    let _turn = alone();
    forget();
    let fleet = Fleet::in_a_hurry();
    rollout(&fleet).ends_with(0);
    fleet.release("web", "1.1.0");
    let audits = CLUSTERS.map(Audit::from_now);

    let expired = with_kubeconfig(&fleet, |text| edited_user(text, HUB, "token: expired"));
    expired
        .ends_with(1)
        .says("does not accept our credentials")
        .says("log in again");

    let unreachable = with_kubeconfig(&fleet, |text| {
        edited_cluster(text, HUB, "server: https://127.0.0.1:1")
    });
    unreachable
        .ends_with(1)
        .says("cannot be reached")
        .says("is the address of its context right");

    let swapped = with_kubeconfig(&fleet, |text| {
        text.replace("{cluster: metal-par,", "{cluster: medic-rbx,")
            .replace(
                "cluster: metal-par\n    user: metal-par\n",
                "cluster: medic-rbx\n    user: medic-rbx\n",
            )
    });
    swapped
        .ends_with(1)
        .says("the context of cluster `metal-par` answers as another cluster");

    for audit in audits {
        assert_eq!(audit.changes(), BTreeMap::new());
    }

    // Not the hub: the others go on.
    let one_is_away = with_kubeconfig(&fleet, |text| {
        edited_user(text, "medic-rbx", "token: expired")
    });
    one_is_away
        .ends_with(6)
        .says("tenants on medic-rbx (cluster unreachable")
        .says("does not accept our credentials");
    assert_eq!(tags()["jp-shared-par-1"], "1.1.0");
    assert_ne!(tags()[OPALE], "1.1.0");
}

#[test]
fn a_corrupt_record_or_bundle_is_told_and_its_tenant_left_alone() {
    let _turn = alone();
    forget();
    let fleet = Fleet::in_a_hurry();
    for tag in ["1.0.0", "1.1.0"] {
        fleet.release("web", tag);
        rollout(&fleet).ends_with(0);
    }
    let record = |what: &[&str]| kubectl("medic-rbx", &[&["-n", "escale-system"], what].concat());
    let sound = record(&[
        "get",
        "configmap",
        OPALE,
        "-o",
        "jsonpath={.data.inventory}",
    ]);
    let good = record(&["get", "configmap", OPALE, "-o", "jsonpath={.data.goods}"]);
    let goods: serde_json::Value = serde_json::from_str(&good).expect("goods are JSON");
    let digest = goods[0]["digest"].as_str().expect("a digest");

    break_bundle(&digest.replace(':', "-"));
    let audit = Audit::from_now("medic-rbx");
    rollback(
        fleet.folder(),
        &["-e", "production", "vault-opale", "--to", digest],
    )
    .ends_with(7)
    .says(digest);
    assert_eq!(audit.changes(), BTreeMap::new());

    patch_inventory("{ not json");
    let audit = Audit::from_now("medic-rbx");
    let bare = tempfile::tempdir().expect("a folder");
    rollback(bare.path(), &["--context", "medic-rbx", OPALE])
        .ends_with(1)
        .says(OPALE);
    fleet.release("web", "1.2.0");
    rollout(&fleet)
        .ends_with(6)
        .says("left out: vault-opale (record unreadable");
    assert_eq!(audit.last_change_in(OPALE), None);
    assert_eq!(tags()[OPALE], "1.1.0");
    assert_eq!(different_tags().len(), 2);

    patch_inventory(&sound);
    rollout(&fleet).ends_with(0);
    assert_eq!(different_tags().len(), 1);
}

/// Runs a rollout by another kubeconfig than the one that works.
fn with_kubeconfig(fleet: &Fleet, edit: impl FnOnce(&str) -> String) -> Told {
    let sound = fs::read_to_string(kubeconfig()).expect("a kubeconfig");
    let edited = edit(&sound);
    assert_ne!(edited, sound, "nothing was broken");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), edited).expect("a kubeconfig");
    rollout_by(file.path(), fleet)
}

fn rollout_by(kubeconfig: &Path, fleet: &Fleet) -> Told {
    escale_with(kubeconfig, fleet.folder(), &["rollout", "-e", "production"])
}

/// kubectl writes the name of a cluster after it, and of a user before.
fn edited_cluster(text: &str, name: &str, line: &str) -> String {
    let end = text
        .find(&format!("\n  name: {name}\n"))
        .expect("a cluster of that name");
    let start = text[..end]
        .rfind("    server:")
        .expect("a cluster has a server");
    format!("{}    {line}{}", &text[..start], &text[end..])
}

fn patch_inventory(text: &str) {
    let patch = serde_json::json!({"data": {"inventory": text}}).to_string();
    kubectl(
        "medic-rbx",
        &[
            "-n",
            "escale-system",
            "patch",
            "configmap",
            OPALE,
            "--type=merge",
            "--patch",
            &patch,
        ],
    );
}

/// Makes the first part of a stored bundle say something else; it is immutable, so it is made anew.
fn break_bundle(name: &str) {
    let part = format!("{name}.0");
    let text = kubectl(
        "medic-rbx",
        &[
            "-n",
            "escale-system",
            "get",
            "configmap",
            &part,
            "-o",
            "json",
        ],
    );
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("kubectl prints JSON");
    let data = value["binaryData"]
        .as_object_mut()
        .expect("a bundle is binary");
    for content in data.values_mut() {
        *content = "AAAA".into();
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), value.to_string()).expect("a ConfigMap");
    let path = file.path().to_str().expect("a plain path");
    kubectl("medic-rbx", &["replace", "--force", "-f", path]);
}
